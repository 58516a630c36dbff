"""A simulated rollout as a document: what it came to, a chart of hosts over time, its waves, what failed and what was left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleetplan.follow.simulate import End, Simulated, WaveRun
from fleetplan.output.document import Align, Bullets, Column, Document, Paragraph, Quote, Section, Table, Tone
from fleetplan.output.sentences import clock, counted, listed
from fleetplan.output.views.next import waiting_sections
from fleetplan.output.views.refusal import refuted_document

MOST_ROWS = 24
"""Longer rollouts are shown by some of their waves, evenly spread; JSON has each."""
CELLS = 50
"""Characters of a full bar."""


def simulated_document(result: Simulated) -> Document:
    """All of it."""
    if result.end.violations:
        return refuted_document(result.end.violations)
    sections = [_summary(result), *_chart(result), *_waves(result), *_left(result)]
    return Document((*sections, *(waiting_sections(result.end.waiting) if not result.end.reached else ())))


def _summary(result: Simulated) -> Section:
    end, gone = result.end, result.end.dead
    if end.reached:
        head = Paragraph(f"Every living host ends on {result.target}.", Tone.GOOD)
    else:
        head = Paragraph(f"{counted(len(end.left), 'living host')} not on {result.target} in the end: {_why_short(end)}.", Tone.BAD)
    failed, released = sum(wave.failed_moves for wave in result.waves), sum(len(wave.released) for wave in result.waves)
    held = sum(len(wave.held) for wave in result.waves)
    points = [
        f"{counted(len(result.waves), 'wave')} (planned: {result.planned_waves}), {counted(result.moves, 'migration')} (planned: "
        f"{result.planned_moves:,}), {clock(result.lasts_s)} (planned: {clock(result.planned_s)}, where waves overlap)",
    ]
    if failed or held:
        points.append(f"{counted(failed, 'attempt')} at a move failed; {counted(held, 'host')} held, {released} released again")
    if gone:
        points.append(f"{counted(len(gone), 'host')} dead in the end, with {counted(end.stranded, 'guest')} said to be on them")
    if result.chances.churn:
        came, went = sum(wave.born for wave in result.waves), sum(wave.gone for wave in result.waves)
        points.append(f"{counted(came, 'guest')} created, {counted(went, 'guest')} deleted on the way")
    return Section("", (head, Bullets(tuple((0, point) for point in points))))


def _why_short(end: End) -> str:
    if end.stopped_by_policy:
        return "a host failed, and policy says to stop then"
    if end.refused:
        return "no further wave can go"
    return "they were released and held again, without any getting through"


def _chart(result: Simulated) -> Iterator[Section]:
    """A bar for the start and for the end of each wave."""
    if not result.waves:
        return
    rows = [(0, result.on_target_before), *((wave.ends_s, wave.on_target) for wave in result.waves)]
    width, times = len(f"{result.hosts:,}"), len(clock(result.lasts_s))
    lines = []
    for at_s, done in _some(rows):
        filled = CELLS * done // max(result.hosts, 1)
        lines.append(f"{clock(at_s):>{times}}  [{'#' * filled}{'.' * (CELLS - filled)}]  {done:>{width},} of {result.hosts:,}")
    yield Section("Hosts on the target", (Quote(tuple(lines)),))


def _some(rows: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The first, the last, and some in between."""
    if len(rows) <= MOST_ROWS:
        return list(rows)
    return [rows[place * (len(rows) - 1) // (MOST_ROWS - 1)] for place in range(MOST_ROWS)]


def _waves(result: Simulated) -> Iterator[Section]:
    if not result.waves:
        return
    titles = ("wave", "starts", "ends", "hosts", "upgraded", "moves", "failed", "held", "died")
    columns = (*(Column(title=title, align=Align.RIGHT) for title in titles), Column(title="then", grows=True))
    shown = result.waves if len(result.waves) <= MOST_ROWS else (*result.waves[: MOST_ROWS // 2], *result.waves[-MOST_ROWS // 2 :])
    left_out = len(result.waves) - len(shown)
    note = f"{left_out} waves in the middle are not shown here; `--format json` has each" if left_out else ""
    yield Section("Waves as they went", (Table(columns, tuple(map(_row, shown)), note),))


def _row(wave: WaveRun) -> tuple[str, ...]:
    then = ["the wave was stopped"] if wave.stopped else []
    then += [f"{len(wave.released)} released before"] if wave.released else []
    then += [f"{wave.born} created, {wave.gone} deleted"] if wave.born or wave.gone else []
    counts = (wave.hosts, wave.upgraded, wave.moves, wave.failed_moves, len(wave.held), len(wave.died))
    return str(wave.wave), clock(wave.begins_s), clock(wave.ends_s), *(f"{count:,}" for count in counts), "; ".join(then)


def _left(result: Simulated) -> Iterator[Section]:
    """Living hosts that are not on the target, by state; and the dead ones."""
    by_state: dict[str, list[str]] = {}
    for left in result.end.left:
        by_state.setdefault(left.state.value, []).append(left.host)
    points = [(0, f"{state}: {listed(hosts)}") for state, hosts in by_state.items()]
    points += [(0, f"dead: {listed(result.end.dead)}")] if result.end.dead else []
    if points:
        yield Section("Left", (Bullets(tuple(points)),))

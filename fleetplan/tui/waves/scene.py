"""What is the case at a moment of the rollout: which wave, who is away, how much room there is, what is still to come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fleetplan.output.ink import Ink, Line, Span
from fleetplan.output.risk import STANDS, Stand
from fleetplan.output.sentences import clock, counted
from fleetplan.output.waits import stretch_words
from fleetplan.rollout.columns import KINDS, StepColumns
from fleetplan.rollout.plan import StepKind
from fleetplan.rollout.timeline import Moment
from fleetplan.tui.exposure.shares import moment_line
from fleetplan.tui.fleet.map import BAR, bar
from fleetplan.tui.fleet.picture import NUMBER, ORDER, Picture
from fleetplan.tui.moves.landings import RISKS, counts
from fleetplan.tui.situation import Situation
from fleetplan.tui.waves.timeline import Timeline

MOST_EVENTS = 6
"""What happens at one moment is told up to so many steps."""


def scene(
    situation: Situation, line: Timeline, picture: Picture, at_s: int, moments: Sequence[Moment], *, host: int | None, playing: bool
) -> tuple[Line, ...]:
    """Some lines about a moment; `moments` are those of exposure, as far as they are known."""
    lines = [
        _when(situation, at_s, playing=playing),
        tuple(_hosts(picture)),
        tuple(_room(situation, picture)),
        tuple(_guests(situation, at_s)),
        tuple(_events(situation, at_s)),
        moment_line(moments, at_s),
    ]
    stretch = line.critical.get(host) if host is not None else None
    if host is not None and stretch is not None:
        name = situation.columns.hosts.names[host]
        lines.append((Span("◆ ", Ink.STRIPS), Span(f"critical path, {name}: {stretch_words(stretch)}", Ink.PLAIN)))
    return tuple(lines)


def _when(situation: Situation, at_s: int, *, playing: bool) -> Line:
    end_s, steps = situation.journey.end_s, situation.steps
    begun = steps.wave[steps.start_s <= at_s] if steps is not None else np.zeros(0, np.int32)
    waves = len(situation.plan.waves) if situation.plan is not None else 0
    done = " (the end)" if at_s >= end_s else ""
    return (
        Span("▶ " if playing else "‖ ", Ink.LIT),
        Span(f"{clock(at_s)} of {clock(end_s)}", Ink.STRONG),
        Span(f"   wave {int(begun.max(initial=0))} of {waves}{done}"),
    )


def _hosts(picture: Picture) -> Iterator[Span]:
    yield Span("hosts  ", Ink.HEAD)
    found = np.bincount(picture.stand, minlength=len(ORDER)).tolist()
    for stand, count in zip(ORDER, found, strict=True):
        if count:
            sign = STANDS[stand]
            yield Span(f"{sign.glyph} {count:,} {sign.word}  ", sign.ink)


def _room(situation: Situation, picture: Picture) -> Iterator[Span]:
    """What upgraded hosts have free, which is what a rollout lives on."""
    done = picture.stand == NUMBER[Stand.DONE]
    yield Span("upgraded room  ", Ink.HEAD)
    for word, kind, scale, unit in (("vCPUs", 0, 1, ""), ("memory", 1, 1024, " GiB")):
        size = int(situation.columns.hosts.size[done, kind].sum())
        used = int(picture.used[done, kind].sum())
        yield Span(f"{word} ", Ink.FAINT)
        yield from bar(used / size if size else 0.0, BAR)
        yield Span(f" {max(size - used, 0) // scale:,}{unit} free   ")


def _guests(situation: Situation, at_s: int) -> Iterator[Span]:
    journey, found = situation.journey, situation.landings
    yield Span("guests ", Ink.HEAD)
    yield Span(f"{journey.landed(at_s):,} of {len(found):,} landed, {journey.moving(at_s):,} on their way; to come: ")
    left = counts(found.risk[found.start_s > at_s])
    for sign, count in reversed(list(zip(RISKS, left, strict=True))):
        if count:
            yield Span(f"{sign.glyph} {count:,} {sign.word.lower()}  ", sign.ink)
    if not sum(left):
        yield Span("nothing")


VERBS = {
    StepKind.CORDON: ("{host} is cordoned", ""),
    StepKind.MIGRATE: ("{guest} leaves {source} for {destination}", "{guest} is on {destination}"),
    StepKind.STOP: ("{guest} stops", ""),
    StepKind.START: ("{guest} starts", "{guest} is up"),
    StepKind.PIN: ("", "{guest} has its PSCI pin"),
    StepKind.UPGRADE: ("{host} goes away", "{host} answers again"),
    StepKind.CHECK: ("", "{host} offers what was assumed"),
    StepKind.UNCORDON: ("", "{host} takes guests again"),
    StepKind.GATE: ("the gate is waited for", "the gate is passed"),
}
"""What is said when a step begins, and when it ends."""


def _events(situation: Situation, at_s: int) -> Iterator[Span]:
    yield Span("now    ", Ink.HEAD)
    words = list(_happening(situation.steps, at_s)) if situation.steps is not None else []
    shown = "; ".join(words[:MOST_EVENTS])
    more = f" and {counted(len(words) - MOST_EVENTS, 'step')} more" if len(words) > MOST_EVENTS else ""
    yield Span((shown + more) or "nothing begins or ends", Ink.PLAIN)


def _happening(steps: StepColumns, at_s: int) -> Iterator[str]:
    """Ends first: they make room for what begins."""
    for ended, rows in ((True, np.flatnonzero(steps.end_s == at_s)), (False, np.flatnonzero(steps.start_s == at_s))):
        for row in rows.tolist():
            template = VERBS[KINDS[int(steps.kind[row])]][ended]
            if template:
                step = steps.record(row)
                yield template.format(host=step.host, guest=step.guest, source=step.source, destination=step.destination)

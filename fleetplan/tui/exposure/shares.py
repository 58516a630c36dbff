"""How many guests are what to each flaw, as bars; and which wave that is after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleetplan.migration.exposure import Exposure
from fleetplan.migration.standing import Count, Tally
from fleetplan.output.exposure import FLAWS, sparkline
from fleetplan.output.ink import Ink, Line, Span, length
from fleetplan.output.risk import EXPOSURES
from fleetplan.output.sentences import clock, counted
from fleetplan.rollout.timeline import Moment
from fleetplan.tui.exposure.census import Census, Course

FILLS = {
    Exposure.EXPOSED: "█",
    Exposure.STRIPPED: "▓",
    Exposure.STALE: "▒",
    Exposure.HIDDEN: "░",
    Exposure.UNKNOWN: "?",
    Exposure.PROTECTED: "━",
    Exposure.NOT_NEEDED: "·",
}
"""What bars are made of, the worst first: told apart without colours."""

LABEL = 12
NARROWEST = 24
"""Characters that a bar has at least, if need be at the cost of words."""


def shares(course: Course, census: Census, width: int) -> tuple[Line, ...]:
    """A line about the moment, and a bar for each flaw."""
    tally = census.tally
    told = Span(f"{_range(tally)} of {counted(tally.guests, 'guest')} exposed", _ink(tally))
    away = len(census.kind) - tally.guests
    gone = (Span(f"   not counted: {counted(away, 'guest')} on hosts that are gone", Ink.FAINT),) if away else ()
    first = (*_when(course, census.wave), told, *_trend(course, census.wave), *gone)
    words = _words(tally.items, width)
    room = max(width - LABEL - max(map(length, words)) - 2, NARROWEST)
    return (first, *(_flaw(count, tally, room, line) for count, line in zip(tally.items, words, strict=True)))


def _ink(tally: Tally) -> Ink:
    return Ink.FAILS if tally.at_least else Ink.STRIPS if tally.at_most else Ink.SAFE


def _when(course: Course, wave: int) -> Line:
    if not course.waves:
        return (Span("now  ", Ink.STRONG),)
    ends = f", {clock(course.moments[wave].ends_s)}" if wave else ""
    word = f"after wave {wave} of {course.waves}{ends}" if wave else f"now, before wave 1 of {course.waves}"
    return (Span("‖ ", Ink.LIT), Span(f"{word}  ", Ink.STRONG))


def _trend(course: Course, wave: int) -> Line:
    """The course of the whole rollout, a character for each moment; of a long one, none."""
    values = [moment.tally.at_most for moment in course.moments]
    if not 1 < len(values) <= 20 or not any(values):
        return ()
    line = sparkline(values, max(values))
    return (Span("  "), Span(line[:wave], Ink.FAINT), Span(line[wave], Ink.LIT), Span(line[wave + 1 :], Ink.FAINT))


def _flaw(count: Count, tally: Tally, room: int, words: Line) -> Line:
    return (Span(FLAWS[count.item].ljust(LABEL), Ink.HEAD), *_bar(count, tally.guests, room), Span("  "), *words)


def _bar(count: Count, whole: int, room: int) -> Iterator[Span]:
    """Shares in so many characters; what is there has at least one."""
    found = [count.guests[kind] for kind in FILLS]
    for kind, cells in zip(FILLS, portions(found, room), strict=True):
        if cells:
            yield Span(FILLS[kind] * cells, EXPOSURES[kind].ink)
    if not whole:
        yield Span(" " * room)


def portions(parts: Sequence[int], room: int) -> list[int]:
    """Parts of a whole in `room` cells: every part that is there has at least one, and together they fill the room (if any is there)."""
    whole = sum(parts)
    if not whole:
        return [0] * len(parts)
    cells = [max(part * room // whole, 1) if part else 0 for part in parts]
    while sum(cells) != room:
        step = 1 if sum(cells) < room else -1
        wanted = [
            part * room / whole - cell if part and cell + step > 0 else float("-inf") for part, cell in zip(parts, cells, strict=True)
        ]
        place = max(range(len(cells)), key=lambda at: step * wanted[at] if wanted[at] != float("-inf") else float("-inf"))
        cells[place] += step
    return cells


def _words(counts: Sequence[Count], width: int) -> list[Line]:
    """What stands beside the bars; where that leaves them no room, without words: the table below has them."""
    long = [_told(count, words=True) for count in counts]
    return long if width - LABEL - max(map(length, long)) - 2 >= NARROWEST else [_told(count, words=False) for count in counts]


def _told(count: Count, *, words: bool) -> Line:
    kinds = [kind for kind in FILLS if count.guests[kind]]
    return tuple(
        Span(f"{EXPOSURES[kind].glyph} {count.guests[kind]:,}{f' {EXPOSURES[kind].word}' if words else ''}  ", EXPOSURES[kind].ink)
        for kind in kinds
    )


def moment_line(moments: Sequence[Moment], at_s: int) -> Line:
    """How many guests are exposed at a second of the plan: as of the last wave that has ended by then."""
    if not moments:
        return (Span("exposed  ", Ink.HEAD), Span("…", Ink.FAINT))
    moment = next(moment for moment in reversed(moments) if moment.ends_s <= at_s or not moment.wave)
    tally = moment.tally
    word = f"after wave {moment.wave}" if moment.wave else "before wave 1"
    each = ", ".join(f"{FLAWS[count.item].removeprefix('Spectre ')} {count.at_most:,}" for count in tally.items if count.at_most)
    trend = sparkline([one.tally.at_most for one in moments], max(1, *(one.tally.at_most for one in moments))) if len(moments) <= 20 else ""
    detail = f" ({each})" if each else ""
    return (Span("exposed  ", Ink.HEAD), Span(f"{_range(tally)} of {tally.guests:,}", _ink(tally)), Span(f"{detail}, {word}  {trend}"))


def _range(tally: Tally) -> str:
    return f"{tally.at_most:,}" if tally.at_least == tally.at_most else f"{tally.at_least:,} to {tally.at_most:,}"

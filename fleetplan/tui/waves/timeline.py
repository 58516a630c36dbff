"""The time line: a bar for each host that has its turn, in the order in which they go; the critical path lit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby

import msgspec
import numpy as np

from fleetplan.output.ink import Ink, Line, Span
from fleetplan.output.risk import STANDS, Stand
from fleetplan.output.sentences import clock
from fleetplan.rollout.waits import Stretch
from fleetplan.tui.waves.journey import Journey, Turn

LONGEST_NAME = 18
CRITICAL = "◆"
MARKS: Mapping[Stand, str] = {Stand.TO_DO: "·", Stand.DRAINING: "╍", Stand.AWAY: "━", Stand.DONE: "─"}
"""What a bar is made of."""
LIT_MARKS: Mapping[Stand, str] = {**MARKS, Stand.DRAINING: "▒", Stand.AWAY: "█"}
"""What the bar of a host on the critical path is made of."""
TICKS = 12
"""Least characters from one time on the scale to the next."""


class Timeline(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Hosts that have a turn, first by wave, then by when they go away. `critical` are those of the critical path, with why they wait."""

    journey: Journey
    hosts: tuple[int, ...]
    critical: Mapping[int, Stretch]
    name: int

    @property
    def label(self) -> int:
        """Characters before a bar begins."""
        return self.name + 8

    def line(self, y: int, at_s: int, width: int) -> Line:
        """The bar of a host, with the mark of the moment in it."""
        host = self.hosts[y]
        turn = self.journey.turn(host)
        assert turn is not None  # noqa: S101 - hosts here have a turn
        lit = host in self.critical
        name = self.journey.columns.hosts.names[host]
        label = f"{turn.wave:>4} {name if len(name) <= self.name else f'…{name[1 - self.name :]}':<{self.name}} "
        head = (Span(f"{CRITICAL if lit else ' '} ", Ink.STRIPS), Span(label, Ink.STRONG if lit else Ink.PLAIN))
        return (*head, *_bar(turn, self.journey.end_s, at_s, max(width - self.label, 1), lit=lit))

    def head(self, at_s: int, width: int) -> Line:
        """The scale, with the moment marked on it."""
        room = max(width - self.label, 1)
        mark = place(at_s, self.journey.end_s, room)
        scale = _scale(self.journey.end_s, room)
        label = f"  wave {'host':<{self.name}} "
        return (
            Span(f"{label:<{self.label}.{self.label}}", Ink.HEAD),
            Span(scale[:mark], Ink.FAINT),
            Span("▼", Ink.LIT),
            Span(scale[mark + 1 :], Ink.FAINT),
        )

    def second(self, x: int, width: int) -> int | None:
        """The moment under a character of a line."""
        room, place = max(width - self.label, 1), x - self.label
        return place * self.journey.end_s // max(room - 1, 1) if 0 <= place < room else None


def timeline(journey: Journey, path: tuple[Stretch, ...]) -> Timeline:
    """The time line of a plan with its critical path."""
    _, away, _, wave = journey.times
    order = np.lexsort((away, wave))
    hosts = tuple(host for host in order.tolist() if wave[host])
    numbers = {name: number for number, name in enumerate(journey.columns.hosts.names)}
    critical = {numbers[stretch.host]: stretch for stretch in path if stretch.host is not None}
    name = min(max((len(journey.columns.hosts.names[host]) for host in hosts), default=4), LONGEST_NAME)
    return Timeline(journey=journey, hosts=hosts, critical=critical, name=max(name, 4))


def place(at_s: int, end_s: int, room: int) -> int:
    """The character that stands for a moment."""
    return min(at_s * (room - 1) // max(end_s, 1), room - 1)


def _bar(turn: Turn, end_s: int, at_s: int, room: int, *, lit: bool) -> Iterator[Span]:
    """Stretches of one stand each, the mark of the moment between them; what is short still gets a character."""
    cordon, away, back = (place(when, end_s, room) for when in (turn.cordon_s, turn.away_s, turn.back_s))
    stands = [Stand.TO_DO] * room
    for stand, first, last in ((Stand.DONE, back, room), (Stand.DRAINING, cordon, away), (Stand.AWAY, away, max(back, away + 1))):
        stands[first:last] = [stand] * (last - first)
    now, marks = place(at_s, end_s, room), LIT_MARKS if lit else MARKS
    for first, last in ((0, now), (now + 1, room)):
        for stand, group in groupby(stands[first:last]):
            yield Span(marks[stand] * len(list(group)), Ink.FAINT if stand is Stand.TO_DO else STANDS[stand].ink)
        if not first:
            yield Span("│", Ink.LIT)


def _scale(end_s: int, room: int) -> str:
    """Times of day from the start, at even distances."""
    texts = [" "] * room
    steps = max(room // TICKS, 1)
    for step in range(steps):
        x = step * room // steps
        for offset, letter in enumerate(clock(x * end_s // max(room - 1, 1))):
            if x + offset < room:
                texts[x + offset] = letter
    return "".join(texts)

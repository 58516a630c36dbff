"""All plans of one small pool, one after the other: what the search falls back on where its own way leads nowhere.

It is enough to look at plans that empty one host after the other, each guest staying where it is until its host has its turn: hosts take
nobody while they are cordoned, and guests leave only cordoned ones, so whoever waits does not take room that another one would have had.
(`planner.exact.orders` has the whole argument, and what it needs; see `Pool.provable`.) Guests of upgraded hosts stay where they are.

    rest(done, placement): some host next, its guests somewhere; then rest(done + host, new placement)

Depth first, with as few moves beyond one a guest as there are, then with more. What has failed is remembered by what matters of it: of
upgraded hosts, which only receive, what they still take; of old ones, which kinds of guests are on them. The limit is a number of
landings, not of seconds, so that the answer is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from fleetplan.planner.small_pool import Kind, Pool, State

LANDINGS = 20_000
"""Landings that are tried for one pool."""

LEVELS = (0, 1, 2, 3, 4, 6, 9, 14, 21, 32, 64, 128, 256, 512)
"""Moves beyond one a guest that are allowed, one after the other."""


class Turn(NamedTuple):
    """A host is emptied: where each guest that was on it goes."""

    host: int
    goals: dict[int, int]


@dataclass(frozen=True, slots=True)
class Found:
    """The turns of all hosts of a pool, if some were found, with their moves beyond one a guest. `exhausted`: there are none with less."""

    turns: tuple[Turn, ...] | None
    extra: int
    exhausted: bool


class _Rest(Enum):
    """What became of a state."""

    FOUND = "found"
    BEYOND = "beyond"
    """Nothing within the moves that were left."""
    NEVER = "never"
    """Nothing, whatever it costs."""


class _SpentError(Exception):
    """All landings have been tried that may be."""


@dataclass(slots=True)
class _Ways:
    """All ways to land the guests of a host, one after the other. `beyond`: some were left out because they cost too many moves."""

    walk: _Walk
    source: int
    guests: list[int]
    goals: dict[Kind, list[tuple[int, int]]]
    landed: dict[int, int] = field(default_factory=dict)
    beyond: bool = False

    def all(self, extra: int, number: int = 0, first: int = 0) -> Iterator[int]:
        """What each way leaves of the extra moves. Guests of one kind land in the order of their goals, and of equal goals on the first."""
        if number == len(self.guests):
            yield extra
            return
        guest, state = self.guests[number], self.walk.state
        kind = state.kinds[guest]
        goals, tried = self.goals[kind], set[object]()
        alike = number + 1 < len(self.guests) and state.kinds[self.guests[number + 1]] == kind
        for place in range(first, len(goals)):
            there, cost = goals[place]
            if not state.takes(there, self.source, kind):
                continue
            if cost > extra:
                self.beyond = True
                return
            signature = state.signature(there)
            if signature in tried:
                continue
            tried.add(signature)
            self.walk.spend()
            state.land(guest, there)
            self.landed[guest] = there
            yield from self.all(extra - cost, number + 1, place if alike else 0)
            del self.landed[guest]
            state.take_back(guest, there)


@dataclass(slots=True)
class _Walk:
    state: State
    landings: int
    failed: dict[object, int | None] = field(default_factory=dict)
    """States from which nothing was found within so many extra moves; None: at all."""
    turns: list[Turn] = field(default_factory=list)
    """What was found, the last turn first. The state is then that at the end."""

    def spend(self) -> None:
        """One more landing is tried."""
        self.landings -= 1
        if self.landings < 0:
            raise _SpentError

    def rest(self, extra: int) -> _Rest:
        """All hosts that are left, with at most so many extra moves."""
        if not self.state.left:
            return _Rest.FOUND
        if extra == 0 and self.state.overflows():
            return _Rest.BEYOND
        key = self.state.key()
        known = self.failed.get(key, -1)
        if known is None or known >= extra:
            return _Rest.NEVER if known is None else _Rest.BEYOND
        outcome = self._some_host(extra)
        if outcome is not _Rest.FOUND:
            self.failed[key] = extra if outcome is _Rest.BEYOND else None
        return outcome

    def _some_host(self, extra: int) -> _Rest:
        beyond, tried = False, set[object]()
        for host in self.state.next_hosts():
            signature = self.state.signature(host)
            if signature in tried:
                continue
            tried.add(signature)
            only = extra == 0 and self.state.gains_for_nothing(host)
            outcome = self._empty(host, extra)
            if outcome is _Rest.FOUND:
                return outcome
            if only:
                return _Rest.BEYOND
            beyond |= outcome is _Rest.BEYOND
        return _Rest.BEYOND if beyond else _Rest.NEVER

    def _empty(self, host: int, extra: int) -> _Rest:
        """A host has its turn."""
        state, beyond = self.state, False
        guests = state.guests_of(host)
        goals = {kind: state.goals(host, kind) for kind in dict.fromkeys(state.kinds[guest] for guest in guests)}
        ways = _Ways(self, host, guests, goals)
        for left in ways.all(extra):
            landed = dict(ways.landed)
            before = state.settle(host, landed)
            outcome = self.rest(left)
            if outcome is _Rest.FOUND:
                self.turns.append(Turn(host, landed))
                return outcome
            state.unsettle(host, landed, before)
            beyond |= outcome is _Rest.BEYOND
        return _Rest.BEYOND if beyond or ways.beyond else _Rest.NEVER


def complete(pool: Pool, *, least: int = 0, most: int | None = None, landings: int = LANDINGS) -> Found:
    """Turns with the fewest moves, from `least` extra ones on, and with fewer than `most`. Exponential in what matters, up to the limit."""
    walk = _Walk(State.of(pool), landings)
    levels = [level for level in LEVELS if level >= least and (most is None or level < most)]
    below = least - 1
    try:
        for extra in levels:
            outcome = walk.rest(extra)
            if outcome is _Rest.FOUND:
                return _fewer(pool, walk, below, extra)
            if outcome is _Rest.NEVER:
                return Found(None, 0, exhausted=True)
            below = extra
    except _SpentError:
        pass
    return Found(None, 0, exhausted=False)


def _fewer(pool: Pool, walk: _Walk, fails: int, extra: int) -> Found:
    """Levels are skipped: what was found may be had with less."""
    turns = _taken(pool, walk)
    exhausted = True
    try:
        while extra - fails > 1:
            middle = (fails + extra) // 2
            if walk.rest(middle) is _Rest.FOUND:
                turns, extra = _taken(pool, walk), middle
            else:
                fails = middle
    except _SpentError:
        exhausted = False
    return Found(turns, extra, exhausted)


def _taken(pool: Pool, walk: _Walk) -> tuple[Turn, ...]:
    """What was found; the walk may begin again."""
    turns = tuple(reversed(walk.turns))
    walk.turns.clear()
    walk.state = State.of(pool)
    return turns

"""Who hands out the slots of max-unavailable, in the order of time."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np

from fleetplan.planner.problem import Problem, Slots
from fleetplan.rollout.columns import Numbers

Slot = tuple[int, tuple[int, ...]]
"""From when on a slot is free, and the hosts whose uncordon made it so."""


@dataclass(slots=True, eq=False)
class _Counter:
    """The slots of one scope, by place."""

    place: list[int]
    free: list[list[Slot]]
    debt: list[int]
    """Held hosts that must come back before anything is free."""
    owed: list[tuple[int, ...]]
    """Those that came back to pay it: whoever takes a slot there waits for them, too."""
    parked: list[list[int]]
    """Hosts that wait for a slot here, as a heap."""

    @classmethod
    def of(cls, slots: Slots, line: Numbers) -> _Counter:
        """All slots free from the start."""
        free: list[list[Slot]] = [[(0, ())] * count for count in slots.free.tolist()]
        return cls(slots.place[line].tolist(), free, slots.debt.tolist(), [()] * len(free), [[] for _ in free])


@dataclass(slots=True, eq=False)
class Desk:
    """Hosts ask, and are served or parked where they lack a slot; who gets one back is asked again.

    A host's number is its place in line: the least goes first.
    """

    counters: list[_Counter]
    recalled: list[int] = field(default_factory=list)
    """Hosts that should ask again now."""
    _pairs: list[int] = field(default_factory=list)
    """A host, one whose slot it got, and so on."""

    @classmethod
    def of(cls, problem: Problem, line: Numbers) -> Desk:
        """All slots that are free when the plan begins; `line` has the hosts in the order in which they are to go."""
        return cls([_Counter.of(slots, line) for slots in problem.slots])

    def givers(self) -> Numbers:
        """Pairs of a host and one whose slot it got."""
        return np.array(self._pairs, np.int64).reshape(-1, 2)

    def pass_gate(self, now: int) -> None:
        """Everybody waits for the gate, and so for all that was before."""
        for counter in self.counters:
            counter.free = [[(now, ())] * len(free) for free in counter.free]
            counter.owed = [owed if debt else () for owed, debt in zip(counter.owed, counter.debt, strict=True)]

    def give_back(self, host: int, now: int) -> None:
        """A host is uncordoned."""
        for counter in self.counters:
            place = counter.place[host]
            if counter.debt[place]:
                counter.debt[place] -= 1
                counter.owed[place] += (host,)
                continue
            counter.free[place].append((now, (host, *counter.owed[place])))
            self._recall(counter, place)

    def serve(self, host: int) -> int | None:
        """Give a host a slot in every scope, and say since when it could have them all; or park it where it gets none."""
        for number, counter in enumerate(self.counters):
            place = counter.place[host]
            if not counter.free[place]:
                heapq.heappush(counter.parked[place], host)
                for other in self.counters[:number]:
                    self._recall(other, other.place[host])
                return None
        since = 0
        for counter in self.counters:
            when, givers = counter.free[counter.place[host]].pop()
            since = max(since, when)
            for giver in givers:
                self._pairs += (host, giver)
        return since

    def _recall(self, counter: _Counter, place: int) -> None:
        if counter.parked[place]:
            self.recalled.append(heapq.heappop(counter.parked[place]))

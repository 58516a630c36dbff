"""Who hands out the slots of max-unavailable, in the order of time."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field

from fleetplan.planner.problem import Problem, Slots

Entry = tuple[int, int, int]
"""A host that waits for its slots: its wave, its rank in it (the least goes first), its number."""

Slot = tuple[int, tuple[int, ...]]
"""From when on a slot is free, and the hosts whose uncordon made it so."""


@dataclass(slots=True, eq=False)
class _Counter:
    """The slots of one scope, by place."""

    place: list[int]
    free: list[deque[Slot]]
    debt: list[int]
    """Held hosts that must come back before anything is free."""
    owed: list[tuple[int, ...]]
    """Those that came back to pay it: whoever takes a slot there waits for them, too."""
    parked: list[list[Entry]]

    @classmethod
    def of(cls, slots: Slots) -> _Counter:
        """All slots free from the start."""
        free: list[deque[Slot]] = [deque([(0, ())] * count) for count in slots.free.tolist()]
        return cls(slots.place.tolist(), free, slots.debt.tolist(), [()] * len(free), [[] for _ in free])


@dataclass(slots=True, eq=False)
class Desk:
    """Hosts ask, and are served or parked where they lack a slot; who gets one back is asked again."""

    counters: list[_Counter]
    givers: list[tuple[int, int]] = field(default_factory=list)
    """Pairs of a host and one whose slot it got."""
    recalled: list[Entry] = field(default_factory=list)
    """Hosts that should ask again now."""

    @classmethod
    def of(cls, problem: Problem) -> Desk:
        """All slots that are free when the plan begins."""
        return cls([_Counter.of(slots) for slots in problem.slots])

    def pass_gate(self, now: int) -> None:
        """Everybody waits for the gate, and so for all that was before."""
        for counter in self.counters:
            counter.free = [deque([(now, ())] * len(free)) for free in counter.free]
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

    def serve(self, entry: Entry) -> int | None:
        """Give a host a slot in every scope, and say since when it could have them all; or park it where it gets none."""
        host = entry[2]
        found: list[_Counter] = []
        for counter in self.counters:
            place = counter.place[host]
            if not counter.free[place]:
                heapq.heappush(counter.parked[place], entry)
                for other in found:
                    self._recall(other, other.place[host])
                return None
            found.append(counter)
        since = 0
        for counter in found:
            when, givers = counter.free[counter.place[host]].pop()
            since = max(since, when)
            self.givers.extend((host, giver) for giver in givers)
        return since

    def _recall(self, counter: _Counter, place: int) -> None:
        if counter.parked[place]:
            self.recalled.append(heapq.heappop(counter.parked[place]))

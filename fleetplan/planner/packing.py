"""Where guests land: best fit over the landing places of a pool, with anti-affinity, all or nothing per host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from fleetplan.migration.classes import GuestClassId
from fleetplan.migration.reasons import Verdict
from fleetplan.planner.problem import Problem

Landing = tuple[int, int]
"""guest, host."""


class Placement:
    """Who is where, and what is free, as the waves go on. All changes can be taken back until `keep`."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self.kind: list[GuestClassId] = list(problem.classes.guests)
        self.at = list(problem.on)
        self.host_class = list(problem.classes.hosts_now)
        self.used: NDArray[np.int64] = np.zeros((len(problem.hosts), 2), np.int64)
        self.members = Counter[tuple[str, str]]()
        """Members of groups kept apart, by group and place."""
        for guest, host in enumerate(problem.on):
            record = problem.guests[guest]
            self.used[host] += (record.vcpus, record.memory_mib)
            place = problem.place(guest, host)
            if place is not None:
                self.members[place] += 1
        self.room: NDArray[np.int64] = np.array(problem.room, np.int64).reshape(-1, 2)
        self.verdicts: dict[tuple[int, int, int], Verdict] = {}
        """Of every move that was kept: guest, source, destination."""
        self._left: list[tuple[str, str]] = []

    def load(self, guests: Iterable[int]) -> tuple[int, int]:
        """The vCPUs and the MiB of guests."""
        records = [self._problem.guests[guest] for guest in guests]
        return sum(record.vcpus for record in records), sum(record.memory_mib for record in records)

    def place_all(self, guests: list[int], places: NDArray[np.int64]) -> tuple[list[Landing], list[int]]:
        """Land guests, the largest first, each where the least room is left over; returns landings and who found no place.

        `places` are host indices. Landings are entered at once; `take_back` undoes them.
        """
        order = sorted(guests, key=lambda guest: (-self._problem.guests[guest].memory_mib, -self._problem.guests[guest].vcpus, guest))
        landings: list[Landing] = []
        homeless: list[int] = []
        for guest in order:
            host = self._best(guest, places)
            if host is None:
                homeless.append(guest)
            else:
                self._enter(guest, host)
                landings.append((guest, host))
        return landings, homeless

    def take_back(self, landings: Iterable[Landing]) -> None:
        """Undo landings that were not kept."""
        for guest, host in landings:
            record = self._problem.guests[guest]
            self.used[host] -= (record.vcpus, record.memory_mib)
            place, here = self._problem.place(guest, host), self._problem.place(guest, self.at[guest])
            if place is not None and place != here:
                self.members[place] -= 1

    def keep(self, landings: Iterable[Landing]) -> None:
        """The guests have left where they were: their classes follow, and their places there become free when the wave ends."""
        for guest, host in landings:
            source = self.at[guest]
            record = self._problem.guests[guest]
            hop = self._problem.classes.hop(self.kind[guest], self.host_class[source], self.host_class[host])
            self.kind[guest] = hop.after
            self.verdicts[guest, source, host] = hop.verdict
            self.used[source] -= (record.vcpus, record.memory_mib)
            place, there = self._problem.place(guest, source), self._problem.place(guest, host)
            if place is not None and place != there:
                self._left.append(place)
            self.at[guest] = host

    def end_wave(self) -> None:
        """What was left in this wave may be taken in the next."""
        for place in self._left:
            self.members[place] -= 1
        self._left.clear()

    def _enter(self, guest: int, host: int) -> None:
        record = self._problem.guests[guest]
        self.used[host] += (record.vcpus, record.memory_mib)
        place, here = self._problem.place(guest, host), self._problem.place(guest, self.at[guest])
        if place is not None and place != here:
            self.members[place] += 1

    def _best(self, guest: int, places: NDArray[np.int64]) -> int | None:
        """The landing place that the guest fits best: least memory left, then least vCPUs, then the first name."""
        record = self._problem.guests[guest]
        free = self.room[places] - self.used[places]
        fits = np.flatnonzero((free[:, 0] >= record.vcpus) & (free[:, 1] >= record.memory_mib))
        if not fits.size:
            return None
        left = free[fits] - (record.vcpus, record.memory_mib)
        for nth in np.lexsort((fits, left[:, 0], left[:, 1])):
            host = int(places[fits[nth]])
            if self._suits(guest, host):
                return host
        return None

    def _suits(self, guest: int, host: int) -> bool:
        """Verdict, `allow` and `deny`, and anti-affinity; not on the host where it is."""
        here = self.at[guest]
        if host == here or not self._problem.classes.hop(self.kind[guest], self.host_class[here], self.host_class[host]).allowed:
            return False
        place = self._problem.place(guest, host)
        if place is not None and place != self._problem.place(guest, here) and self.members[place]:
            return False
        return not self._problem.is_choosy(guest) or self._problem.may_land(guest, host)

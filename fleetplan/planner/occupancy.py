"""Who is where, and what is free, as the waves go on.

Within a wave guests take room on both ends. So a landing is *entered* (it takes room and a place in its group at once), may be *withdrawn*,
and when the wave is over it is *settled*: only then is free again what was left.
"""

from __future__ import annotations

import numpy as np

from fleetplan.planner.amounts import add, rows, subtract
from fleetplan.planner.grouping import Runs
from fleetplan.planner.problem import Fate, Problem
from fleetplan.rollout.columns import NONE, Codes, Flags, Ints, Numbers, Places


class Occupancy:
    """The fleet between two waves, and the landings of the wave that is being made."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.size = problem.guests.size
        self.at: Places = problem.guests.on.copy()
        """Where each guest is when the wave begins."""
        self.goal: Places = np.full(len(self.at), NONE, np.int32)
        """Where it lands in this wave."""
        self.kind: Places = problem.guests.kind.copy()
        self.host_class: Places = problem.now.copy()
        hosts = len(problem.hosts.names)
        self.used: Numbers = _sums(self.at, self.size, hosts)
        moving = np.flatnonzero((problem.fate == Fate.MOVE) & problem.pending[self.at])
        self.load: Numbers = _sums(self.at[moving], self.size[moving], hosts)
        """What the guests take that must leave a pending host."""
        self.mover_count: Numbers = np.bincount(self.at[moving], minlength=hosts)
        self._moves = np.zeros(len(self.at), np.bool_)
        self._moves[moving] = True
        self._movers: Runs | None = None
        self.open: Flags = problem.upgraded.copy()
        """Upgraded hosts, which take guests."""
        self._guests_there: Numbers = np.bincount(self.at, minlength=hosts)
        """Guests of open hosts, but for those that stayed while their host was upgraded."""
        self.seeded: Places = np.zeros(0, np.int32)
        """Guests that moved to an old host, and must move again."""
        self._in_wave: list[Places] = []

    # --- asking -------------------------------------------------------------------------------------------------------------------

    def free(self, hosts: Ints) -> Numbers:
        """What landings may still take of hosts; nothing where a host is over-committed."""
        free: Numbers = np.maximum(rows(self.problem.room, hosts) - rows(self.used, hosts), 0)
        return free

    def vacated(self, hosts: Ints) -> Numbers:
        """What landings may take of hosts once they are empty but for the guests that stay."""
        room: Numbers = np.maximum(rows(self.problem.room, hosts) - rows(self.used, hosts) + rows(self.load, hosts), 0)
        return room

    def whole(self, hosts: Places) -> Places:
        """Those of some hosts that are open, and on which nobody has landed."""
        found: Places = hosts[self.open[hosts] & (self._guests_there[hosts] == 0)]
        return found

    @property
    def movers(self) -> Runs:
        """Guests that must leave, by the pending host that they are on."""
        if self._movers is None:
            owner = np.where(self._moves, self.at, NONE).astype(np.int32)
            self._movers = Runs.of(owner, len(self.used))
        return self._movers

    def clashes(self, guests: Ints, hosts: Ints) -> Flags:
        """Which landings bring a member of a group where another is, was when the wave began, or lands; of two that meet, the later."""
        problem = self.problem
        group = problem.guests.group[guests]
        found = np.zeros(len(guests), np.bool_)
        some = np.flatnonzero(group != NONE)
        if not len(some):
            return found
        own = group[some]
        there, here = problem.place(own, hosts[some]), problem.place(own, self.at[guests[some]])
        some, own, there = some[there != here], own[there != here], there[there != here]
        key = _key(own, there)
        order = np.argsort(key, kind="stable")
        key = key[order]
        meets = np.zeros(len(key), np.bool_)
        meets[1:] = key[1:] == key[:-1]
        taken = self._taken(own, there)
        at = np.searchsorted(key, taken)
        at = at[np.append(key, NONE)[at] == taken]
        meets[at] = True
        found[some[order]] = meets
        return found

    def _taken(self, groups: Ints, places: Ints) -> Numbers:
        """Which of these places members of these groups have or take, with their groups."""
        problem = self.problem
        touched = np.zeros(len(problem.guests.group_names), np.bool_)
        touched[groups] = True
        asked = np.zeros(len(problem.hosts.names), np.bool_)
        asked[places] = True
        some = np.flatnonzero(touched)
        members = problem.members.many(some)
        group = np.repeat(some, problem.members.count(some))
        standing, goal = problem.place(group, self.at[members]), self.goal[members]
        landing = np.flatnonzero(goal != NONE)
        landed = problem.place(group[landing], goal[landing])
        stand, land = np.flatnonzero(asked[standing]), np.flatnonzero(asked[landed])
        return np.concatenate((_key(group[stand], standing[stand]), _key(group[landing[land]], landed[land])))

    def suits(self, guest: int, hosts: Ints) -> Flags:
        """For one guest: on which hosts it would meet no fellow, or share the place that it shares already."""
        problem = self.problem
        group = int(problem.guests.group[guest])
        if group == NONE:
            return np.ones(len(hosts), np.bool_)
        fellows = problem.members.one(group)
        fellows = fellows[fellows != guest]
        taken = np.concatenate((self.at[fellows], self.goal[fellows][self.goal[fellows] != NONE]))
        of_group = np.full(1, group, np.int32)
        there, here = problem.place(of_group, hosts), problem.place(of_group, self.at[guest : guest + 1])
        suits: Flags = ~np.isin(there, problem.place(of_group, taken)) | (there == here[0])
        return suits

    # --- landings -----------------------------------------------------------------------------------------------------------------

    def enter(self, guests: Places, hosts: Places) -> None:
        """Guests land on hosts in this wave."""
        self.goal[guests] = hosts
        add(self.used, hosts, rows(self.size, guests))
        np.add.at(self._guests_there, hosts, 1)

    def withdraw(self, guests: Places) -> None:
        """They do not, after all."""
        subtract(self.used, self.goal[guests], rows(self.size, guests))
        np.subtract.at(self._guests_there, self.goal[guests], 1)
        self.goal[guests] = NONE

    def settle(self, hosts: Places, guests: Places) -> Codes:
        """The wave is over: guests are where they landed, and its hosts are open. The verdicts of the moves."""
        problem = self.problem
        source, goal = self.at[guests], self.goal[guests]
        _, after, verdict = problem.hops.look(self.kind[guests], self.host_class[source], self.host_class[goal])
        self.kind[guests] = after
        self.used[hosts] -= self.load[hosts]
        self.load[hosts] = 0
        self.mover_count[hosts] = 0
        self.at[guests] = goal
        self.goal[guests] = NONE
        again = ~self.open[goal]
        self._moves[guests] = again
        self._seed(guests[again], goal[again])
        self.open[hosts] = True
        self._guests_there[hosts] = 0
        self.host_class[hosts] = problem.then[hosts]
        return verdict

    def _seed(self, guests: Places, hosts: Places) -> None:
        """Guests that landed on old hosts must leave those, too."""
        if len(guests):
            add(self.load, hosts, rows(self.size, guests))
            np.add.at(self.mover_count, hosts, 1)
            self._movers = None


def fewest_first(occupancy: Occupancy, hosts: Places) -> Places:
    """Hosts in the order of the guests that must leave them, and then of their load."""
    load = occupancy.load[hosts]
    ordered: Places = hosts[np.lexsort((hosts, *load.T, occupancy.mover_count[hosts]))]
    return ordered


def _key(group: Ints, place: Ints) -> Numbers:
    key: Numbers = group.astype(np.int64) << 32 | place
    return key


def _sums(owner: Places, size: Numbers, owners: int) -> Numbers:
    """Sizes summed by owner."""
    columns = [np.bincount(owner, size[:, resource], owners) for resource in range(size.shape[1])]
    return np.stack(columns, axis=1).astype(np.int64)

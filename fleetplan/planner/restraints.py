"""What restrains guests beside room and verdicts: copies that must end, groups that stay together, groups that bear few disruptions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fleetplan.fleet.model import Fleet, GroupName, Scope
from fleetplan.fleet.policy import Converge
from fleetplan.rollout.columns import NONE, Flags, FleetColumns, Numbers, Places
from fleetplan.rollout.copying import SLOWEST_SHARE
from fleetplan.rollout.durations import best_links, copies_end, migrations_s

SCALE = tuple(Scope)
"""Places of each scope are numbered by host, rack or zone."""


def groups_of(fleet: Fleet, names: list[GroupName]) -> Places:
    """By guest, the place of its group in a list; NONE if it is in none of them."""
    number = {name: place for place, name in enumerate(names)}
    known = np.array([*(number.get(name, NONE) for name in fleet.guests.group_names), NONE], np.int32)
    found: Places = known[np.asarray(fleet.guests.group, np.int32)]
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Tolerance:
    """How many members of a group may be disrupted at a time; `group` numbers the groups that say so, by guest."""

    names: list[GroupName]
    group: Places
    limit: Numbers

    @classmethod
    def of(cls, fleet: Fleet) -> Tolerance:
        """The limits of a fleet."""
        shares = {name: group.max_disrupted for name, group in sorted(fleet.groups.items()) if group.max_disrupted is not None}
        group = groups_of(fleet, list(shares))
        whole = np.bincount(group[group != NONE], minlength=len(shares)).tolist()
        return cls(list(shares), group, np.array([share.of(count) for share, count in zip(shares.values(), whole, strict=True)], np.int64))

    def stop_too_many(self, restarting: Flags, on: Places) -> Flags:
        """Guests that would restart with their host together with more of their group than may be stopped at a time."""
        found = np.zeros(len(restarting), np.bool_)
        some = np.flatnonzero(restarting & (self.group != NONE))
        if len(some):
            _, crowd, count = np.unique(on[some].astype(np.int64) << 32 | self.group[some], return_inverse=True, return_counts=True)
            found[some] = count[crowd] > self.limit[self.group[some]]
        return found

    def never_move(self) -> Flags:
        """Members of groups that bear no disruption at all."""
        found: Flags = (self.group != NONE) & (np.append(self.limit, 1)[self.group] == 0)
        return found


class Together:
    """Groups whose members stay in the places that they share.

    Where a place has members on several hosts, each stays in the place, whatever becomes of the others: `home`. Where all members of a
    place are on one host they leave it for one host: they are a `unit`.
    """

    def __init__(self, fleet: Fleet, columns: FleetColumns) -> None:
        self._columns = columns
        count = len(columns.guests.names)
        self.home: Places = np.full(count, NONE, np.int32)
        """By guest, the place that it stays in, as `place` numbers those of its scope."""
        self.scope: Places = np.full(count, NONE, np.int32)
        """By guest with a home, the scope of that."""
        self.unit: Places = np.full(count, NONE, np.int32)
        self._rest: dict[int, tuple[int, int]] = {}
        """By unit, its scope and place."""
        self.any = any(group.together is not None for group in fleet.groups.values())
        if self.any:
            self._find(fleet)

    def place(self, scope: int) -> Places:
        """By host, its place in a scope."""
        hosts = self._columns.hosts
        return {Scope.HOST: np.arange(len(hosts.names), dtype=np.int32), Scope.RACK: hosts.rack, Scope.ZONE: hosts.zone}[SCALE[scope]]

    def _find(self, fleet: Fleet) -> None:
        on, units = self._columns.guests.on, 0
        for number, scope in enumerate(SCALE):
            names = sorted(name for name, group in fleet.groups.items() if group.together is scope)
            group = groups_of(fleet, names)
            some = np.flatnonzero(group != NONE)
            place = self.place(number)[on[some]]
            _, cluster = np.unique(group[some].astype(np.int64) << 32 | place, return_inverse=True)
            least, most = (np.full(len(some) + 1, start, np.int64) for start in (len(self._columns.hosts.names), NONE))
            np.minimum.at(least, cluster, on[some])
            np.maximum.at(most, cluster, on[some])
            spread = (least < most)[cluster]
            self.home[some[spread]], self.scope[some[spread]] = place[spread], number
            several = ~spread & (np.bincount(cluster, minlength=len(some) + 1)[cluster] > 1)
            self.unit[some[several]] = cluster[several] + units
            self._rest |= {
                units + own: (number, there) for own, there in zip(cluster[several].tolist(), place[several].tolist(), strict=True)
            }
            units += len(some)

    def stay_with(self, restarting: Flags) -> Flags:
        """Guests that must not leave their host, because a fellow that restarts there does not.

        Where the place is a rack or zone, fellows that leave stay in it.
        """
        mixed = np.isin(self.unit, np.unique(self.unit[restarting & (self.unit != NONE)]))
        stay = np.zeros(len(mixed), np.bool_)
        for guest in np.flatnonzero(mixed).tolist():
            scope, place = self._rest[int(self.unit[guest])]
            stay[guest] = SCALE[scope] is Scope.HOST
            if not stay[guest]:
                self.unit[guest], self.scope[guest], self.home[guest] = NONE, scope, place
        return stay

    def allows(self, guest: int) -> Flags:
        """For each host, whether a guest that has a home stays in it there."""
        allowed: Flags = self.place(int(self.scope[guest])) == self.home[guest]
        return allowed


class Copies:
    """Which copies end."""

    def __init__(self, fleet: Fleet, columns: FleetColumns, serving: Flags) -> None:
        self._converge = fleet.policy.converge
        self._hosts, self._guests = columns.hosts, columns.guests
        self._serving = serving

    def _end(self, link: Numbers) -> Flags:
        guests = self._guests
        return copies_end(guests.size[:, 1], guests.dirty_rate_mib_s, link, self._converge)

    @cached_property
    def can(self) -> Flags:
        """Guests whose copy ends over the fastest link that there is for them."""
        return self._end(self.link_mib_s)

    @cached_property
    def link_mib_s(self) -> Numbers:
        """By guest, the rate of the fastest link from its host to another of the pool that serves; 0 if there is none."""
        hosts = self._hosts
        return best_links(hosts.bandwidth_mib_s, hosts.pool, self._serving)[self._guests.on]

    def numbers(self, guest: int) -> dict[str, int]:
        """What decides whether the copy of a guest ends over its fastest link."""
        link, dirty = int(self.link_mib_s[guest]), int(self._guests.dirty_rate_mib_s[guest])
        found = {"dirties_mib_s": dirty, "link_mib_s": link, "ends_up_to_mib_s": link - -(-link // SLOWEST_SHARE)}
        if self._converge.throttle or dirty <= found["ends_up_to_mib_s"]:
            found["takes_s"] = self.takes_s(guest)
        if self._converge.within_s is not None:
            found["within_s"] = self._converge.within_s
        return found

    def takes_s(self, guest: int) -> int:
        """Seconds of the copy over the fastest link, throttled where it would not end otherwise."""
        some = slice(guest, guest + 1)
        return int(migrations_s(self._guests.size[some, 1], self._guests.dirty_rate_mib_s[some], self.link_mib_s[some])[0])

    def remedy(self, guests: list[int]) -> Converge | None:
        """The least change of policy with which the copies of some guests end; None: no such change does it, or none is needed."""
        guests = [guest for guest in guests if self._guests.migratable[guest] and not self.can[guest] and self.link_mib_s[guest]]
        if not guests:
            return None
        longest, now = max(map(self.takes_s, guests)), self._converge
        ends = all(self.numbers(guest)["dirties_mib_s"] <= self.numbers(guest)["ends_up_to_mib_s"] for guest in guests)
        within = now.within_s if now.within_s is None or longest <= now.within_s else longest
        return Converge(throttle=now.throttle or not ends, within_s=within)

    @cached_property
    def may_not(self) -> Flags:
        """Guests whose copy ends, but not over every link of their pool."""
        hosts = self._hosts
        slowest = np.full(len(hosts.pool_names), np.iinfo(np.int64).max, np.int64)
        np.minimum.at(slowest, hosts.pool, hosts.bandwidth_mib_s)
        rate, on = hosts.bandwidth_mib_s, self._guests.on
        some: Flags = self.can & ~self._end(np.minimum(rate[on], slowest[hosts.pool[on]]))
        return some

    def allows(self, guest: int) -> Flags:
        """For each host, whether the copy of a guest ends that goes there from where it is at the start."""
        rate, guests = self._hosts.bandwidth_mib_s, self._guests
        link = np.minimum(rate, rate[guests.on[guest]])
        memory, dirty = (np.full(len(rate), column[guest], np.int64) for column in (guests.size[:, 1], guests.dirty_rate_mib_s))
        return copies_end(memory, dirty, link, self._converge)

    def halts(self, guest: int) -> Flags:
        """For each host, whether a guest that stops over there goes on as well as from where it is at the start."""
        rate = self._hosts.bandwidth_mib_s
        fast: Flags = rate >= rate[self._guests.on[guest]]
        return fast

"""Where guests land that find no whole host: best fit decreasing, a flavour at a time, with anti-affinity mended afterwards.

Guests of equal size and class are one flavour; how many of it a bin takes is a division, so a flavour is placed in one vector step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleetplan.planner.amounts import add, rows, total
from fleetplan.planner.grouping import distinct
from fleetplan.planner.occupancy import Occupancy
from fleetplan.rollout.columns import NONE, Flags, Numbers, Places

MOST_FLAVOURS = 256
"""Where sizes differ more than this, they are rounded up to be packed."""

GRAIN = 16
"""Sizes are rounded up to so many steps between powers of two."""

SWAPS = 24
"""Guests of one flavour with which a guest that meets a fellow is tried to be swapped."""


@dataclass(slots=True, eq=False)
class Bins:
    """Hosts that take guests. `free` is what is left of each; changed as guests are packed."""

    hosts: Places
    free: Numbers
    kept: Numbers
    """What stays free of each."""
    classes: Places
    """The distinct classes of the hosts."""
    class_at: Numbers
    """For each host, where its class stands in `classes`."""

    @classmethod
    def of(cls, occupancy: Occupancy, hosts: Places, ceiling_per_mille: int = 1000) -> Bins:
        """Hosts with what is free on them, filled up to a share of their room only."""
        classes = occupancy.host_class[hosts]
        first, class_at = distinct(classes)
        kept = occupancy.problem.room[hosts] * (1000 - ceiling_per_mille) // 1000
        bins = cls(hosts, kept, kept, classes[first], class_at)
        bins.recount(occupancy)
        return bins

    def recount(self, occupancy: Occupancy) -> None:
        """What is free, from who is there."""
        self.free = np.maximum(occupancy.free(self.hosts) - self.kept, 0)


def pack(occupancy: Occupancy, guests: Places, bins: Bins, *, spread: bool = False, whole: bool = False) -> Places:
    """Land as many of the guests as find room, and enter them; those that found none.

    Each lands where the least is left over, or, to `spread` streams over many receivers, on the emptiest first. Where only `whole` hosts
    count, it gives up once one guest is sure to find no place: then more are said to have found none than need be.
    O(flavours x bins + guests log guests) in numpy steps, and a step per guest that would meet a fellow of its group.
    """
    guests, parted = _pack_units(occupancy, guests, bins)
    if whole and len(parted):
        return np.concatenate((parted, guests))
    homeless, rounded = _pack(occupancy, guests, bins, spread=spread, exact=False, whole=whole)
    if rounded and len(homeless):
        bins.recount(occupancy)
        homeless, _ = _pack(occupancy, homeless, bins, spread=spread, exact=True, whole=whole)
    return np.concatenate((parted, homeless)) if len(parted) else homeless


def _pack_units(occupancy: Occupancy, guests: Places, bins: Bins) -> tuple[Places, Places]:
    """Land guests that leave their host for one host, each unit where the least is left over; all others, and who found no place."""
    of_unit = occupancy.problem.together.unit[guests]
    units = np.unique(of_unit[of_unit != NONE])
    if not len(units):
        return guests, guests[:0]
    parted = []
    for members in sorted((guests[of_unit == unit] for unit in units), key=lambda members: -int(occupancy.size[members].sum())):
        size = occupancy.size[members].sum(axis=0)
        fits = (bins.free >= size).all(axis=1)
        for member in members.tolist():
            fits &= allowed_on(occupancy, member, bins)
        fits = np.flatnonzero(fits)
        fits = fits[[not occupancy.clashes(members, np.repeat(bins.hosts[place], len(members))).any() for place in fits]]
        if len(fits):
            goal = int(fits[np.lexsort((fits, bins.free[fits].sum(axis=1)))[0]])
            bins.free[goal] -= size
            occupancy.enter(members, np.repeat(bins.hosts[goal], len(members)))
        else:
            parted.append(members)
    return guests[of_unit == NONE], np.concatenate(parted) if parted else guests[:0]


def _pack(occupancy: Occupancy, guests: Places, bins: Bins, *, spread: bool, exact: bool, whole: bool) -> tuple[Places, bool]:
    if not len(guests) or not len(bins.hosts):
        return guests, False
    goal = np.full(len(guests), NONE, np.int32)
    sizes, flavour, order, rounded = _flavours(occupancy, guests, exact=exact)
    by_flavour = np.argsort(flavour, kind="stable")
    ends = np.cumsum(np.bincount(flavour, minlength=len(sizes)))
    ranking = _ranking(occupancy, bins, guests, spread=spread)
    for number in order:
        members = by_flavour[ends[number - 1] if number else 0 : ends[number]]
        allowed = allowed_on(occupancy, int(guests[members[0]]), bins)
        goal[members] = found = _fill(bins, sizes[number], ranking, allowed, len(members), spread=spread)
        if whole and not rounded and found[-1] == NONE:
            return guests, rounded
    landed = np.flatnonzero(goal != NONE)
    met = landed[occupancy.clashes(guests[landed], bins.hosts[goal[landed]])]
    mending = _Mending(occupancy, guests, bins, goal, sizes, flavour)
    mending.enter_but(met)
    for guest in met.tolist():
        mending.mend(guest)
    return guests[mending.goal == NONE], rounded


def allowed_on(occupancy: Occupancy, guest: int, bins: Bins) -> Flags:
    """On which bins the verdict and its own rules let a guest land."""
    problem = occupancy.problem
    kind, source = int(occupancy.kind[guest]), int(occupancy.host_class[occupancy.at[guest]])
    hops = [problem.classes.hop(kind, source, there).allowed for there in bins.classes.tolist()]
    allowed = np.array(hops, np.bool_)[bins.class_at]
    if problem.choosy[guest]:
        allowed &= problem.may_land(guest)[bins.hosts]
    if problem.copies.may_not[guest]:
        allowed &= occupancy.open[bins.hosts] | problem.copies.halts(guest)[bins.hosts]
    return allowed


def _flavours(occupancy: Occupancy, guests: Places, *, exact: bool) -> tuple[Numbers, Numbers, list[int], bool]:
    """The sizes of the flavours, the flavour of each guest, the flavours from the largest on, and whether sizes are rounded up."""
    problem = occupancy.problem
    size, kind, source = occupancy.size[guests], occupancy.kind[guests], occupancy.host_class[occupancy.at[guests]]
    own = problem.rule[guests]
    first, flavour = distinct(*size.T, kind, source, own)
    rounded = len(first) > MOST_FLAVOURS and not exact
    if rounded:
        size = _rounded_up(size)
        first, flavour = distinct(*size.T, kind, source, own)
    sizes = size[first]
    weight = (sizes / problem.largest).max(axis=1)
    order = np.lexsort((*-sizes.T, -weight))
    return sizes, flavour, order.tolist(), rounded


def _rounded_up(size: Numbers) -> Numbers:
    """Sizes with fewer distinct values, none smaller than it was."""
    step = np.maximum(1 << np.maximum(np.frexp(size)[1] - GRAIN.bit_length(), 0), 1)
    rounded: Numbers = -(-size // step) * step
    return rounded


def _ranking(occupancy: Occupancy, bins: Bins, guests: Places, *, spread: bool) -> Numbers:
    """Bins in the order in which they are filled: by what is free of the scarcer resource."""
    need, there = total(rows(occupancy.size, guests)), np.maximum(total(bins.free), 1)
    scarce = int(np.argmax(need / there))
    other = bins.free[:, 1 - scarce] if bins.free.shape[1] > 1 else bins.free[:, 0]
    key = bins.free[:, scarce]
    return np.lexsort((bins.hosts, -other, -key)) if spread else np.lexsort((bins.hosts, other, key))


def _fill(bins: Bins, size: Numbers, ranking: Numbers, allowed: Flags, count: int, *, spread: bool) -> Numbers:
    """Bins for so many guests of one size, NONE for those that find none; takes what they take off what is free."""
    needs = np.flatnonzero(size > 0)
    units = np.full(len(bins.hosts), count, np.int64)
    for resource in needs:
        units = np.minimum(units, bins.free[:, resource] // size[resource])
    units[~allowed] = 0
    ranked = ranking[units[ranking] > 0]
    if spread and len(ranked):
        most = -(-count // len(ranked))
        units = np.minimum(units, most if units[ranked].clip(max=most).sum() >= count else count)
    filled = np.cumsum(units[ranked])
    last = int(np.searchsorted(filled, count)) + 1
    ranked, taken = ranked[:last], units[ranked[:last]]
    if len(ranked) and filled[min(last, len(filled)) - 1] > count:
        taken[-1] -= filled[len(ranked) - 1] - count
    bins.free[ranked] -= taken[:, None] * size
    goal = np.full(count, NONE, np.int64)
    goal[: int(taken.sum())] = np.repeat(ranked, taken)
    return goal


@dataclass(slots=True, eq=False)
class _Mending:
    """A batch of packed guests, of which some would meet a fellow of their group."""

    occupancy: Occupancy
    guests: Places
    bins: Bins
    goal: Places
    sizes: Numbers
    flavour: Numbers

    def enter_but(self, met: Numbers) -> None:
        """Enter all that are packed, save those that would meet."""
        aside = self.goal[met]
        add(self.bins.free, aside, rows(self.sizes, self.flavour[met]))
        self.goal[met] = NONE
        landed = np.flatnonzero(self.goal != NONE)
        self.occupancy.enter(self.guests[landed], self.bins.hosts[self.goal[landed]])

    def mend(self, place: int) -> None:
        """Find a guest another bin, or one of its flavour to change with; else it stays without."""
        guest, size = int(self.guests[place]), self.sizes[self.flavour[place]]
        fits = np.flatnonzero((self.bins.free >= size).all(axis=1) & allowed_on(self.occupancy, guest, self.bins))
        fits = fits[self.occupancy.suits(guest, self.bins.hosts[fits])]
        if len(fits):
            left = self.bins.free[fits]
            self._land(place, int(fits[np.lexsort((fits, left.sum(axis=1)))[0]]))
        else:
            self._swap(place, size)

    def _swap(self, place: int, size: Numbers) -> None:
        """Take the bin of one of the same flavour, which goes where there is room for it."""
        guest, hosts = int(self.guests[place]), self.bins.hosts
        alike = np.flatnonzero((self.flavour == self.flavour[place]) & (self.goal != NONE))[:SWAPS]
        alike = alike[self.occupancy.suits(guest, hosts[self.goal[alike]]) & allowed_on(self.occupancy, guest, self.bins)[self.goal[alike]]]
        room = np.flatnonzero((self.bins.free >= size).all(axis=1))
        for other in alike.tolist():
            moved = int(self.guests[other])
            goes = room[self.occupancy.suits(moved, hosts[room]) & allowed_on(self.occupancy, moved, self.bins)[room]]
            goes = goes[goes != self.goal[other]]
            if len(goes):
                vacant = int(self.goal[other])
                self.occupancy.withdraw(self.guests[other : other + 1])
                self.bins.free[vacant] += size
                self._land(other, int(goes[0]))
                self._land(place, vacant)
                return

    def _land(self, place: int, goal: int) -> None:
        self.goal[place] = goal
        self.bins.free[goal] -= self.sizes[self.flavour[place]]
        self.occupancy.enter(self.guests[place : place + 1], self.bins.hosts[goal : goal + 1])

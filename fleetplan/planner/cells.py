"""Many cells under common budgets: each is planned for itself, in a lane with a share of what may be unavailable at once.

Lanes run side by side; the cells of one lane follow each other, the next when all of the one before has ended. A lane has its share to
itself, so the budgets hold whatever steps take, and cells need nothing of each other while they are planned. There are as many lanes as
cells, if the budgets have a host for each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from fleetplan.fleet.model import Fleet, Host, HostState
from fleetplan.fleet.policy import MaxUnavailable, Share

SCOPES: tuple[tuple[str, Callable[[Host], str]], ...] = (
    ("fleet", lambda _: ""),
    ("zone", lambda host: host.zone),
    ("rack", lambda host: host.rack),
)
"""What limits are about, and the place of a host in it."""
GOES = frozenset({HostState.UP, HostState.CORDONED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a cell is planned: in which lane, and with which limits. `policy` of its inventory, made as tight as its share is."""

    name: str
    lane: int
    limits: MaxUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhausted:
    """Hosts that are unavailable already leave nothing of a budget."""

    scope: str
    place: str
    limit: int
    unavailable: int


class Scheduled(msgspec.Struct, frozen=True, kw_only=True):
    """A cell in the rollout of all: it begins when `after` has ended, at `starts_s` by forecast. `plan` is JSON, as it was made."""

    name: str
    after: str | None
    starts_s: int
    ends_s: int
    max_unavailable: MaxUnavailable
    hosts: int
    waves: int
    moves: int
    plan: bytes


@dataclass(frozen=True, slots=True)
class _Place:
    """One place with a limit: by cell how many of its hosts are there, wait for their upgrade, and are unavailable."""

    scope: str
    name: str
    hosts: Mapping[str, int]
    pending: Mapping[str, int]
    away: Mapping[str, int]
    limit: int

    @property
    def free(self) -> int:
        """What is left of the budget."""
        return self.limit - sum(self.away.values())


def terms(cells: Mapping[str, Fleet], budget: MaxUnavailable) -> tuple[Terms, ...] | Exhausted:
    """Divide budgets among cells, in the order of their names. Deterministic. O(hosts + cells * lanes)."""
    places = [place for scope, where in SCOPES for place in _places(cells, scope, where, getattr(budget, scope))]
    for place in places:
        if place.free < 1 and any(place.pending.values()):
            return Exhausted(scope=place.scope, place=place.name, limit=place.limit, unavailable=place.limit - place.free)
    work = {name: sum(pending(fleet, host) for host in fleet.hosts) for name, fleet in cells.items()}
    spans = [place.free for place in places if sum(count > 0 for count in place.pending.values()) > 1]
    lanes = _lanes(work, max(min((len(cells), *spans)), 1))
    shares = [_shares(place, lanes, max(lanes.values(), default=0) + 1) for place in places]
    return tuple(
        Terms(name=name, lane=lanes[name], limits=_limits(name, fleet, lanes[name], list(zip(places, shares, strict=True))))
        for name, fleet in sorted(cells.items())
    )


def tightened(fleet: Fleet, limits: MaxUnavailable) -> Fleet:
    """A fleet under the limits of its terms."""
    return replace(fleet, policy=replace(fleet.policy, max_unavailable=limits))


def starts(those: Sequence[Terms], makespans_s: Mapping[str, int], work: Mapping[str, int]) -> dict[str, tuple[str | None, int]]:
    """By cell, the cell whose end it waits for, and when that is by forecast. Of a lane, those with the most hosts to upgrade go first."""
    last: dict[int, tuple[str | None, int]] = {}
    found: dict[str, tuple[str | None, int]] = {}
    for each in sorted(those, key=lambda each: (-work[each.name], each.name)):
        before, at_s = last.get(each.lane, (None, 0))
        found[each.name] = (before, at_s)
        last[each.lane] = (each.name, at_s + makespans_s[each.name])
    return found


def pending(fleet: Fleet, host: Host) -> bool:
    """Whether a host is still to be upgraded."""
    return host.release != fleet.target and host.state in GOES


def _places(cells: Mapping[str, Fleet], scope: str, where: Callable[[Host], str], share: Share | None) -> list[_Place]:
    if share is None:
        return []
    hosts: dict[str, Counter[str]] = {}
    waiting: dict[str, Counter[str]] = {}
    away: dict[str, Counter[str]] = {}
    for name, fleet in cells.items():
        for host in fleet.hosts:
            place = where(host)
            hosts.setdefault(place, Counter())[name] += 1
            waiting.setdefault(place, Counter())[name] += pending(fleet, host)
            away.setdefault(place, Counter())[name] += host.state is not HostState.UP
    return [
        _Place(scope, place, hosts[place], waiting[place], away[place], share.of(sum(hosts[place].values()))) for place in sorted(hosts)
    ]


def _lanes(work: Mapping[str, int], number: int) -> dict[str, int]:
    """The lane of each cell: the largest first, each to the lane that has least to do."""
    load = [0] * number
    found: dict[str, int] = {}
    for name in sorted(work, key=lambda name: (-work[name], name)):
        lane = load.index(min(load))
        found[name] = lane
        load[lane] += max(work[name], 1)
    return found


def _shares(place: _Place, lanes: Mapping[str, int], number: int) -> list[int]:
    """What each lane has of a place: one host, if it has anything to do there, and the rest in proportion to what it has to do."""
    load = [0] * number
    for name, count in place.pending.items():
        load[lanes[name]] += count
    shares = [int(todo > 0) for todo in load]
    for _ in range(min(place.free - sum(shares), sum(load))):
        lane = max(range(number), key=lambda lane: (load[lane] / (shares[lane] + 1), -lane))
        shares[lane] += 1
    return shares


def _limits(name: str, fleet: Fleet, lane: int, places: list[tuple[_Place, list[int]]]) -> MaxUnavailable:
    """The limits of a cell: its own, and its lane's shares beside those of its hosts that are unavailable anyway."""
    own = fleet.policy.max_unavailable
    found: dict[str, Share | None] = {scope: getattr(own, scope) for scope, _ in SCOPES}
    for scope, _ in SCOPES:
        share = found[scope]
        counts = [
            min(shares[lane] + place.away[name], place.hosts[name] if share is None else share.of(place.hosts[name]))
            for place, shares in places
            if place.scope == scope and place.pending.get(name)
        ]
        if counts:
            found[scope] = Share(count=min(counts))
    return MaxUnavailable(**found)

"""Small fleets for the planner, made in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, combinations, product
from random import Random
from typing import Any

import pytest

from fleetplan.fleet.model import Birth, Fleet, Group, GroupName, Guest, GuestName, Host, HostFacts, HostName, HostState, Release, Scope
from fleetplan.fleet.policy import GateRule, Immovable, MaxUnavailable, Policy, Share
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.exact.case import case_of

OLD, NEW = Release("6.12.117", "qemu-11.1.3"), Release("6.18.15", "qemu-11.1.3")
OFTEN = 99
N1 = HostFacts(midr=0x413FD0C1, revidr=0, cmdline="quiet")


class Make:
    """Builds fleets."""

    def host(self, name: str, vcpus: int = 8, **fields: Any) -> Host:
        fields.setdefault("release", OLD)
        fields.setdefault("memory_mib", 16_384)
        return Host(name=HostName(name), vcpus=vcpus, facts=N1, **fields)

    def guest(self, name: str, on: str, vcpus: int = 2, **fields: Any) -> Guest:
        fields.setdefault("memory_mib", 1024)
        fields.setdefault("born", Birth(kernel=OLD.kernel))
        return Guest(name=GuestName(name), on=HostName(on), vcpus=vcpus, **fields)

    def fleet(self, hosts: list[Host], guests: list[Guest], *, apart: Scope = Scope.HOST, **policy: Any) -> Fleet:
        policy.setdefault("max_unavailable", MaxUnavailable(fleet=Share(count=1)))
        names = sorted({guest.group for guest in guests if guest.group is not None})
        return Fleet(
            target=NEW,
            hosts=tuple(sorted(hosts, key=lambda host: host.name)),
            guests=tuple(sorted(guests, key=lambda guest: guest.name)),
            groups={GroupName(name): Group(name=GroupName(name), apart=apart) for name in names},
            policy=Policy(**policy),
        )


State = tuple[frozenset[int], tuple[int, ...]]
"""Hosts that are upgraded, and where each guest that must move is."""


class Brute:
    """All plans of a tiny case, one after the other."""

    def __init__(self, fleet: Fleet) -> None:
        self.case = case_of(fleet, ClassTable(fleet))
        self.lots = [lot for lot in self.case.lots for _ in lot.guests]
        self.start = (frozenset(self.case.opened), tuple(lot.source for lot in self.lots))
        self.end = frozenset((*self.case.opened, *self.case.pending))

    def fits(self, before: tuple[int, ...], after: tuple[int, ...]) -> bool:
        """Room and groups on hosts where somebody lands, both ends of every move counted."""
        case = self.case
        for host in {there for here, there in zip(before, after, strict=True) if here != there}:
            on = [place for place, pair in enumerate(zip(before, after, strict=True)) if host in pair]
            if any(sum(self.lots[guest].size[resource] for guest in on) > case.room[host][resource] for resource in (0, 1)):
                return False
        return not any(self.meets(guest, before, after) for guest in range(len(after)) if before[guest] != after[guest])

    def meets(self, guest: int, before: tuple[int, ...], after: tuple[int, ...]) -> bool:
        group = self.lots[guest].group
        if group is None:
            return False
        places = self.case.places[group]
        there = places[after[guest]]
        others = [other for other, lot in enumerate(self.lots) if lot.group == group and other != guest]
        near = any(there in {places[before[other]], places[after[other]]} for other in others)
        stays = any(name == group and places[host] == there for name, host in self.case.standing)
        return there != places[before[guest]] and (near or stays)

    def landings(self, state: State, hosts: tuple[int, ...], *, seeds: bool) -> Iterator[tuple[int, ...]]:
        """Ways to empty some hosts at once."""
        done, at = state
        choices = []
        for lot, here in zip(self.lots, at, strict=True):
            takes = {*lot.goals, lot.source} if lot.returns else set(lot.goals)
            waits = {host for host in lot.halts if host not in done and host not in hosts} if seeds else set()
            choices.append(sorted((takes & done) | waits) if here in hosts else [here])
        return (after for after in product(*choices) if self.fits(at, after))

    def fewest_waves(self) -> int | None:
        """Breadth first; each guest moves once."""
        front, waves = {self.start}, 0
        while front:
            if any(done == self.end for done, _ in front):
                return waves
            waves += 1
            front = {
                (state[0] | set(hosts), after)
                for state in front
                for hosts in self.waves(state[0], waves)
                for after in self.landings(state, hosts, seeds=False)
            }
        return None

    def waves(self, done: frozenset[int], number: int) -> Iterator[tuple[int, ...]]:
        """Hosts that may go together."""
        left = [host for host in self.case.pending if host not in done]
        most = min([rule.hosts for rule in self.case.gates if rule.hosts and (rule.after or number) >= number], default=len(left))
        every = chain.from_iterable(combinations(left, count) for count in range(1, min(most, len(left)) + 1))
        return (hosts for hosts in every if all(self.free(limit, done, hosts) for limit in self.case.limits))

    def free_for(self, host: int, done: frozenset[int]) -> bool:
        return all(self.free(limit, done, (host,)) for limit in self.case.limits)

    @staticmethod
    def free(limit: Any, done: frozenset[int], hosts: tuple[int, ...]) -> bool:
        taking = [host for host in hosts if host in limit.hosts and host not in limit.held]
        return not taking or len(taking) + len(set(limit.held) - done) <= limit.most

    def fewest_moves(self) -> int | None:
        """Over all orders of hosts; guests move as often as they like."""
        known: dict[State, int] = {self.start: 0}
        for _ in self.case.pending:
            further: dict[State, int] = {}
            for state, moves in known.items():
                for host in set(self.case.pending) - state[0]:
                    for after in self.landings(state, (host,), seeds=True) if self.free_for(host, state[0]) else ():
                        reached = (state[0] | {host}, after)
                        cost = moves + sum(here == host for here in state[1])
                        further[reached] = min(further.get(reached, OFTEN), cost)
            known = further
        return min(known.values(), default=None)


class Dice:
    """A tiny fleet by seed: most of them barely have room enough, or not quite."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - examples, not secrets

    def fleet(self, make: Any, *scopes: Scope) -> Fleet:
        pick = self.random.choice
        names = [f"h{number}" for number in range(pick([2, 3, 3, 4]))]
        hosts = [make.host(name, vcpus=pick([4, 6, 8]), zone=pick("xy"), state=self.state(), **self.release()) for name in names]
        guests = [self.guest(make, f"g{number}", names) for number in range(pick([2, 3, 4, 5]))]
        return make.fleet(
            hosts,
            guests,
            max_unavailable=MaxUnavailable(fleet=Share(count=pick([1, 2, 3])), zone=pick([None, Share(count=1)])),
            immovable=pick([Immovable.RESTART, Immovable.SKIP]),
            reserve_per_mille=pick([0, 0, 100]),
            gates=pick([(), (), (GateRule(after=1, hosts=1),), (GateRule(after=None, hosts=2),)]),
            apart=pick(scopes),
        )

    def guest(self, make: Any, name: str, hosts: list[str]) -> Any:
        pick = self.random.choice
        return make.guest(
            name,
            pick(hosts),
            vcpus=pick([1, 2, 2, 3, 4]),
            memory_mib=pick([1024, 4096, 7000]),
            group=pick([None, "w", "w"]),
            migratable=self.random.random() < 0.9,
            restartable=True,
            deny=pick([(), (), (), (pick(hosts),)]),
        )

    def state(self) -> HostState:
        return self.random.choice([HostState.UP] * 5 + [HostState.CORDONED, HostState.DOWN])

    def release(self) -> dict[str, Release]:
        return self.random.choice([{}, {}, {}, {"release": NEW}])


@pytest.fixture(scope="session")
def make() -> Make:
    return Make()


@pytest.fixture(scope="session")
def tiny(make: Make) -> Callable[..., Fleet]:
    """Tiny fleets by seed, with groups kept apart over one of some scopes."""
    return lambda seed, *scopes: Dice(seed).fleet(make, *scopes)


@pytest.fixture(scope="session")
def brute() -> Callable[[Fleet], Brute]:
    return Brute

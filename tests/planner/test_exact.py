"""The exact models against brute force on tiny fleets; and plans with them against plans without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain, combinations, product
from random import Random
from typing import Any

import pytest

from fleetplan.fleet.model import Fleet, HostState, Release, Scope
from fleetplan.fleet.policy import GateRule, Immovable, MaxUnavailable, Share
from fleetplan.inventory.plan_text import encode_plan
from fleetplan.judge.verify import verify
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.exact import improve
from fleetplan.planner.exact.case import Case, case_of
from fleetplan.planner.exact.orders import fewest_moves, provable
from fleetplan.planner.exact.solver import Allowance, Answer, SolverMissingError
from fleetplan.planner.exact.times import shortest
from fleetplan.planner.exact.waves import fewest_waves
from fleetplan.planner.search import plan
from fleetplan.rollout.durations import CHECK_S, UNCORDON_S
from fleetplan.rollout.plan import Among, Infeasible, Plan, PlanStatus

pytest.importorskip("ortools")

NEW = Release("6.18.15", "qemu-11.1.3")
SEEDS, FEWER = 200, 80
OFTEN = 99

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


# --- models ----------------------------------------------------------------------------------------------------------------------------


def test_waves_are_the_fewest_that_brute_force_finds(make: Any) -> None:
    seen = Counter[int | None]()
    for seed in range(SEEDS):
        brute = Brute(Dice(seed).fleet(make, Scope.HOST, Scope.ZONE))
        if brute.case.pending:
            found = fewest_waves(brute.case, Allowance(30), most=len(brute.case.pending))
            assert found.answer in {Answer.BEST, Answer.NONE}
            assert found.bound == brute.fewest_waves(), seed
            assert found.course is None or len(found.course.waves) == found.bound
            seen[found.bound] += 1
    assert min(seen[None], seen[1], seen[2], seen[3]) > 5, seen


def test_moves_are_the_fewest_that_brute_force_finds(make: Any) -> None:
    more = none = 0
    for seed in range(SEEDS):
        brute = Brute(Dice(seed).fleet(make, Scope.HOST, Scope.ZONE))
        if brute.case.pending and provable(brute.case, "default"):
            found = fewest_moves(brute.case, "default", Allowance(30))
            assert found.answer in {Answer.BEST, Answer.NONE}
            assert found.bound == brute.fewest_moves(), seed
            assert sum(len(step.goals) for step in found.steps) == (found.bound or 0)
            more += (found.bound or 0) > brute.case.movers
            none += found.bound is None
    assert min(more, none) > 5, (more, none)


def case(make: Any, hosts: list[Any], guests: list[Any], **policy: Any) -> Case:
    fleet = make.fleet(hosts, guests, **policy)
    return case_of(fleet, ClassTable(fleet))


def test_a_cordoned_host_takes_no_seeds(make: Any) -> None:
    guests = [make.guest("g1", "a"), make.guest("g2", "b"), make.guest("g3", "b")]
    for state, moves in ((HostState.UP, 4), (HostState.CORDONED, 5)):
        found = fewest_moves(case(make, [make.host("a"), make.host("b", state=state)], guests), "default", Allowance(30))
        assert (found.answer, found.bound) == (Answer.BEST, moves)


def test_time_is_that_of_hosts_that_wait_for_each_other(make: Any) -> None:
    """An empty host, a chain of two behind it, and one that cannot start before a gate."""
    hosts = [make.host(name, reboot_s=100, bandwidth_mib_s=100) for name in "abc"]
    guests = [make.guest("g1", "b", vcpus=8, memory_mib=1000), make.guest("g2", "c", vcpus=8, memory_mib=2000)]
    back = 100 + CHECK_S + UNCORDON_S
    three = MaxUnavailable(fleet=Share(count=3))
    for gates, soaks in (((), 0), ((GateRule(after=1, soak_s=50),), 50), ((GateRule(after=None, soak_s=50),), 100)):
        made = case(make, hosts, guests, max_unavailable=three, gates=gates)
        found = shortest(made, Allowance(30), horizon=9999)
        assert (found.answer, found.bound_s) == (Answer.BEST, 3 * back + 10 + 20 + soaks)
        assert set(found.goals.items()) in ({(0, 0), (1, 1)}, {(1, 0), (0, 2)})


def test_slots_and_streams_take_time(make: Any) -> None:
    hosts = [*(make.host(name, reboot_s=100, bandwidth_mib_s=100) for name in "ab"), make.host("n", release=NEW, bandwidth_mib_s=100)]
    guests = [make.guest(f"g{number}", on, memory_mib=1000) for number, on in enumerate("aabb")]
    back = 100 + CHECK_S + UNCORDON_S
    for slots, streams, least in ((1, 1, 2 * (20 + back)), (2, 1, 40 + back), (2, 2, 20 + back)):
        made = case(make, hosts, guests, max_unavailable=MaxUnavailable(fleet=Share(count=slots)), streams=streams)
        assert shortest(made, Allowance(30), horizon=9999).bound_s == least


def test_a_guest_that_may_land_nowhere_leaves_no_plan(make: Any) -> None:
    made = case(make, [make.host("a"), make.host("b")], [make.guest("g", "a", deny=("b",))])
    assert fewest_waves(made, Allowance(30), most=2).answer is Answer.NONE
    assert fewest_moves(made, "default", Allowance(30)).answer is Answer.NONE


def test_without_the_solver_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleetplan.planner.exact.solver.find_spec", lambda _: None)
    with pytest.raises(SolverMissingError):
        Allowance(1).require()


def test_the_same_question_gets_the_same_answer(make: Any) -> None:
    for seed in range(20):
        made = Brute(Dice(seed).fleet(make, Scope.HOST)).case
        if made.pending:
            assert fewest_waves(made, Allowance(1), most=4) == fewest_waves(made, Allowance(1), most=4)


# --- plans -----------------------------------------------------------------------------------------------------------------------------

DIGEST = "sha256:test"
AIMS = ("moves", "makespan_s", "waves")


def exactly(fleet: Fleet, seconds: float = 5) -> Plan | Infeasible:
    return plan(fleet, ClassTable(fleet), digest=DIGEST, exactly=Allowance(seconds))


def score(made: Plan) -> tuple[int, ...]:
    return tuple(getattr(made.bounds, aim).plan for aim in AIMS)


def holds(bounds: Plan, other: Plan) -> bool:
    """Whether the bounds of one plan hold for another one."""
    alike = bounds.bounds.moves.plan == other.bounds.moves.plan
    pairs = [(getattr(bounds.bounds, aim), getattr(other.bounds, aim)) for aim in AIMS]
    return all(mine.bound <= its.plan for mine, its in pairs if mine.among is Among.ALL_PLANS or alike)


def test_plans_are_better_or_the_same_and_bounds_hold_for_both(make: Any) -> None:
    seen = Counter[str]()
    for seed in range(FEWER):
        fleet = Dice(seed).fleet(make, *Scope)
        classes = ClassTable(fleet)
        before, after = plan(fleet, classes, digest=DIGEST), exactly(fleet)
        if isinstance(after, Infeasible):
            assert isinstance(before, Infeasible), seed
            seen["none"] += after.proved
            continue
        assert verify(fleet, classes, after, digest=DIGEST) == [], seed
        assert holds(after, after), seed
        if isinstance(before, Plan):
            assert score(after) <= score(before), seed
            assert holds(before, after), seed
            assert holds(after, before), seed
            seen["proved"] += after.status is PlanStatus.OPTIMAL and before.status is not PlanStatus.OPTIMAL
        seen["plans"] += 1
    assert min(seen["none"], seen["plans"], seen["proved"]) > 5, seen


def test_no_plan_is_proved_only_where_there_is_none(make: Any) -> None:
    for seed in range(FEWER):
        fleet = Dice(seed).fleet(make, Scope.HOST)
        brute, outcome = Brute(fleet), exactly(fleet)
        if brute.case.pending and all(provable(brute.case, pool) for pool in brute.case.pool):
            fewest = brute.fewest_moves()
            assert (fewest is None) == (isinstance(outcome, Infeasible) and outcome.proved), seed
            assert isinstance(outcome, Infeasible) or outcome.bounds.moves.plan == fewest, seed


def test_the_same_bytes_come_out(make: Any) -> None:
    for seed in range(0, FEWER, 10):
        fleet = Dice(seed).fleet(make, Scope.HOST)
        one, other = (encode_plan(exactly(fleet)) for _ in range(2))
        assert one == other


def test_a_fleet_that_is_too_large_is_refused(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(improve, "MOST_LANDINGS", 1)
    with pytest.raises(improve.TooLargeError):
        exactly(make.fleet([make.host(name) for name in "abc"], [make.guest("g", "a")]))


def test_pools_take_turns_as_far_as_limits_allow(make: Any) -> None:
    """In two pools the one guest moves twice; with two slots both pools go at once."""
    hosts = [make.host(f"{pool}{number}", pool=pool) for pool in "pq" for number in (1, 2)]
    guests = [make.guest(f"g{host.name}", host.name, vcpus=4) for host in hosts]
    for slots, waves in ((1, 4), (2, 2)):
        made = exactly(make.fleet(hosts, guests, max_unavailable=MaxUnavailable(fleet=Share(count=slots))))
        assert isinstance(made, Plan)
        assert (made.bounds.moves.plan, made.bounds.waves.plan) == (6, waves)

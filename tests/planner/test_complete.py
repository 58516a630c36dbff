"""Small fleets that barely have room: a plan is found exactly if one exists, none has fewer moves, and every refusal is proved."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from msgspec.structs import replace

from fleetplan.fleet.model import Fleet, HostState, Release, Scope
from fleetplan.fleet.policy import GateRule, Immovable, MaxUnavailable, Share
from fleetplan.judge.verify import verify
from fleetplan.migration.classes import ClassTable
from fleetplan.planner import rescue, trials
from fleetplan.planner.certain import impossible
from fleetplan.planner.complete import complete
from fleetplan.planner.occupancy import Occupancy
from fleetplan.planner.problem import Problem
from fleetplan.planner.search import attempt, plan
from fleetplan.planner.small_pool import Pool
from fleetplan.rollout.plan import Infeasible, Plan

DIGEST = "sha256:test"
NEW = Release("6.18.15", "qemu-11.1.3")
FLEETS, FEWER = 300, 100


def small(fleet: Fleet) -> Pool:
    problem = Problem(fleet, ClassTable(fleet))
    return Pool(problem, 0, Occupancy(problem))


def test_there_is_a_plan_exactly_if_one_exists_and_none_has_fewer_moves(tiny: Any, brute: Any) -> None:
    seen = Counter[str]()
    for seed in range(FLEETS):
        fleet = tiny(seed, Scope.HOST)
        classes, model = ClassTable(fleet), brute(fleet)
        outcome, fewest = attempt(fleet, classes, digest=DIGEST), model.fewest_moves() if model.case.pending else 0
        if isinstance(outcome, Plan):
            assert verify(fleet, classes, outcome, digest=DIGEST) == [], seed
            assert outcome.bounds.moves.plan == fewest, seed
            seen["twice"] += outcome.bounds.moves.plan > model.case.movers
        else:
            assert fewest is None, seed
            assert outcome.impossible, seed
        seen[type(outcome).__name__] += 1
    assert min(seen["Plan"], seen["Failure"], seen["twice"]) > 5, seen


def test_what_is_certain_is_so(tiny: Any, brute: Any) -> None:
    """Groups kept apart over zones, too: the arguments must leave every fleet alone for which there is a plan."""
    seen = Counter[bool]()
    for seed in range(FLEETS):
        fleet = tiny(seed, Scope.HOST, Scope.ZONE)
        model = brute(fleet)
        if model.case.pending:
            certain = impossible(Problem(fleet, ClassTable(fleet)), [0])
            assert not certain or model.fewest_moves() is None, seed
            seen[certain] += 1
    assert min(seen.values()) > 50, seen


def test_the_search_alone_finds_fewer(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the fallback would not be worth its name."""
    found = Counter[str]()
    for look in ("with", "without"):
        for seed in range(FEWER):
            fleet = tiny(seed, Scope.HOST)
            found[look] += isinstance(attempt(fleet, ClassTable(fleet), digest=DIGEST), Plan)
        monkeypatch.setattr(rescue, "MOST_HOSTS", 0)
    assert found["without"] < found["with"]


def test_a_host_keeps_guests_for_a_while_that_must_not_stay(make: Any) -> None:
    """Only h0 and h1 take the large guest, so the small ones may wait on h0 but not land there for good."""
    hosts = [make.host("h0", vcpus=4), make.host("h1", vcpus=4), make.host("h2")]
    guests = [make.guest("large", "h1", vcpus=4, deny=("h2",)), *(make.guest(f"small-{n}", "h2", vcpus=1) for n in range(2))]
    found = complete(small(make.fleet(hosts, guests)))
    assert found.turns is not None
    assert (found.extra, found.exhausted) == (0, True)


def test_pools_take_turns_in_one_wave(make: Any) -> None:
    """Two pools, each with hosts that only fit when guests of both hosts are exchanged by a third."""
    hosts = [make.host(f"{pool}{number}", pool=pool) for pool in "pq" for number in (1, 2)]
    guests = [make.guest(f"g{host.name}", host.name, vcpus=4) for host in hosts]
    fleet = make.fleet(hosts, guests, max_unavailable=MaxUnavailable(fleet=Share(count=2)))
    problem = Problem(fleet, ClassTable(fleet))
    found = rescue.rescue(problem, [], [0, 1])
    assert found.waves is not None
    assert [len(wave.hosts) for wave in found.waves] == [2, 2]


def test_waves_keep_to_canary_gates(make: Any) -> None:
    hosts = [make.host(f"h{number}") for number in range(4)]
    fleet = make.fleet(hosts, [], gates=(GateRule(after=1, hosts=1),), max_unavailable=MaxUnavailable(fleet=Share(count=3)))
    found = rescue.rescue(Problem(fleet, ClassTable(fleet)), [], [0])
    assert [len(wave.hosts) for wave in found.waves or ()] == [1, 3]


def test_the_limit_leaves_it_open(make: Any) -> None:
    hosts = [make.host("a"), make.host("b"), make.host("n", release=NEW)]
    guests = [make.guest(f"g{n}", "ab"[n % 2], vcpus=3) for n in range(4)]
    pool = small(make.fleet(hosts, guests))
    assert not complete(pool, landings=2).exhausted
    assert complete(pool).exhausted


@pytest.mark.parametrize(
    ("hosts", "guests", "policy"),
    [
        ([{"name": "a"}, {"name": "b"}], [{"name": "g", "on": "a", "migratable": False}], {}),
        ([{"name": "a"}, {"name": "b"}], [{"name": "g1", "on": "a", "vcpus": 8}, {"name": "g2", "on": "b", "vcpus": 8}], {}),
        ([{"name": "a"}, {"name": "b", "vcpus": 4}], [{"name": "g", "on": "a", "vcpus": 5}], {}),
        ([{"name": "a"}, {"name": "b", "state": HostState.DOWN}], [], {}),
        (
            [{"name": "a"}, {"name": "b", "state": HostState.CORDONED}],
            [{"name": "g", "on": "b", "migratable": False}],
            {"immovable": Immovable.SKIP},
        ),
        ([{"name": "a"}, {"name": "n", "release": NEW}], [{"name": f"g{n}", "on": "a", "group": "w"} for n in range(2)], {}),
    ],
    ids=["guest", "room", "largest", "slots", "slots that are kept", "fellows"],
)
def test_why_it_is_certain(make: Any, hosts: list[Any], guests: list[Any], policy: dict[str, Any]) -> None:
    fleet = make.fleet([make.host(**host) for host in hosts], [make.guest(**guest) for guest in guests], **policy)
    assert impossible(Problem(fleet, ClassTable(fleet)), [0])
    told = plan(fleet, ClassTable(fleet), digest=DIGEST)
    assert isinstance(told, Infeasible)
    assert told.proved


def test_a_plan_of_a_small_pool_moves_no_guest_twice_for_nothing(tiny: Any, brute: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "economise", lambda *_: None)
    more = 0
    for seed in range(FEWER):
        fleet = tiny(seed, Scope.HOST)
        outcome = attempt(fleet, ClassTable(fleet), digest=DIGEST)
        more += isinstance(outcome, Plan) and bool(outcome.waves) and outcome.bounds.moves.plan > (brute(fleet).fewest_moves() or 0)
    assert more > 0


def test_plans_of_small_fleets_keep_what_else_restrains_them(tiny: Any) -> None:
    """Hosts that go last, groups that stay together, copies that end over fast links only."""
    seen = Counter[str]()
    for seed in range(0, FEWER, 3):
        fleet = tiny(seed, Scope.HOST)
        hosts = tuple(replace(host, bandwidth_mib_s=(100, 1000)[number % 2]) for number, host in enumerate(fleet.hosts))
        guests = [replace(guest, dirty_rate_mib_s=(0, 300)[number % 2]) for number, guest in enumerate(fleet.guests)]
        groups = {name: replace(group, apart=None, together=Scope.HOST) for name, group in fleet.groups.items()}
        for other in (
            replace(fleet, policy=replace(fleet.policy, last=("h0",))),
            replace(fleet, groups=groups),
            replace(fleet, hosts=hosts, guests=guests),
        ):
            outcome = attempt(other, ClassTable(other), digest=DIGEST)
            assert not isinstance(outcome, Plan) or verify(other, ClassTable(other), outcome, digest=DIGEST) == [], seed
            seen[type(outcome).__name__] += 1
    assert min(seen.values()) > 10, seen

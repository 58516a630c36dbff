"""The exact models against brute force on tiny fleets; and plans with them against plans without."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from fleetplan.fleet.model import Fleet, HostState, Release, Scope
from fleetplan.fleet.policy import GateRule, MaxUnavailable, Share
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

# --- models ----------------------------------------------------------------------------------------------------------------------------


def test_waves_are_the_fewest_that_brute_force_finds(tiny: Any, brute: Any) -> None:
    seen = Counter[int | None]()
    for seed in range(SEEDS):
        model = brute(tiny(seed, Scope.HOST, Scope.ZONE))
        if model.case.pending:
            found = fewest_waves(model.case, Allowance(30), most=len(model.case.pending))
            assert found.answer in {Answer.BEST, Answer.NONE}
            assert found.bound == model.fewest_waves(), seed
            assert found.course is None or len(found.course.waves) == found.bound
            seen[found.bound] += 1
    assert min(seen[None], seen[1], seen[2], seen[3]) > 5, seen


def test_moves_are_the_fewest_that_brute_force_finds(tiny: Any, brute: Any) -> None:
    more = none = 0
    for seed in range(SEEDS):
        model = brute(tiny(seed, Scope.HOST, Scope.ZONE))
        if model.case.pending and provable(model.case, "default"):
            found = fewest_moves(model.case, "default", Allowance(30))
            assert found.answer in {Answer.BEST, Answer.NONE}
            assert found.bound == model.fewest_moves(), seed
            assert sum(len(step.goals) for step in found.steps) == (found.bound or 0)
            more += (found.bound or 0) > model.case.movers
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


def test_the_same_question_gets_the_same_answer(tiny: Any, brute: Any) -> None:
    for seed in range(20):
        made = brute(tiny(seed, Scope.HOST)).case
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


def test_plans_are_better_or_the_same_and_bounds_hold_for_both(tiny: Any) -> None:
    seen = Counter[str]()
    for seed in range(FEWER):
        fleet = tiny(seed, *Scope)
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


def test_no_plan_is_proved_only_where_there_is_none(tiny: Any, brute: Any) -> None:
    for seed in range(FEWER):
        fleet = tiny(seed, Scope.HOST)
        model, outcome = brute(fleet), exactly(fleet)
        if model.case.pending and all(provable(model.case, pool) for pool in model.case.pool):
            fewest = model.fewest_moves()
            assert (fewest is None) == (isinstance(outcome, Infeasible) and outcome.proved), seed
            assert isinstance(outcome, Infeasible) or outcome.bounds.moves.plan == fewest, seed


def test_the_same_bytes_come_out(tiny: Any) -> None:
    for seed in range(0, FEWER, 10):
        fleet = tiny(seed, Scope.HOST)
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

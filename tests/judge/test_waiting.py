"""What comes before what, how much can happen at once, and room that is handed on."""

from __future__ import annotations

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fleetplan.fleet.model import Birth, Fleet, Group, GroupName, Guest, Host, HostFacts, Release, Scope
from fleetplan.fleet.policy import MaxUnavailable, Policy, Share
from fleetplan.judge.antichain import heaviest
from fleetplan.judge.case import Case
from fleetplan.judge.verify import verify
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.ways_back import with_ways_back
from fleetplan.rollout.columns import NONE
from fleetplan.rollout.execute import executed
from fleetplan.rollout.invariants import InvariantId
from fleetplan.rollout.plan import Bound, Bounds, Plan, PlanStatus, Step, StepKind, Wave
from fleetplan.rollout.proofread import ancestors, steps_of
from fleetplan.rollout.replay import replay

OLD, NEW = Release("6.12.117", "qemu-11.1.3"), Release("6.18.15", "qemu-11.1.3")
N1 = HostFacts(midr=0x413FD0C1, revidr=0, cmdline="quiet")


@given(data=st.data(), size=st.integers(0, 7))
def test_the_heaviest_things_at_once_are_those_that_brute_force_finds(data: st.DataObject, size: int) -> None:
    weights = [data.draw(st.integers(1, 5)) for _ in range(size)]
    after: list[set[int]] = [{later for later in range(thing + 1, size) if data.draw(st.booleans())} for thing in range(size)]
    for thing in reversed(range(size)):
        after[thing] |= {further for later in after[thing] for further in after[later]}
    weight, chosen = heaviest(weights, [sorted(later) for later in after])
    groups = [group for count in range(size + 1) for group in combinations(range(size), count)]
    free = [group for group in groups if not any(second in after[first] for first, second in combinations(group, 2))]
    assert weight == max(sum(weights[thing] for thing in group) for group in free) == sum(weights[thing] for thing in chosen)
    assert tuple(sorted(chosen)) in free


def gates(after: list[set[int]]) -> Plan:
    """A plan of gates that wait for each other."""
    steps = tuple(
        Step(id=f"s{number}", kind=StepKind.GATE, after=tuple(f"s{other}" for other in sorted(earlier)), start_s=number, duration_s=1)  # type: ignore[arg-type]
        for number, earlier in enumerate(after)
    )
    one = Bound(plan=1, bound=1)
    waves = (Wave(number=1, hosts=(), steps=steps),)
    bounds = Bounds(moves=one, waves=one, makespan_s=one)
    return Plan(inventory_digest="", target=NEW, status=PlanStatus.OPTIMAL, waves=waves, bounds=bounds)


@settings(deadline=None)
@given(data=st.data(), size=st.integers(1, 90))
def test_steps_come_before_others_just_where_a_walk_back_finds_them(data: st.DataObject, size: int) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    after = [{int(other) for other in rng.integers(0, number, 2)} if number and rng.random() < 0.8 else set() for number in range(size)]
    plan = gates(after)
    fleet = Fleet(target=NEW, hosts=())
    precedence = Case(fleet, ClassTable(fleet), plan, "").precedence
    pairs = np.array([(first, second) for first in range(size) for second in range(size)], np.int32)
    before = [{int(name[1:]) for name in ancestors(plan, step)} for step in steps_of(plan)]
    expected = [first in before[second] for first, second in pairs.tolist()]
    assert precedence.precedes(pairs[:, 0], pairs[:, 1]).tolist() == expected
    all_steps = np.arange(size, dtype=np.int32)
    later = precedence.later_than(np.append(all_steps, NONE).astype(np.int32), all_steps)
    assert later == [[second for second in range(size) if first in before[second]] for first in range(size)] + [[]]


# --- who waits for whom --------------------------------------------------------------------------------------------------------------


def step(name: str, kind: StepKind, duration: int, *after: str, **fields: Any) -> Step:
    return Step(id=name, kind=kind, after=after, start_s=0, duration_s=duration, **fields)  # type: ignore[arg-type]


def move(name: str, source: str, there: str, *after: str, guest: str = "") -> Step:
    return step(name, StepKind.MIGRATE, 1, *after, guest=guest or name, source=source, destination=there, verdict="SAFE")


def upgrade(host: str, *after: str) -> tuple[Step, ...]:
    """Upgrade, check and uncordon; the upgrade waits for `after`."""
    return (
        step(f"upgrade-{host}", StepKind.UPGRADE, 300, *after, host=host),
        step(f"check-{host}", StepKind.CHECK, 10, f"upgrade-{host}", host=host),
        step(f"uncordon-{host}", StepKind.UNCORDON, 1, f"check-{host}", host=host),
    )


def cordon(host: str, *after: str) -> Step:
    return step(f"cordon-{host}", StepKind.CORDON, 0, *after, host=host)


def fleet_of(hosts: dict[str, Release], guests: dict[str, str], group: str | None = None) -> Fleet:
    """Hosts of 8 vCPUs by release, guests of 6 (2 in a group) by host."""
    shape = {"vcpus": 8, "memory_mib": 8192, "facts": N1, "bandwidth_mib_s": 1024}
    size = {"vcpus": 2 if group else 6, "memory_mib": 1024, "born": Birth(kernel=OLD.kernel), "group": group}
    return Fleet(
        target=NEW,
        hosts=tuple(Host(name=name, release=release, **shape) for name, release in hosts.items()),  # type: ignore[arg-type]
        guests=tuple(Guest(name=name, on=on, **size) for name, on in guests.items()),  # type: ignore[arg-type]
        groups={GroupName(group): Group(name=GroupName(group), apart=Scope.HOST)} if group else {},
        policy=Policy(max_unavailable=MaxUnavailable(fleet=Share(count=2))),
    )


def plan_of(fleet: Fleet, *waves: tuple[str, tuple[Step, ...]]) -> Plan:
    """A plan of waves of one host; everything starts as soon as it may, and what the plan says of itself is so."""
    none = Bound(plan=0, bound=0)
    plan = Plan(
        inventory_digest="",
        target=NEW,
        status=PlanStatus.WITHIN_GAP,
        waves=tuple(Wave(number=number, hosts=(host,), steps=steps) for number, (host, steps) in enumerate(waves, 1)),  # type: ignore[arg-type]
        bounds=Bounds(moves=none, waves=none, makespan_s=none),
        placement={guest.name: guest.on for guest in fleet.guests},
    )
    plan = executed(plan, {})
    by_id = {step.id: step for step in steps_of(plan)}
    path = [max(by_id.values(), key=lambda step: step.end_s)]
    while path[0].after:
        path.insert(0, max((by_id[name] for name in path[0].after), key=lambda step: step.end_s))
    moves = sum(step.kind is StepKind.MIGRATE for step in by_id.values())
    real = {"moves": moves, "waves": len(plan.waves), "makespan_s": path[-1].end_s}
    bounds = Bounds(**{name: Bound(plan=value, bound=0) for name, value in real.items()})
    return with_ways_back(fleet, ClassTable(fleet), replace(plan, bounds=bounds, critical_path=tuple(step.id for step in path)))


class Handing(NamedTuple):
    """A safe plan, the step that must wait for another one, and what goes wrong if that takes long."""

    fleet: Fleet
    plan: Plan
    step: str
    waits_for: str
    wrong: InvariantId


def handed_on(group: str | None) -> Handing:
    """A guest leaves an upgraded host before another one comes there: for want of room, or because they are to be kept apart."""
    fleet = fleet_of({"a": OLD, "t": NEW, "u": NEW}, {"comes": "a", "goes": "t"}, group)
    steps = (move("goes", "t", "u"), cordon("a"), move("comes", "a", "t", "cordon-a", "goes"), *upgrade("a", "comes"))
    return Handing(fleet, plan_of(fleet, ("a", steps)), "comes", "goes", InvariantId.APART if group else InvariantId.CAPACITY)


def lands() -> Handing:
    """A guest lands on a host that was upgraded before."""
    fleet = fleet_of({"a": OLD, "b": OLD}, {"g": "a"})
    first = (cordon("b"), *upgrade("b", "cordon-b"))
    second = (cordon("a"), move("g", "a", "b", "cordon-a", "uncordon-b"), *upgrade("a", "g"))
    return Handing(fleet, plan_of(fleet, ("b", first), ("a", second)), "g", "uncordon-b", InvariantId.LANDING)


def arrives() -> Handing:
    """A guest goes to an old host, which is cordoned when it is there, and comes back."""
    fleet = fleet_of({"a": OLD, "b": OLD}, {"g": "a"})
    first = (cordon("a"), move("out", "a", "b", "cordon-a", guest="g"), *upgrade("a", "out"))
    second = (cordon("b", "out"), move("back", "b", "a", "cordon-b", "uncordon-a", guest="g"), *upgrade("b", "back"))
    return Handing(fleet, plan_of(fleet, ("a", first), ("b", second)), "cordon-b", "out", InvariantId.LANDING)


@pytest.mark.parametrize("case", [handed_on(None), handed_on("w"), lands(), arrives()], ids=["room", "apart", "lands", "arrives"])
def test_what_has_to_wait_is_refused_where_it_does_not_and_goes_wrong_then(case: Handing) -> None:
    fleet, plan = case.fleet, case.plan
    classes = ClassTable(fleet)
    assert verify(fleet, classes, plan, digest="") == []
    assert replay(fleet, classes, plan) == []
    waves = [
        replace(
            wave,
            steps=tuple(
                replace(each, after=tuple(name for name in each.after if each.id != case.step or name != case.waits_for))
                for each in wave.steps
            ),
        )
        for wave in plan.waves
    ]
    hasty = replace(plan, waves=tuple(waves))
    (found,) = (violation for violation in verify(fleet, classes, hasty, digest="") if violation.invariant is InvariantId.AFTER)
    assert found.steps == (case.step, case.waits_for)
    late = executed(hasty, {case.waits_for: 1000})  # type: ignore[dict-item]
    assert case.wrong in {violation.invariant for violation in replay(fleet, classes, late)}

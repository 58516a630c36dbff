"""The judge passes a good plan, and no plan with a step more, less, elsewhere or earlier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fleetplan.fleet.model import Fleet, Release
from fleetplan.judge.verify import CHECKS, verify
from fleetplan.migration.classes import ClassTable
from fleetplan.rollout.invariant_rows import INVARIANTS
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import BlockedOn, Cause, Plan, PointOfNoReturn, Step, StepKind

Judge = Callable[[Plan], list[Violation]]


# --- changing a plan -----------------------------------------------------------------------------------------------------------------


def steps_of(plan: Plan) -> list[Step]:
    return [step for wave in plan.waves for step in wave.steps]


def mapped(plan: Plan, change: Callable[[Step], Step | None]) -> Plan:
    """The plan with every step changed, or left out where `change` gives None."""
    waves = tuple(
        replace(wave, steps=tuple(new for new in (change(step) for step in wave.steps) if new is not None)) for wave in plan.waves
    )
    return replace(plan, waves=waves)


def one(plan: Plan, kind: StepKind, wanted: Callable[[Step], bool] = lambda step: True) -> Step:
    return next(step for step in steps_of(plan) if step.kind is kind and wanted(step))


def changed(plan: Plan, victim: Step, **fields: Any) -> Plan:
    return mapped(plan, lambda step: replace(step, **fields) if step.id == victim.id else step)


def last_start(plan: Plan) -> int:
    return max(step.end_s for step in steps_of(plan))


def without(plan: Plan, victim: Step) -> Plan:
    """Leave a step out; who waited for it waits for what it waited for."""

    def change(step: Step) -> Step | None:
        if step.id == victim.id:
            return None
        if victim.id not in step.after:
            return step
        after = [earlier for earlier in step.after if earlier != victim.id]
        return replace(step, after=tuple(dict.fromkeys([*after, *victim.after])))

    return mapped(plan, change)


def at_the_end(plan: Plan, *added: Step) -> Plan:
    """More steps in the last wave, after everything."""
    waves = list(plan.waves)
    waves[-1] = replace(waves[-1], steps=(*waves[-1].steps, *added))
    return replace(plan, waves=tuple(waves))


def test_a_good_plan_passes(plan: Plan, judge: Judge) -> None:
    assert judge(plan) == []
    kinds = {step.kind for step in steps_of(plan)}
    assert kinds == set(StepKind)


def test_every_row_has_a_check_and_every_check_a_row() -> None:
    assert set(CHECKS) == {row.id for row in INVARIANTS} == set(InvariantId)


def test_another_target_is_another_plan(plan: Plan, judge: Judge) -> None:
    found = judge(replace(plan, target=Release("6.18.16", "qemu-11.1.3")))
    assert {violation.invariant for violation in found} == {InvariantId.INVENTORY}


def test_hidden_points_of_no_return_are_found(plan: Plan, judge: Judge) -> None:
    assert [point.guests for point in plan.points_of_no_return] == [("born-new-2",)]
    hidden = judge(replace(plan, points_of_no_return=()))
    invented = judge(
        replace(
            plan,
            points_of_no_return=(
                *plan.points_of_no_return,
                PointOfNoReturn(wave=1, guests=("web-1",), why=Cause(blocked_on=BlockedOn.VERDICT)),
            ),
        )
    )
    assert {violation.invariant for violation in hidden} == {violation.invariant for violation in invented} == {InvariantId.CLAIMS}


@settings(max_examples=150)
@given(data=st.data())
def test_no_step_can_be_left_out(plan: Plan, judge: Judge, data: st.DataObject) -> None:
    victim = data.draw(st.sampled_from(steps_of(plan)))
    assert judge(without(plan, victim))


@settings(max_examples=150)
@given(data=st.data())
def test_no_step_can_come_twice(plan: Plan, judge: Judge, data: st.DataObject) -> None:
    victim = data.draw(st.sampled_from(steps_of(plan)))
    assert judge(at_the_end(plan, replace(victim, id="again", start_s=last_start(plan), after=())))


@settings(max_examples=200)
@given(data=st.data())
def test_no_landing_can_be_on_a_host_that_is_not_upgraded_by_then(plan: Plan, judge: Judge, fleet: Fleet, data: st.DataObject) -> None:
    victim = data.draw(st.sampled_from([step for step in steps_of(plan) if step.kind is StepKind.MIGRATE]))
    open_by_then = {step.host for step in steps_of(plan) if step.kind is StepKind.UNCORDON and step.end_s <= victim.start_s}
    closed = [host.name for host in fleet.hosts if host.name not in open_by_then and host.name != "a3"]
    assert judge(changed(plan, victim, destination=data.draw(st.sampled_from(closed))))


@settings(max_examples=100)
@given(data=st.data(), earlier=st.integers(1, 2000))
def test_no_step_can_start_earlier_than_it_may(plan: Plan, judge: Judge, data: st.DataObject, earlier: int) -> None:
    victim = data.draw(st.sampled_from([step for step in steps_of(plan) if step.after]))
    bound = max(step.end_s for step in steps_of(plan) if step.id in victim.after)
    assert judge(changed(plan, victim, start_s=bound - earlier))


def test_a_plan_fresh_from_the_planner_is_judged_for_a_fleet_without_one_of_its_guests(fleet: Fleet, plan: Plan) -> None:
    other = replace(fleet, guests=tuple(guest for guest in fleet.guests if guest.name != "web-1"))
    broken = verify(other, ClassTable(other), plan, digest=plan.inventory_digest)
    assert {violation.invariant for violation in broken} >= {InvariantId.STEPS}

"""The judge passes a good plan, and catches a corruption of every invariant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fleetplan.fleet.model import Fleet, Release
from fleetplan.judge.verify import CHECKS
from fleetplan.rollout.invariants import INVARIANTS, InvariantId, Violation
from fleetplan.rollout.plan import Bound, Pin, Plan, PointOfNoReturn, Step, StepKind

Judge = Callable[[Plan], list[Violation]]
Corruption = Callable[[Plan], Plan]


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


def moved_to(plan: Plan, guest: str, destination: str) -> Plan:
    """Send a guest elsewhere; nobody waits for what is not there."""
    victim = one(plan, StepKind.MIGRATE, lambda step: step.guest == guest)
    return changed(plan, victim, destination=destination)


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


def migration(plan: Plan, guest: str, source: str, destination: str, **fields: Any) -> Step:
    start = fields.pop("start_s", last_start(plan))
    step = Step(
        id=f"extra-{guest}-{destination}",
        kind=StepKind.MIGRATE,
        after=(),
        start_s=start,
        duration_s=60,
        guest=guest,
        source=source,
        destination=destination,
        verdict="SAFE",
    )
    return replace(step, **fields)


# --- one corruption for every invariant ----------------------------------------------------------------------------------------------


def other_inventory(plan: Plan) -> Plan:
    return replace(plan, inventory_digest="sha256:other")


def unknown_host(plan: Plan) -> Plan:
    return moved_to(plan, "web-1", "nowhere")


def later_after(plan: Plan) -> Plan:
    upgrade = one(plan, StepKind.UPGRADE)
    return changed(plan, upgrade, after=(*upgrade.after, steps_of(plan)[-1].id))


def forgets_to_wait(plan: Plan) -> Plan:
    check = one(plan, StepKind.CHECK)
    return changed(plan, check, after=())


def too_short(plan: Plan) -> Plan:
    return changed(plan, one(plan, StepKind.START), duration_s=1)


def wrong_wave_numbers(plan: Plan) -> Plan:
    return replace(plan, waves=tuple(replace(wave, number=wave.number + 1) for wave in plan.waves))


def no_soak(plan: Plan) -> Plan:
    return changed(plan, one(plan, StepKind.GATE), duration_s=0)


def not_where_it_is(plan: Plan) -> Plan:
    victim = one(plan, StepKind.MIGRATE, lambda step: step.guest == "web-3")
    return changed(plan, victim, source="a2")


def onto_a_closed_host(plan: Plan) -> Plan:
    """Keep the destination of a migration cordoned for too long."""
    victim = one(plan, StepKind.MIGRATE, lambda step: step.destination != "a3")
    uncordon = one(plan, StepKind.UNCORDON, lambda step: step.host == victim.destination)
    return changed(plan, uncordon, duration_s=10**6)


def into_another_pool(plan: Plan) -> Plan:
    return moved_to(plan, "far", "a3")


def where_it_may_not_be(plan: Plan) -> Plan:
    return moved_to(plan, "choosy", "b1")


def moves_the_immovable(plan: Plan) -> Plan:
    return at_the_end(plan, migration(plan, "db", "a1", "b1"))


def restarts_the_wrong_guest(plan: Plan) -> Plan:
    end = last_start(plan)
    stop = Step(id="x-stop", kind=StepKind.STOP, after=(), start_s=end, duration_s=30, guest="web-3", host=landed(plan, "web-3"))
    start = replace(stop, id="x-start", kind=StepKind.START, after=("x-stop",), start_s=end + 30)
    return at_the_end(plan, stop, start)


def landed(plan: Plan, guest: str) -> str:
    return [step.destination or "" for step in steps_of(plan) if step.kind is StepKind.MIGRATE and step.guest == guest][-1]


def lies_about_a_verdict(plan: Plan) -> Plan:
    return changed(plan, one(plan, StepKind.MIGRATE), verdict="CHANGES")


def boots_too_new(plan: Plan) -> Plan:
    """Leave out the pin that keeps `bear` at PSCI 1.1."""
    pin = one(plan, StepKind.PIN, lambda step: step.guest == "bear")
    return replace(without(plan, pin), pins=tuple(pin for pin in plan.pins if pin.guest != "bear"))


def pin_without_a_step(plan: Plan) -> Plan:
    more = Pin(guest="web-1", psci="1.1", effective=steps_of(plan)[0].id, reason="", cost="")
    return replace(plan, pins=(*plan.pins, more))


def too_much_on_one_host(plan: Plan) -> Plan:
    """Everybody onto one host of 64 GiB."""
    fat = [step for step in steps_of(plan) if step.kind is StepKind.MIGRATE and step.guest != "far"]
    end = last_start(plan)
    more = []
    for nth, step in enumerate(fat * 3):
        there = "b1" if nth % 2 else "a1"
        more.append(migration(plan, step.guest or "", landed(plan, step.guest or ""), there, start_s=end + nth, id=f"x{nth}"))
    return at_the_end(plan, *more)


def into_the_reserve(plan: Plan) -> Plan:
    return too_much_on_one_host(plan)


def brings_members_together(plan: Plan) -> Plan:
    return moved_to(plan, "web-2", landed(plan, "web-1"))


def too_many_away(plan: Plan) -> Plan:
    """Open every host as late as possible."""
    return mapped(plan, lambda step: replace(step, duration_s=10**6) if step.kind is StepKind.UNCORDON else step)


def too_many_streams(plan: Plan) -> Plan:
    """Make every migration long, and leave starts where they are."""
    return mapped(plan, lambda step: replace(step, duration_s=10**5) if step.kind is StepKind.MIGRATE else step)


def upgrades_under_a_guest(plan: Plan) -> Plan:
    victim = one(plan, StepKind.MIGRATE, lambda step: step.guest == "web-3")
    return without(plan, victim)


def uncordons_twice(plan: Plan) -> Plan:
    uncordon = one(plan, StepKind.UNCORDON)
    return at_the_end(plan, replace(uncordon, id="again", start_s=last_start(plan)))


def forgets_a_host(plan: Plan) -> Plan:
    host = plan.waves[-1].hosts[-1]
    waves = [replace(wave, hosts=tuple(name for name in wave.hosts if name != host)) for wave in plan.waves]
    return mapped(replace(plan, waves=tuple(waves)), lambda step: None if step.host == host else replace(step, after=()))


def never_starts_again(plan: Plan) -> Plan:
    return without(plan, one(plan, StepKind.START, lambda step: step.guest == "db"))


def claims_too_much(plan: Plan) -> Plan:
    return replace(plan, bounds=replace(plan.bounds, moves=Bound(plan=1, bound=1)))


CORRUPTIONS: dict[InvariantId, Corruption] = {
    InvariantId.INVENTORY: other_inventory,
    InvariantId.STEPS: unknown_host,
    InvariantId.ORDER: later_after,
    InvariantId.AFTER: forgets_to_wait,
    InvariantId.DURATION: too_short,
    InvariantId.WAVES: wrong_wave_numbers,
    InvariantId.GATES: no_soak,
    InvariantId.PLACEMENT: not_where_it_is,
    InvariantId.LANDING: onto_a_closed_host,
    InvariantId.POOL: into_another_pool,
    InvariantId.ALLOWED: where_it_may_not_be,
    InvariantId.MIGRATABLE: moves_the_immovable,
    InvariantId.RESTARTABLE: restarts_the_wrong_guest,
    InvariantId.VERDICT: lies_about_a_verdict,
    InvariantId.PSCI_MAX: boots_too_new,
    InvariantId.PINS: pin_without_a_step,
    InvariantId.CAPACITY: too_much_on_one_host,
    InvariantId.RESERVE: into_the_reserve,
    InvariantId.APART: brings_members_together,
    InvariantId.UNAVAILABLE: too_many_away,
    InvariantId.STREAMS: too_many_streams,
    InvariantId.DRAINED: upgrades_under_a_guest,
    InvariantId.CORDONED: uncordons_twice,
    InvariantId.UPGRADED: forgets_a_host,
    InvariantId.RUNNING: never_starts_again,
    InvariantId.CLAIMS: claims_too_much,
}


def free_of_waiting(plan: Plan) -> Plan:
    """Corruptions of times break ORDER first; without `after` the rule itself has to see them."""
    return mapped(plan, lambda step: replace(step, after=()))


TIMED = {InvariantId.LANDING, InvariantId.UNAVAILABLE, InvariantId.STREAMS}


def test_a_good_plan_passes(plan: Plan, judge: Judge) -> None:
    assert judge(plan) == []
    kinds = {step.kind for step in steps_of(plan)}
    assert kinds == set(StepKind)


@pytest.mark.parametrize("row", INVARIANTS, ids=lambda row: row.id.value)
def test_a_corruption_of_every_invariant_is_caught(row: Any, plan: Plan, judge: Judge) -> None:
    corrupted = CORRUPTIONS[row.id](plan)
    if row.id in TIMED:
        corrupted = free_of_waiting(corrupted)
    assert row.id in {violation.invariant for violation in judge(corrupted)}


def test_every_row_has_a_check_and_every_check_a_row() -> None:
    assert set(CHECKS) == {row.id for row in INVARIANTS} == set(InvariantId)


def test_another_target_is_another_plan(plan: Plan, judge: Judge) -> None:
    found = judge(replace(plan, target=Release("6.18.16", "qemu-11.1.3")))
    assert {violation.invariant for violation in found} == {InvariantId.INVENTORY}


def test_hidden_points_of_no_return_are_found(plan: Plan, judge: Judge) -> None:
    assert [point.guests for point in plan.points_of_no_return] == [("born-new-2",)]
    hidden = judge(replace(plan, points_of_no_return=()))
    invented = judge(replace(plan, points_of_no_return=(*plan.points_of_no_return, PointOfNoReturn(wave=1, guests=("web-1",), reason=""))))
    assert {violation.invariant for violation in hidden} == {violation.invariant for violation in invented} == {InvariantId.CLAIMS}


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_step_can_be_left_out(plan: Plan, judge: Judge, data: st.DataObject) -> None:
    victim = data.draw(st.sampled_from(steps_of(plan)))
    assert judge(without(plan, victim))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_step_can_come_twice(plan: Plan, judge: Judge, data: st.DataObject) -> None:
    victim = data.draw(st.sampled_from(steps_of(plan)))
    assert judge(at_the_end(plan, replace(victim, id="again", start_s=last_start(plan), after=())))


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_landing_can_be_on_a_host_that_is_not_upgraded_by_then(plan: Plan, judge: Judge, fleet: Fleet, data: st.DataObject) -> None:
    victim = data.draw(st.sampled_from([step for step in steps_of(plan) if step.kind is StepKind.MIGRATE]))
    open_by_then = {step.host for step in steps_of(plan) if step.kind is StepKind.UNCORDON and step.end_s <= victim.start_s}
    closed = [host.name for host in fleet.hosts if host.name not in open_by_then and host.name != "a3"]
    assert judge(changed(plan, victim, destination=data.draw(st.sampled_from(closed))))


@settings(max_examples=100, deadline=None)
@given(data=st.data(), earlier=st.integers(1, 2000))
def test_no_step_can_start_earlier_than_it_may(plan: Plan, judge: Judge, data: st.DataObject, earlier: int) -> None:
    victim = data.draw(st.sampled_from([step for step in steps_of(plan) if step.after]))
    bound = max(step.end_s for step in steps_of(plan) if step.id in victim.after)
    assert judge(changed(plan, victim, start_s=bound - earlier))

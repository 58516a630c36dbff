"""The law: the judge and the slow reference accept the same plans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fleetplan.fleet.model import Fleet
from fleetplan.migration.classes import ClassTable
from fleetplan.rollout.invariant_rows import INVARIANTS
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import Plan, Step, StepKind
from fleetplan.rollout.proofread import proofread
from fleetplan.rollout.replay import replay

Judge = Callable[[Plan], list[Violation]]
UNREADABLE = {InvariantId.INVENTORY, InvariantId.STEPS, InvariantId.ORDER}


def steps_of(plan: Plan) -> list[Step]:
    return [step for wave in plan.waves for step in wave.steps]


def changed(plan: Plan, change: Callable[[Step], Step]) -> Plan:
    """The plan with steps changed, and with nothing that waits: so that only what happens can be wrong."""
    return replace(
        plan, waves=tuple(replace(wave, steps=tuple(replace(change(step), after=()) for step in wave.steps)) for wave in plan.waves)
    )


def same_word(fleet: Fleet, classes: ClassTable, plan: Plan, judge: Judge) -> None:
    found = {violation.invariant for violation in judge(plan)}
    assert not found & UNREADABLE
    seen = {violation.invariant for violation in (*proofread(fleet, plan), *replay(fleet, classes, plan))}
    assert bool(found - {InvariantId.AFTER}) == bool(seen), (found, seen)


@settings(max_examples=400)
@given(data=st.data())
def test_they_agree_on_plans_with_other_times(fleet: Fleet, classes: ClassTable, plan: Plan, judge: Judge, data: st.DataObject) -> None:
    victims = data.draw(st.sets(st.sampled_from([step.id for step in steps_of(plan)]), min_size=1, max_size=3))
    shift = data.draw(st.integers(-2000, 2000))
    longer = data.draw(st.sampled_from([0, 0, 1, 300, 5000]))

    def later(step: Step) -> Step:
        if step.id not in victims:
            return step
        return replace(step, start_s=max(step.start_s + shift, 0), duration_s=step.duration_s + longer)

    same_word(fleet, classes, changed(plan, later), judge)


@settings(max_examples=400)
@given(data=st.data())
def test_they_agree_on_plans_with_other_places(fleet: Fleet, classes: ClassTable, plan: Plan, judge: Judge, data: st.DataObject) -> None:
    victim = data.draw(st.sampled_from([step for step in steps_of(plan) if step.kind is StepKind.MIGRATE]))
    field = data.draw(st.sampled_from(["source", "destination", "guest", "verdict"]))
    values: dict[str, list[Any]] = {
        "source": [host.name for host in fleet.hosts],
        "destination": [host.name for host in fleet.hosts],
        "guest": [guest.name for guest in fleet.guests],
        "verdict": ["SAFE", "CHANGES", "FAILS"],
    }
    value = data.draw(st.sampled_from(values[field]))
    same_word(fleet, classes, changed(plan, lambda step: replace(step, **{field: value}) if step.id == victim.id else step), judge)


@settings(max_examples=200)
@given(data=st.data())
def test_they_agree_on_plans_with_steps_left_out(fleet: Fleet, classes: ClassTable, plan: Plan, judge: Judge, data: st.DataObject) -> None:
    victim = data.draw(st.sampled_from([step for step in steps_of(plan) if step.kind is not StepKind.GATE]))
    without = replace(
        plan, waves=tuple(replace(wave, steps=tuple(step for step in wave.steps if step.id != victim.id)) for wave in plan.waves)
    )
    same_word(fleet, classes, changed(without, lambda step: step), judge)


@pytest.mark.parametrize("row", [row for row in INVARIANTS if row.id is not InvariantId.AFTER], ids=lambda row: row.id.value)
def test_every_invariant_that_can_be_seen_is_known_to_the_reference(row: Any) -> None:
    from pathlib import Path

    import fleetplan.rollout.proofread as document
    import fleetplan.rollout.replay as play

    assert any(f"InvariantId.{row.id.name}" in Path(str(module.__file__)).read_text() for module in (document, play))

"""What of a plan was approved: it changes with what somebody answers for, and with nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from msgspec.structs import replace

from fleetplan import workflow
from fleetplan.fleet.model import GuestName, HostName, Release
from fleetplan.follow.approved import Approved, approved
from fleetplan.rollout.plan import Infeasible, Plan, Step, StepKind

ROOT = Path(__file__).resolve().parent.parent.parent


def plan_of(name: str) -> Plan:
    outcome = workflow.make_plan(workflow.study(ROOT / "inventories" / name, date(2026, 11, 24))).outcome
    assert not isinstance(outcome, Infeasible)
    return outcome


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_of("half-upgraded.yaml")


def changed(plan: Plan, change: Callable[[Step], Step]) -> Plan:
    return replace(plan, waves=tuple(replace(wave, steps=tuple(map(change, wave.steps))) for wave in plan.waves))


def test_it_says_order_pins_and_restarts(plan: Plan) -> None:
    found = approved(plan)
    assert found.waves == (("n1-03", "n1-01"), ("n1-04", "n1-05"), ("n1-02",))
    assert found.pins == {"ledger-1": "1.1", "new-24": "1.1", "new-30": "1.1"}
    assert found.restarts == ("ledger-1", "new-24", "new-30")
    assert found.wave_of()[HostName("n1-05")] == 2


def test_gates_are_approved_with_what_they_wait_for() -> None:
    found = approved(plan_of("three-zones"))
    assert [gate.after for gate in found.gates] == sorted({gate.after for gate in found.gates})
    assert found.gates
    assert all(gate.note for gate in found.gates)


def test_landings_and_times_are_not(plan: Plan) -> None:
    def elsewhere(step: Step) -> Step:
        if step.kind is not StepKind.MIGRATE:
            return step
        return replace(step, destination=HostName("n1-10"), start_s=step.start_s + 7, duration_s=step.duration_s + 1)

    assert approved(changed(plan, elsewhere)).digest == approved(plan).digest


def test_a_verdict_that_somebody_answers_for_is(plan: Plan) -> None:
    one = next(step for wave in plan.waves for step in wave.steps if step.kind is StepKind.MIGRATE)
    other = changed(plan, lambda step: replace(step, verdict="STRIPS") if step.id == one.id else step)
    assert approved(other).answered == {one.guest: ("STRIPS",)}


OTHERS: list[Callable[[Approved], Approved]] = [
    lambda found: replace(found, target=Release("6.18.16", "qemu-11.1.3")),
    lambda found: replace(found, waves=found.waves[::-1]),
    lambda found: replace(found, pins={}),
    lambda found: replace(found, restarts=found.restarts[1:]),
    lambda found: replace(found, answered={GuestName("web-01"): ("STRIPS",)}),
    lambda found: replace(found, skipped=(HostName("n1-09"),)),
]


@pytest.mark.parametrize("other", OTHERS)
def test_the_digest_tells_any_other_approval(plan: Plan, other: Callable[[Approved], Approved]) -> None:
    assert other(approved(plan)).digest != approved(plan).digest

"""What of two plans or inventories needs a new approval."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from fleetplan import workflow
from fleetplan.fleet.model import Birth, Fleet, Group, GroupName, GuestName, HostName, HostState, Release, ReleaseFacts
from fleetplan.fleet.policy import GateRule, Policy, Waiver
from fleetplan.follow.diff import ChangeKind, Changes, diff_inventories, diff_plans
from fleetplan.rollout.plan import Plan, Step, StepKind

ROOT = Path(__file__).resolve().parent.parent.parent
TODAY = date(2026, 11, 24)
NEWER = Release("7.1.2", "qemu-11.1.3")


@pytest.fixture(scope="module")
def study() -> workflow.Study:
    return workflow.study(ROOT / "inventories" / "half-upgraded.yaml", TODAY)


@pytest.fixture(scope="module")
def fleet(study: workflow.Study) -> Fleet:
    return study.fleet


@pytest.fixture(scope="module")
def plan(study: workflow.Study) -> Plan:
    outcome = workflow.make_plan(study).outcome
    assert isinstance(outcome, Plan)
    return outcome


def steps(plan: Plan, change: Callable[[Step], Step]) -> Plan:
    return replace(plan, waves=tuple(replace(wave, steps=tuple(map(change, wave.steps))) for wave in plan.waves))


def kinds(changes: Changes) -> tuple[set[ChangeKind], set[ChangeKind]]:
    return {change.kind for change in changes.to_approve}, {change.kind for change in changes.others}


# --- plans ----------------------------------------------------------------------------------------------------------------------------


def without(plan: Plan, kind: StepKind) -> Plan:
    return replace(plan, waves=tuple(replace(w, steps=tuple(s for s in w.steps if s.kind is not kind)) for w in plan.waves))


PLANS: dict[ChangeKind, Callable[[Plan], Plan]] = {
    ChangeKind.TARGET: lambda plan: replace(plan, target=NEWER),
    ChangeKind.ORDER: lambda plan: replace(plan, waves=(replace(plan.waves[0], hosts=plan.waves[0].hosts[:1]), *plan.waves[1:])),
    ChangeKind.SKIPPED: lambda plan: replace(plan, skipped={HostName("n1-02"): "why"}),
    ChangeKind.PIN: lambda plan: replace(plan, pins=plan.pins[1:]),
    ChangeKind.RESTART: lambda plan: without(plan, StepKind.STOP),
    ChangeKind.ANSWER: lambda plan: steps(plan, lambda step: replace(step, verdict="STRIPS") if step.verdict else step),
    ChangeKind.GATE: lambda plan: steps(plan, lambda step: replace(step, kind=StepKind.GATE) if step.kind is StepKind.CHECK else step),
}
OTHERS: dict[ChangeKind, Callable[[Plan], Plan]] = {
    ChangeKind.LANDING: lambda plan: steps(plan, lambda s: replace(s, destination=HostName("n1-10")) if s.destination else s),
    ChangeKind.TIME: lambda plan: replace(plan, bounds=replace(plan.bounds, makespan_s=replace(plan.bounds.makespan_s, plan=1))),
    ChangeKind.ON_FAILURE: lambda plan: replace(plan, on_failure=replace(plan.on_failure, retries=7)),
    ChangeKind.INVENTORY: lambda plan: replace(plan, inventory_digest="sha256:other"),
}


@pytest.mark.parametrize("kind", PLANS)
def test_what_somebody_answers_for_needs_a_new_approval(plan: Plan, kind: ChangeKind) -> None:
    for changes in (diff_plans(plan, PLANS[kind](plan)), diff_plans(PLANS[kind](plan), plan)):
        assert kinds(changes) == ({kind}, set())
        assert changes.digests[0] != changes.digests[1]


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_worked_out_anew_does_not(plan: Plan, kind: ChangeKind) -> None:
    changes = diff_plans(plan, OTHERS[kind](plan))
    assert kinds(changes) == (set(), {kind})
    assert changes.digests[0] == changes.digests[1]


def test_a_plan_does_not_differ_from_itself(plan: Plan) -> None:
    assert kinds(diff_plans(plan, plan)) == (set(), set())


def test_the_next_wave_of_a_plan_needs_no_approval(study: workflow.Study, plan: Plan) -> None:
    subject = workflow.after_wave(study, plan, 1)
    outcome: Any = workflow.next_wave(subject, plan)
    assert diff_plans(plan, outcome.plan).to_approve == ()
    strange = replace(outcome.plan, waves=(replace(outcome.plan.waves[0], hosts=("n1-99",)),))
    assert kinds(diff_plans(plan, strange))[0] == {ChangeKind.ORDER}


# --- inventories ----------------------------------------------------------------------------------------------------------------------


def host(fleet: Fleet, **fields: Any) -> Fleet:
    return replace(fleet, hosts=(replace(fleet.hosts[0], **fields), *fleet.hosts[1:]))


def guest(fleet: Fleet, **fields: Any) -> Fleet:
    first, *rest = fleet.guests
    return replace(fleet, guests=(replace(first, **fields), *rest))  # type: ignore[arg-type]


def differs(fleet: Fleet, changed: Fleet) -> tuple[set[ChangeKind], set[ChangeKind]]:
    return kinds(diff_inventories(fleet, changed, ("one", "other")))


def test_what_people_decide_needs_a_new_approval(fleet: Fleet) -> None:
    decided = {
        ChangeKind.TARGET: replace(fleet, target=NEWER),
        ChangeKind.POLICY: replace(fleet, policy=replace(fleet.policy, gates=(GateRule(after=1),))),
        ChangeKind.GROUP: replace(fleet, groups={GroupName("new"): Group(name=GroupName("new"))}),
        ChangeKind.HOST_TO_UPGRADE: host(fleet, release=NEWER),
        ChangeKind.WAIVER: replace(fleet, waivers=(Waiver(scope=("a",), reason="r", owner="o", expires="2027-01-01", rule="FP203"),)),
        ChangeKind.RELEASE_FACTS: replace(fleet, releases=(ReleaseFacts(release=NEWER, facts=fleet.hosts[0].facts),)),
        ChangeKind.PERMISSION: guest(fleet, restartable=not fleet.guests[0].restartable),
    }
    assert {kind: differs(fleet, changed) for kind, changed in decided.items()} == {kind: ({kind}, set()) for kind in decided}
    added = replace(fleet, hosts=(*fleet.hosts, replace(fleet.hosts[0], name=HostName("z-new"))))
    assert differs(fleet, added) == ({ChangeKind.HOST_TO_UPGRADE}, set())


def test_what_is_needs_none(fleet: Fleet) -> None:
    reported = {
        ChangeKind.HOST: (host(fleet, state=HostState.DOWN), host(fleet, release=fleet.target), replace(fleet, hosts=fleet.hosts[1:])),
        ChangeKind.GUEST: (
            guest(fleet, memory_mib=77, on=fleet.hosts[1].name, born=Birth(psci="1.0")),
            guest(fleet, name=GuestName("newcomer")),
        ),
    }
    for kind, fleets in reported.items():
        assert [differs(fleet, changed) for changed in fleets] == [(set(), {kind})] * len(fleets)
    assert differs(fleet, fleet) == (set(), set())


def test_every_key_of_policy_counts(fleet: Fleet) -> None:
    """A policy of which any field is another than it was is another policy."""
    for field in msgspec.structs.fields(Policy):
        if field.name != "at":
            changed = replace(fleet, policy=replace(fleet.policy, **{field.name: None}))
            assert differs(fleet, changed) == ({ChangeKind.POLICY}, set()), field.name

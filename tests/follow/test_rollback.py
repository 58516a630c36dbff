"""The kernel is bad, after the first wave: with pins the rollout goes back to its end, without the refusal names who cannot, and why."""

from __future__ import annotations

from datetime import date

from msgspec.structs import replace

from fleetplan import workflow
from fleetplan.fleet.model import Release
from fleetplan.follow.chance import Chances
from fleetplan.follow.simulate import simulate
from fleetplan.rollout.plan import BlockedOn, Cause, Infeasible, Plan, StepKind

from .conftest import OLD, ROOT


def back(name: str, **guests: bool) -> tuple[workflow.Study, Plan | Infeasible]:
    """The plan to the old release from the state that is; `guests` may restart or may not."""
    subject = workflow.study(ROOT / "inventories" / name, date(2026, 11, 24))
    fleet = subject.fleet
    if guests:
        records = [replace(each, restartable=guests.get(each.name.replace("-", "_"), each.restartable)) for each in fleet.guests]
        changed = replace(fleet, guests=tuple(records))  # type: ignore[arg-type]
        subject = workflow.Study(changed, changed, (), date(2026, 11, 24))
    subject = workflow.retargeted(subject, OLD)
    planned = workflow.make_plan(subject)
    assert not planned.violations
    return subject, planned.outcome


def leaves(cause: Cause) -> list[Cause]:
    return [cause, *(leaf for deeper in cause.because for leaf in leaves(deeper))]


def test_with_pins_every_guest_goes_back_though_moves_fail() -> None:
    subject, plan = back("rollback-pinned.yaml")
    assert isinstance(plan, Plan)
    result = simulate(subject.fleet, subject.classes, plan, Chances(seed=2, fail_move=0.4))
    assert result.end.reached
    assert {host.release for host in subject.fleet.hosts} == {OLD, Release("6.18.15", OLD.vmm)}
    assert result.waves[-1].on_target == len(subject.fleet.hosts)
    assert sum(wave.failed_moves for wave in result.waves) > 0


def test_without_pins_the_refusal_names_who_cannot_and_why() -> None:
    _, refusal = back("rollback-unpinned.yaml")
    assert isinstance(refusal, Infeasible)
    said = [leaf for cause in refusal.causes for leaf in leaves(cause)]
    assert {leaf.facts["guest"] for leaf in said if "guest" in leaf.facts} == {"new-1"}
    why = next(leaf.facts for leaf in said if leaf.blocked_on is BlockedOn.VERDICT and "errno" in leaf.facts)
    assert (why["register"], why["errno"]) == ("PSCI_VERSION", "EINVAL")
    assert any(remedy.tried and "new-1" in str(remedy.facts) for remedy in refusal.remedies)


def test_who_may_restart_comes_up_on_the_old_kernel() -> None:
    _, plan = back("rollback-unpinned.yaml", new_1=True)
    assert isinstance(plan, Plan)
    assert {step.guest for wave in plan.waves for step in wave.steps if step.kind is StepKind.STOP} == {"db-1", "new-1", "new-2"}

"""A release between: named where two plans, one after the other, lead to the target, and nowhere else."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from msgspec.structs import replace

from fleetplan import workflow
from fleetplan.fleet.model import Fleet, Guest, Release, ReleaseFacts
from fleetplan.judge.verify import verify
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.search import plan as make_plan
from fleetplan.rollout.plan import Infeasible, Plan, Remedy, RemedyKind
from fleetplan.rollout.state import State, after_wave

DIGEST = "sha256:test"
STONE = Release("6.18.15", "qemu-11.1.3")


@pytest.fixture
def fleet() -> Fleet:
    path = Path(__file__).resolve().parent.parent.parent / "inventories" / "stepping-stone.yaml"
    return workflow.study(path, date(2026, 11, 24)).fleet


def stones(fleet: Fleet) -> list[Remedy]:
    told = make_plan(fleet, ClassTable(fleet), digest=DIGEST)
    assert isinstance(told, Infeasible)
    return [remedy for remedy in told.remedies if remedy.kind is RemedyKind.STEPPING_STONE]


def test_a_stone_on_offer_is_named_and_leads_to_the_target(fleet: Fleet) -> None:
    (stone,) = stones(fleet)
    assert (stone.facts["via"], stone.facts["then"], stone.tried) == (str(STONE), str(fleet.target), True)
    first = replace(fleet, target=STONE)
    there = make_plan(first, ClassTable(first), digest=DIGEST)
    assert isinstance(there, Plan)
    state = after_wave(first, ClassTable(first), there, len(there.waves))
    second = replace(state.fleet, target=fleet.target)
    table = State(second, state.states).classes()
    on = make_plan(second, table, digest=DIGEST)
    assert isinstance(on, Plan)
    assert verify(second, table, on, digest=DIGEST) == []


def test_what_is_not_on_offer_is_not_named(fleet: Fleet) -> None:
    assert stones(replace(fleet, releases=())) == []
    newer = ReleaseFacts(release=Release("7.2.0", fleet.target.vmm), facts=fleet.releases[0].facts)
    assert stones(replace(fleet, releases=(newer,))) == []


def test_no_stone_helps_a_guest_that_never_moves(fleet: Fleet) -> None:
    never: list[Guest] = [replace(guest, migratable=False) for guest in fleet.guests]
    assert stones(replace(fleet, guests=never)) == []  # type: ignore[arg-type]

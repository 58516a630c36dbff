"""Following a previous plan: nothing changes that need not, and what must change holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from numpy.random import default_rng

from fleetplan import workflow
from fleetplan.fleet.model import Fleet, HostState
from fleetplan.judge.verify import verify
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.search import plan as make_plan
from fleetplan.rollout.plan import Infeasible, Plan
from fleetplan.rollout.state import State, after_wave, gates_left
from fleetplan.rollout.tally import kept

DIGEST = "sha256:test"
ROOT = Path(__file__).resolve().parent.parent.parent


def examples() -> Iterator[tuple[Fleet, Plan]]:
    for name in ("half-upgraded.yaml", "mixed-cpus.yaml", "old-kernels.yaml", "small.yaml", "three-zones", "tight.yaml"):
        fleet = workflow.study(ROOT / "inventories" / name, date(2026, 11, 24)).fleet
        made = make_plan(fleet, ClassTable(fleet), digest=DIGEST)
        assert isinstance(made, Plan)
        yield fleet, made


@pytest.fixture(scope="module")
def planned() -> list[tuple[Fleet, Plan]]:
    return list(examples())


def hosts(plan: Plan) -> list[set[str]]:
    return [set(wave.hosts) for wave in plan.waves]


def test_a_plan_that_still_holds_is_followed_to_the_end(planned: list[tuple[Fleet, Plan]]) -> None:
    """From the state after any wave the rest of the plan is found again: the same hosts wave by wave, the same landings."""
    for fleet, before in planned:
        classes = ClassTable(fleet)
        for wave in {0, 1, len(before.waves) - 1}:
            state = after_wave(fleet, classes, before, wave)
            now = replace(state.fleet, policy=gates_left(fleet.policy, wave))
            table = State(now, state.states).classes()
            again = make_plan(now, table, digest=DIGEST, previous=before)
            assert isinstance(again, Plan)
            assert verify(now, table, again, digest=DIGEST) == []
            assert hosts(again) == hosts(before)[wave:]
            same, both = kept(now, before, again)
            assert same == both


def test_whatever_has_become_of_the_fleet_the_plan_holds(planned: list[tuple[Fleet, Plan]]) -> None:
    """Hosts died or were cordoned, guests are somewhere else or gone: the judge passes the plan, and more is kept than without it."""
    followed = plain = 0
    for seed in range(30):
        fleet, before = planned[seed % len(planned)]
        other = disturbed(fleet, seed)
        table = ClassTable(other)
        again, fresh = make_plan(other, table, digest=DIGEST, previous=before), make_plan(other, table, digest=DIGEST)
        assert isinstance(again, Infeasible) == isinstance(fresh, Infeasible)
        if isinstance(again, Plan) and isinstance(fresh, Plan):
            assert verify(other, table, again, digest=DIGEST) == []
            followed += kept(other, before, again)[0]
            plain += kept(other, before, fresh)[0]
    assert followed > 2 * plain


def disturbed(fleet: Fleet, seed: int) -> Fleet:
    rng = default_rng(seed)
    machines = list(fleet.hosts)
    one, other = rng.integers(len(machines), size=2).tolist()
    empty = {host.name for host in machines} - {fleet.guests.host_names[number] for number in set(fleet.guests.on)}
    if machines[one].name in empty:
        machines[one] = replace(machines[one], state=HostState.DOWN)
    machines[other] = replace(machines[other], state=HostState.CORDONED)
    guests: list[Any] = [guest for guest in fleet.guests if rng.random() > 0.05]
    return replace(fleet, hosts=tuple(machines), guests=guests)  # type: ignore[arg-type]

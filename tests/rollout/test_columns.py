"""Columns say what records say."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from fleetplan.inventory.digest import inventory_digest
from fleetplan.inventory.load import load
from fleetplan.inventory.plan_text import encode_plan
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.search import plan
from fleetplan.rollout.columns import NONE, SCOPES, STATES, Steps, fleet_columns, step_columns, step_records
from fleetplan.rollout.plan import Plan

INVENTORIES = Path(__file__).resolve().parents[2] / "inventories"
PLANNED = ["half-upgraded.yaml", "mixed-cpus.yaml", "small.yaml", "tight.yaml"]


@pytest.mark.parametrize("name", PLANNED)
def test_steps_come_back_as_they_were(name: str) -> None:
    fleet = load(INVENTORIES / name).fleet
    assert fleet is not None
    made = plan(fleet, ClassTable(fleet), digest=inventory_digest(fleet))
    assert isinstance(made, Plan)
    hosts, guests = [host.name for host in fleet.hosts], [guest.name for guest in fleet.guests]
    columns = step_columns(made, hosts, guests)
    assert step_records(columns) == [step for wave in made.waves for step in wave.steps]
    usual = replace_ids(columns)
    assert [usual.id(step) for step in range(len(usual))] == [step.id for wave in made.waves for step in wave.steps]
    first = 0
    waves = []
    for wave in made.waves:
        view = Steps(columns, first, first + len(wave.steps))
        assert tuple(view) == tuple(wave.steps)
        assert view[-1] == wave.steps[-1]
        assert view[1:3] == tuple(wave.steps[1:3])
        waves.append(replace(wave, steps=view))
        first += len(wave.steps)
    again = replace(made, waves=tuple(waves))
    assert step_columns(again, hosts, guests) is columns
    assert encode_plan(replace(again, waves=tuple(replace(wave, steps=tuple(wave.steps)) for wave in waves))) == encode_plan(made)


def replace_ids(columns):  # type: ignore[no-untyped-def]
    from dataclasses import replace as changed

    return changed(columns, given_ids=None)


def test_fleets_say_the_same() -> None:
    fleet = load(INVENTORIES / "half-upgraded.yaml").fleet
    assert fleet is not None
    columns = fleet_columns(fleet, ClassTable(fleet))
    for place, host in enumerate(fleet.hosts):
        row = columns.hosts
        assert (row.names[place], *row.size[place]) == (host.name, host.vcpus, host.memory_mib)
        assert (row.zone_names[row.zone[place]], row.rack_names[row.rack[place]], row.pool_names[row.pool[place]]) == (
            host.zone,
            host.rack,
            host.pool,
        )
        assert STATES[row.state[place]] is host.state
        assert bool(row.on_target[place]) is (host.release == fleet.target)
    for place, guest in enumerate(fleet.guests):
        line = columns.guests
        assert fleet.hosts[line.on[place]].name == guest.on
        assert tuple(line.size[place]) == (guest.vcpus, guest.memory_mib)
        kept = guest.group is not None and fleet.groups[guest.group].apart is not None
        assert bool(line.group[place] != NONE) is kept
        if kept:
            assert guest.group is not None
            assert line.group_names[line.group[place]] == guest.group
            assert SCOPES[line.group_scope[line.group[place]]] is fleet.groups[guest.group].apart

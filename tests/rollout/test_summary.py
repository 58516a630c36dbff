"""Waves in short: the same of records and of columns."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from fleetplan.inventory.digest import inventory_digest
from fleetplan.inventory.load import load
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.search import plan
from fleetplan.rollout.columns import Steps, step_columns
from fleetplan.rollout.plan import Plan, StepKind
from fleetplan.rollout.summary import summary

INVENTORIES = Path(__file__).resolve().parents[2] / "inventories"


@pytest.mark.parametrize("name", ["half-upgraded.yaml", "small.yaml", "tight.yaml"])
def test_of_columns_as_of_records(name: str) -> None:
    fleet = load(INVENTORIES / name).fleet
    assert fleet is not None
    made = plan(fleet, ClassTable(fleet), digest=inventory_digest(fleet))
    assert isinstance(made, Plan)
    columns, first = step_columns(made, [host.name for host in fleet.hosts], fleet.guests.names), 0
    for wave in made.waves:
        records = tuple(wave.steps)
        short = summary(replace(wave, steps=Steps(columns, first, first + len(records))))
        assert short == summary(replace(wave, steps=records))
        assert sum(short.kinds.values()) == len(records)
        assert short.end_s == max(step.end_s for step in records if step.kind is not StepKind.GATE)
        assert summary(replace(wave, steps=Steps(columns, first, first))) == summary(replace(wave, steps=()))
        first += len(records)

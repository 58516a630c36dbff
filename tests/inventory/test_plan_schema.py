"""The contract of plan files: the schema is in step with the types, and what is written keeps to it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from fleetplan.inventory.digest import inventory_digest
from fleetplan.inventory.load import load
from fleetplan.inventory.plan_schema import plan_schema
from fleetplan.inventory.plan_text import encode_plan
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.search import plan

ROOT = Path(__file__).resolve().parent.parent.parent
SCHEMA = ROOT / "docs" / "plan.schema.json"


def written(name: str) -> dict[str, Any]:
    fleet = load(ROOT / "inventories" / name).fleet
    assert fleet is not None
    document: dict[str, Any] = json.loads(encode_plan(plan(fleet, ClassTable(fleet), digest=inventory_digest(fleet))))
    return document


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture(scope="module")
def sound() -> str:
    return json.dumps(written("half-upgraded.yaml"))


def test_the_schema_is_made_from_the_types() -> None:
    if os.environ.get("FLEETPLAN_BLESS"):
        SCHEMA.write_bytes(plan_schema())
    assert SCHEMA.read_bytes() == plan_schema()


@pytest.mark.parametrize(
    "name", ["half-upgraded.yaml", "mixed-cpus.yaml", "no-safe-plan.yaml", "old-kernels.yaml", "small.yaml", "tight.yaml"]
)
def test_plans_keep_to_it(validator: jsonschema.Draft202012Validator, name: str) -> None:
    validator.validate(written(name))


BROKEN: dict[str, Callable[[dict[str, Any]], object]] = {
    "no digest": lambda plan: plan.pop("inventory_digest"),
    "no placement": lambda plan: plan.pop("placement"),
    "another version": lambda plan: plan.update(version=2),
    "made, and infeasible": lambda plan: plan.update(status="INFEASIBLE"),
    "kind": lambda plan: plan["waves"][0]["steps"][0].update(kind="jump"),
    "verdict": lambda plan: plan["waves"][0]["steps"][0].update(verdict="MAYBE"),
    "null": lambda plan: plan["waves"][0]["steps"][0].update(note=None),
    "number": lambda plan: plan["waves"][0]["steps"][0].update(start_s="1"),
    "site": lambda plan: plan["sites"].update(x={"vmm": "qemu-10.0"}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_plan_does_not_keep_to_it(validator: jsonschema.Draft202012Validator, sound: str, name: str) -> None:
    document = json.loads(sound)
    assert validator.is_valid(document)
    BROKEN[name](document)
    assert not validator.is_valid(document)


def test_keys_may_be_added(validator: jsonschema.Draft202012Validator, sound: str) -> None:
    document = json.loads(sound)
    document["more"] = document["waves"][0]["steps"][0]["more"] = 1
    assert validator.is_valid(document)

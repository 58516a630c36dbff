"""The contract of plan files as a JSON Schema, made from the types that are written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from fleetplan.inventory.planfile import VERSION
from fleetplan.migration.reasons import Verdict
from fleetplan.rollout import part
from fleetplan.rollout import plan as types
from fleetplan.rollout.plan import Infeasible, Plan, PlanStatus


def plan_schema() -> bytes:
    """What `fleetplan plan --format json` and `-o` write, as JSON Schema 2020-12. Keys may be added to objects, so others are allowed."""
    _, definitions = msgspec.json.schema_components([Plan, Infeasible])
    for kind in _structs():
        if kind.__name__ in definitions:
            _state(definitions[kind.__name__], omits=kind.__struct_config__.omit_defaults)
    made = [status.value for status in PlanStatus if status is not PlanStatus.INFEASIBLE]
    del definitions["PlanStatus"]
    for name, status in (("Plan", {"enum": made}), ("Infeasible", {"const": PlanStatus.INFEASIBLE.value})):
        definitions[name]["properties"] |= {"version": {"const": VERSION}, "status": status}
    definitions["Infeasible"]["required"] += ["status"]
    definitions["Step"]["properties"]["verdict"] = {"enum": [verdict.value for verdict in Verdict]}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A plan of fleetplan, or why there is none",
        "anyOf": [{"$ref": "#/$defs/Plan"}, {"$ref": "#/$defs/Infeasible"}],
        "$defs": dict(sorted(definitions.items())),
    }
    return msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n"


def _structs() -> Iterator[type[msgspec.Struct]]:
    for value in (*vars(types).values(), *vars(part).values()):
        if isinstance(value, type) and issubclass(value, msgspec.Struct):
            yield value


def _state(definition: dict[str, Any], *, omits: bool) -> None:
    """What is written, where a type says what can be read: every key, or, of a type that omits its defaults, no default and no null."""
    definition["description"] = " ".join(definition.get("description", "").split())
    for key, value in definition["properties"].items():
        value.pop("default", None)
        if omits and "anyOf" in value:
            definition["properties"][key] = next(kind for kind in value["anyOf"] if kind != {"type": "null"})
    if not omits:
        definition["required"] = list(definition["properties"])

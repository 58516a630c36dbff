"""Large plan files: read into columns, they say what they say read as records."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fleetplan.fleet.model import Fleet
from fleetplan.inventory import plan_text, planfile
from fleetplan.inventory.digest import inventory_digest
from fleetplan.inventory.load import load
from fleetplan.inventory.plan_text import encode_plan
from fleetplan.inventory.planfile import read_plan
from fleetplan.judge.verify import verify
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.search import plan as search
from fleetplan.rollout.columns import Placement, Steps
from fleetplan.rollout.plan import Plan, Step, StepId, StepKind, Wave

INVENTORIES = Path(__file__).resolve().parents[2] / "inventories"
Change = Callable[[dict[str, Any]], object]


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planfile, "LARGE", 1)
    monkeypatch.setattr(plan_text, "MOST_INDENTED", -1)


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    found = load(INVENTORIES / "half-upgraded.yaml").fleet
    assert found is not None
    return found


@pytest.fixture(scope="module")
def made(fleet: Fleet) -> Plan:
    outcome = search(fleet, ClassTable(fleet), digest=inventory_digest(fleet))
    assert isinstance(outcome, Plan)
    return outcome


def in_columns(plan: Plan) -> bool:
    return all(isinstance(wave.steps, Steps) for wave in plan.waves) and isinstance(plan.placement, Placement)


def as_records(plan: Plan) -> Plan:
    waves = tuple(replace(wave, steps=tuple(wave.steps)) for wave in plan.waves)
    return replace(plan, waves=waves, placement=dict(plan.placement))


def test_a_plan_comes_back_as_it_was_byte_for_byte(tmp_path: Path, fleet: Fleet, made: Plan) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(encode_plan(made))
    again = read_plan(path, fleet)
    assert isinstance(again, Plan)
    assert in_columns(again)
    assert again.waves[0].steps.columns.given_ids is None  # type: ignore[attr-defined] # asserted just above
    assert as_records(again) == as_records(made)
    assert encode_plan(again) == encode_plan(made) == path.read_bytes() == msgspec.json.encode(as_records(made)) + b"\n"
    assert verify(fleet, ClassTable(fleet), again, digest=made.inventory_digest) == []


def test_a_plan_written_by_others_is_the_same_plan(tmp_path: Path, fleet: Fleet, made: Plan) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(json.loads(encode_plan(made)), indent=3))
    again = read_plan(path, fleet)
    assert isinstance(again, Plan)
    assert as_records(again) == as_records(made)


def _rename(document: dict[str, Any]) -> None:
    text = json.dumps(document["waves"]).replace("w1-", "wave-one-")
    document["waves"] = json.loads(text)


def _turn(document: dict[str, Any]) -> None:
    document["waves"][0]["steps"].reverse()


SAYABLE: dict[str, Change] = {
    "other ids": _rename,
    "waits for what stands later": _turn,
    "a note": lambda document: document["waves"][0]["steps"][0].update(note="é"),
    "no steps": lambda document: document["waves"].append({"number": 9, "hosts": [], "steps": []}),
    "further keys": lambda document: document.update(more={"a": [1]}),
}
UNSAYABLE: dict[str, Change] = {
    "the same id twice": lambda document: document["waves"][0]["steps"].append(document["waves"][0]["steps"][0]),
    "waits for nothing": lambda document: document["waves"][0]["steps"][0]["after"].append("w9"),
    "unknown host": lambda document: document["waves"][0]["steps"][0].update(host="nobody"),
    "unknown guest": lambda document: document["waves"][0]["steps"][0].update(guest="nobody"),
    "no verdict": lambda document: document["waves"][0]["steps"][0].update(verdict="MAYBE"),
    "before time": lambda document: document["waves"][0]["steps"][0].update(start_s=-1),
    "after time": lambda document: document["waves"][0]["steps"][0].update(duration_s=1 << 50),
    "another placement": lambda document: document["placement"].popitem(),
    "more placement": lambda document: document["placement"].update(nobody="n1-01"),
}


@pytest.mark.parametrize("name", [*SAYABLE, *UNSAYABLE])
def test_what_a_plan_says_is_never_lost(tmp_path: Path, fleet: Fleet, made: Plan, name: str) -> None:
    document = json.loads(encode_plan(made))
    (SAYABLE | UNSAYABLE)[name](document)
    path = tmp_path / "plan.json"
    path.write_bytes(json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode())
    read, records = read_plan(path, fleet), read_plan(path)
    assert isinstance(read, Plan)
    assert isinstance(records, Plan)
    assert in_columns(read) is (name in SAYABLE)
    assert as_records(read) == records


WRONG: dict[str, tuple[Change, str]] = {
    "kind": (lambda document: document["waves"][1]["steps"][3].update(kind="jump"), "`$.waves[1].steps[3].kind`"),
    "type": (lambda document: document["waves"][0]["steps"][2].update(start_s="1"), "`$.waves[0].steps[2].start_s`"),
    "no id": (lambda document: document["waves"][0]["steps"][1].pop("id"), "`$.waves[0].steps[1]`"),
    "no step": (lambda document: document["waves"][0]["steps"].insert(4, 5), "`$.waves[0].steps[4]`"),
    "no steps": (lambda document: document["waves"][0].update(steps=7), "`$.waves[0].steps`"),
    "hosts": (lambda document: document["waves"][0].update(hosts=[1]), "`$.waves[0].hosts[0]`"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, fleet: Fleet, made: Plan, name: str) -> None:
    document = json.loads(encode_plan(made))
    change, place = WRONG[name]
    change(document)
    path = tmp_path / "plan.json"
    path.write_bytes(json.dumps(document, separators=(",", ":")).encode())
    found = read_plan(path, fleet)
    assert isinstance(found, tuple)
    assert [finding.rule for finding in found] == ["FP126"]
    assert place in found[0].facts["problem"]
    assert found == read_plan(path)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.floats(0, 1), junk=st.binary(max_size=3))
def test_no_damage_raises(tmp_path: Path, fleet: Fleet, made: Plan, cut: float, junk: bytes) -> None:
    data = encode_plan(made)
    at = int(cut * len(data))
    path = tmp_path / "plan.json"
    path.write_bytes(data[:at] + junk + data[at + 1 :])
    found = read_plan(path, fleet)
    records = read_plan(path)
    assert (as_records(found) if isinstance(found, Plan) else found[0].rule) == (records if isinstance(records, Plan) else records[0].rule)


@pytest.mark.parametrize("steps", [0, 1, plan_text.AT_ONCE - 1, plan_text.AT_ONCE, plan_text.AT_ONCE + 1, 3 * plan_text.AT_ONCE])
def test_pieces_make_the_whole(made: Plan, steps: int) -> None:
    gates = tuple(Step(id=StepId(f'é"{place}'), kind=StepKind.GATE, after=(), start_s=place, duration_s=0) for place in range(steps))
    plan = replace(made, waves=(Wave(number=1, hosts=(), steps=gates), Wave(number=2, hosts=(), steps=gates)))
    assert encode_plan(plan) == msgspec.json.encode(as_records(plan)) + b"\n"
    assert encode_plan(replace(plan, waves=())) == msgspec.json.encode(as_records(replace(plan, waves=()))) + b"\n"
    assert encode_plan(replace(plan, placement={})) == msgspec.json.encode(as_records(replace(plan, placement={}))) + b"\n"

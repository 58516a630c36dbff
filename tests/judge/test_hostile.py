"""Whatever stands in a plan file, the judge says what is wrong with it, or it is no plan; it never stumbles."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetplan.fleet.model import Fleet
from fleetplan.inventory.plan_text import encode_plan
from fleetplan.inventory.planfile import read_plan
from fleetplan.judge.verify import verify
from fleetplan.migration.classes import ClassTable
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import Plan

DIGEST = "sha256:test"
Judge = Callable[[Any], list[Violation] | None]


@pytest.fixture(scope="session")
def judge_file(fleet: Fleet, classes: ClassTable, tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """Judges a JSON document (or its text) as a plan file; None where it is no plan."""
    path: Path = tmp_path_factory.mktemp("hostile") / "plan.json"

    def judge(document: Any) -> list[Violation] | None:
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        plan = read_plan(path)
        return None if isinstance(plan, tuple) else verify(fleet, classes, plan, digest=DIGEST)

    return judge


@pytest.fixture
def document(plan: Plan) -> Any:
    return json.loads(encode_plan(plan))


def all_steps(document: Any) -> list[Any]:
    return [step for wave in document["waves"] for step in wave["steps"]]


def broken(found: list[Violation] | None) -> set[InvariantId]:
    assert found is not None
    return {violation.invariant for violation in found}


def test_the_file_itself_is_good(document: Any, judge_file: Judge) -> None:
    assert judge_file(document) == []


@pytest.mark.parametrize("key", ["start_s", "duration_s"])
@pytest.mark.parametrize("value", [-1, -(2**63), 2**40, 2**62, 2**63 - 1, 2**63, 2**64, 10**30])
def test_times_beyond_all_bounds(key: str, value: int, document: Any, judge_file: Judge) -> None:
    all_steps(document)[3][key] = value
    found = judge_file(document)
    assert found is None or InvariantId.STEPS in broken(found)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e400", "1.5", "true", "null", '"0"', "[]", "-0.5"])
def test_times_that_are_no_whole_numbers(value: str, document: Any, judge_file: Judge) -> None:
    all_steps(document)[3]["start_s"] = "here"
    assert judge_file(json.dumps(document).replace('"here"', value)) is None


@pytest.mark.parametrize("number", [0, -1, 2, 2**31, 2**63, 10**25])
def test_wave_numbers_beyond_all_bounds(number: int, document: Any, judge_file: Judge) -> None:
    document["waves"][0]["number"] = number
    found = judge_file(document)
    assert found is None or InvariantId.WAVES in broken(found)


def test_steps_that_wait_in_a_circle(document: Any, judge_file: Judge) -> None:
    first, *_, last = all_steps(document)
    first["after"] = [last["id"]]
    assert InvariantId.ORDER in broken(judge_file(document))


def test_steps_of_no_length_that_wait_in_a_circle(document: Any, judge_file: Judge) -> None:
    cordons = [step for step in all_steps(document) if step["kind"] == "cordon"]
    starts = [step["start_s"] for step in cordons]
    cordons = [step for step in cordons if starts.count(step["start_s"]) > 1]
    cordons[0]["after"], cordons[1]["after"] = [cordons[1]["id"]], [cordons[0]["id"]]
    assert InvariantId.ORDER in broken(judge_file(document))


def test_a_step_that_waits_for_itself(document: Any, judge_file: Judge) -> None:
    cordon = next(step for step in all_steps(document) if step["kind"] == "cordon")
    cordon["after"] = [*cordon["after"], cordon["id"]]
    assert InvariantId.ORDER in broken(judge_file(document))


def test_a_step_that_waits_for_nothing_known(document: Any, judge_file: Judge) -> None:
    all_steps(document)[4]["after"] = ["no such step"]
    assert InvariantId.ORDER in broken(judge_file(document))


@pytest.mark.parametrize("word", ["safe", "SAFE ", "", "SAFE\u0000", "UNKNOWN", "\uff33\uff21\uff26\uff25"])
def test_words_that_are_no_verdict_or_the_wrong_one(word: str, document: Any, judge_file: Judge) -> None:
    next(step for step in all_steps(document) if step["kind"] == "migrate")["verdict"] = word
    assert InvariantId.VERDICT in broken(judge_file(document))


@pytest.mark.parametrize("name", ["a1\u0301", "A1", "a1 ", "a1\u200b", "\uff411", ""])
def test_names_that_only_look_like_known_ones(name: str, document: Any, judge_file: Judge) -> None:
    next(step for step in all_steps(document) if step["kind"] == "cordon" and step["host"] == "a1")["host"] = name
    assert InvariantId.STEPS in broken(judge_file(document))


def test_names_in_another_unicode_form_are_other_names(document: Any, judge_file: Judge) -> None:
    document["placement"] = {name.replace("bear", "be\u00e1r"): host for name, host in document["placement"].items()}
    assert InvariantId.INVENTORY in broken(judge_file(document))


def test_a_step_that_names_more_than_its_kind_needs(document: Any, judge_file: Judge) -> None:
    next(step for step in all_steps(document) if step["kind"] == "cordon")["destination"] = "a2"
    assert InvariantId.STEPS in broken(judge_file(document))


def test_all_steps_under_one_id(document: Any, judge_file: Judge) -> None:
    for step in all_steps(document):
        step["id"] = "same"
    assert InvariantId.STEPS in broken(judge_file(document))


def test_no_steps_at_all(document: Any, judge_file: Judge) -> None:
    document["waves"] = []
    assert InvariantId.UPGRADED in broken(judge_file(document))


def test_a_wave_that_names_a_host_twice(document: Any, judge_file: Judge) -> None:
    document["waves"][0]["hosts"] *= 2
    assert InvariantId.WAVES in broken(judge_file(document))


# --- anything anywhere ---------------------------------------------------------------------------------------------------------------

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 1, 2**31, 2**40, 2**63, 10**30, 1.5, "", "a1", "w1-gate", "SAFE", "\u0000", "1.1", "nan", [], {}]),
    st.text(max_size=3),
)


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to everything in a JSON document."""
    keys = list(document) if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    return [path, *(found for key in keys for found in places(document[key], (*path, key)))]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_anything_odd_anywhere_is_refused_or_judged(plan: Plan, judge_file: Judge, data: st.DataObject) -> None:
    document = json.loads(encode_plan(plan))
    for _ in range(data.draw(st.integers(1, 3))):
        *path, last = data.draw(st.sampled_from([path for path in places(document) if path]))
        inside = document
        for key in path:
            inside = inside[key]
        inside[last] = data.draw(ODD)
    found = judge_file(document)
    assert found is None or isinstance(found, list)

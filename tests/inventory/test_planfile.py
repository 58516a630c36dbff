"""Plan files: what is written is read again, and nothing is ever half-written."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from fleetplan.fleet.model import Release
from fleetplan.inventory.output_file import write_atomically
from fleetplan.inventory.plan_text import encode_plan, plan_pieces
from fleetplan.inventory.planfile import read_plan
from fleetplan.rollout.plan import BlockedOn, Bound, Bounds, Cause, Infeasible, Plan, PlanStatus, Step, StepId, StepKind, Wave

STEP = Step(id=StepId("s"), kind=StepKind.GATE, after=(), start_s=0, duration_s=5)
BOUND = Bound(plan=1, bound=1)
PLAN = Plan(
    inventory_digest="sha256:x",
    target=Release("6.18.15", "qemu-11.1.3"),
    status=PlanStatus.OPTIMAL,
    waves=(Wave(number=1, hosts=(), steps=(STEP,)),),
    bounds=Bounds(moves=BOUND, waves=BOUND, makespan_s=BOUND),
)
NO_PLAN = Infeasible(inventory_digest="sha256:x", target=PLAN.target, causes=(Cause(blocked_on=BlockedOn.CAPACITY),))


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_atomically(path, plan_pieces(PLAN))
    assert read_plan(path) == PLAN
    assert path.read_bytes().endswith(b"\n")


def test_steps_always_have_what_automation_needs() -> None:
    (wave,) = msgspec.json.decode(encode_plan(PLAN))["waves"]
    assert wave["steps"] == [{"id": "s", "kind": "gate", "after": [], "start_s": 0, "duration_s": 5}]


def test_no_plan_says_why() -> None:
    told = msgspec.json.decode(encode_plan(NO_PLAN))
    assert list(told) == ["version", "inventory_digest", "target", "status", "proved", "causes", "remedies"]
    assert told["status"] == "INFEASIBLE"


GOOD = encode_plan(PLAN)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD[: len(GOOD) // 2],
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        GOOD.replace(b'"version": 1', b'"version": 2'),
        GOOD.replace(b'"duration_s": 5', b'"duration_s": "5"'),
        GOOD.replace(b'"gate"', b'"dance"'),
        encode_plan(NO_PLAN),
    ],
    ids=["empty", "truncated", "list", "bytes", "deep", "version", "type", "kind", "infeasible"],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(data)
    found = read_plan(path)
    assert isinstance(found, tuple)
    assert [finding.rule for finding in found] == ["FP126"]


def test_a_missing_plan_is_told(tmp_path: Path) -> None:
    found = read_plan(tmp_path / "none.json")
    assert isinstance(found, tuple)
    assert [finding.rule for finding in found] == ["FP101"]

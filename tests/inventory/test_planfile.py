"""Plan files: what is written is read again, and nothing is ever half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from fleetplan.fleet.model import Release
from fleetplan.inventory.plan_text import encode_plan, plan_pieces
from fleetplan.inventory.planfile import read_plan, write_atomically
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


@pytest.mark.parametrize("broken", ["replace", "fsync"])
def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(b"old")

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path if broken == "replace" else os, broken, fails)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, [b"n", b"ew"])
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path, [b"x"])


def test_a_name_may_be_as_long_as_the_system_lets_it(tmp_path: Path) -> None:
    path = tmp_path / ("\N{CJK UNIFIED IDEOGRAPH-4E00}" * 85)
    write_atomically(path, [b"x"])
    assert path.read_bytes() == b"x"


def test_permissions_and_links_are_kept(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to(real)
    write_atomically(link, [b"new"])
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert real.stat().st_mode & 0o777 == 0o640


KILLED = """
import sys
from pathlib import Path
from fleetplan.inventory.planfile import write_atomically
print("ready", flush=True)
while True:
    write_atomically(Path(sys.argv[1]), [sys.argv[2].encode() * 1_000_000] * 2)
"""


def test_a_kill_in_the_middle_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(b"x" * 2_000_000)
    for letter in "abc":
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(path), letter], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.02 * (ord(letter) - 96))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        content = path.read_bytes()
        assert len(content) == 2_000_000
        assert len(set(content)) == 1

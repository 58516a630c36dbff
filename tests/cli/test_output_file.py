"""`-o FILE` of every verb that has it: claimed at once, refused clearly."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleetplan.cli.exits import Exit
from fleetplan.inventory.output_file import claimed

Fleetplan = Callable[..., Any]


@pytest.fixture
def plan(fleetplan: Fleetplan, inventory: Path, tmp_path: Path) -> Path:
    path = tmp_path / "approved.json"
    assert fleetplan("plan", inventory, "-o", path).code == Exit.CLEAN
    return path


@pytest.fixture
def calls(inventory: Path, plan: Path) -> list[tuple[str | Path, ...]]:
    return [("plan", inventory), ("next", inventory, plan), ("status", inventory, plan)]


def test_a_second_run_is_told_to_wait(fleetplan: Fleetplan, calls: list[tuple[str | Path, ...]], tmp_path: Path) -> None:
    out = tmp_path / "out"
    for call in calls:
        with claimed(out):
            told = fleetplan(*call, "-o", out)
        assert (told.code, told.out) == (Exit.USAGE, "")
        assert "another run of fleetplan is going to write it" in told.err
        assert not out.exists()
        assert fleetplan(*call, "-o", out).code == Exit.CLEAN
        out.unlink()


@pytest.mark.parametrize("place", ["/proc/none/plan.json", "/proc/plan.json"])
def test_a_place_that_cannot_be_written_is_told(fleetplan: Fleetplan, calls: list[tuple[str | Path, ...]], place: str) -> None:
    for call in calls:
        told = fleetplan(*call, "-o", place)
        assert (told.code, told.out) == (Exit.USAGE, "")
        assert "Could not open file" in told.err


def test_status_writes_what_it_would_print(fleetplan: Fleetplan, inventory: Path, plan: Path, tmp_path: Path) -> None:
    for form in ("text", "json", "prometheus"):
        printed = fleetplan("status", inventory, plan, "--format", form).out
        written = fleetplan("status", inventory, plan, "--format", form, "-o", tmp_path / "out")
        assert (written.out, (tmp_path / "out").read_text()) == ("", printed)


SMALL_DISK = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); from fleetplan.cli import main; main()"


def test_a_full_disk_below_stdout_is_told(inventory: Path, tmp_path: Path) -> None:
    """Not a bug of ours, and not a silent success. Here the system does not let the file grow."""
    for form in ("text", "json"):
        command = [sys.executable, "-c", SMALL_DISK, "plan", str(inventory), "--format", form]
        with (tmp_path / "out").open("w") as out:
            told = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
        assert (told.returncode, told.stderr) == (Exit.USAGE, "Error: standard output cannot be written: File too large\n")

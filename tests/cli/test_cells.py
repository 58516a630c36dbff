"""A folder of cells on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleetplan.cli.exits import Exit

Fleetplan = Callable[..., Any]


@pytest.fixture
def folder(inventory: Path, tmp_path: Path) -> Path:
    """Two cells, a file and a folder, that share two hosts at a time."""
    top = tmp_path / "cells"
    (top / "south").mkdir(parents=True)
    (top / "north.yaml").write_text(inventory.read_text())
    (top / "south" / "fleet.yaml").write_text(inventory.read_text())
    (top / "cells.yaml").write_text("cells: 1\nmax_unavailable: {fleet: 2}\n")
    return top


def test_cells_are_planned_alike_however_many_at_once(fleetplan: Fleetplan, folder: Path, tmp_path: Path) -> None:
    files = []
    for jobs in ("1", "2"):
        assert fleetplan("plan", folder, "--jobs", jobs, "-o", tmp_path / jobs).code == Exit.CLEAN
        files.append((tmp_path / jobs).read_bytes())
    assert files[0] == files[1]
    told = json.loads(files[0])
    assert [(cell["name"], cell["after"], cell["max_unavailable"]["fleet"]["count"]) for cell in told["cells"]] == [
        ("north.yaml", None, 1),
        ("south", None, 1),
    ]


def test_a_zone_that_is_written_out_is_the_same_zone(fleetplan: Fleetplan, inventory: Path) -> None:
    """Plans are bytes: what an inventory says by default, and what it says in words, gives the same."""
    silent = fleetplan("plan", inventory, "--format", "json").out
    inventory.write_text(inventory.read_text().replace("vcpus: 80,", "vcpus: 80, zone: default,"))
    assert fleetplan("plan", inventory, "--format", "json").out == silent


def test_the_plan_of_a_cell_holds_for_its_inventory(fleetplan: Fleetplan, folder: Path, tmp_path: Path) -> None:
    told = fleetplan("plan", folder, "--jobs", "1", "--format", "json").json
    for cell in told["cells"]:
        (tmp_path / "plan").write_text(json.dumps(cell["plan"]))
        assert fleetplan("verify", folder / cell["name"], tmp_path / "plan").code == Exit.CLEAN


def test_cells_that_have_no_share_wait(fleetplan: Fleetplan, folder: Path) -> None:
    (folder / "cells.yaml").write_text("cells: 1\nmax_unavailable: {fleet: 1}\n")
    told = fleetplan("plan", folder, "--jobs", "1", "--format", "json").json
    first, last = told["cells"]
    assert (first["after"], last["after"], last["starts_s"]) == (None, first["name"], first["ends_s"])
    assert "after" in fleetplan("plan", folder, "--jobs", "1").out


def test_what_is_wrong_in_any_cell_is_told(fleetplan: Fleetplan, folder: Path) -> None:
    for cell in ("north.yaml", "south/fleet.yaml"):
        (folder / cell).write_text((folder / cell).read_text().replace("vcpus: 80", "vcpu: 80"))
    told = fleetplan("plan", folder, "--jobs", "1")
    assert (told.code, told.out) == (Exit.USAGE, "")
    assert all(f"{cell}:4:" in told.err for cell in ("north.yaml", "south/fleet.yaml"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no content"),
        ("cells: 1\n", "max_unavailable"),
        ("cells: 2\nmax_unavailable: {fleet: 1}\n", "cells.yaml:1:8"),
        ("cells: 1\nmax_unavailable: {flet: 1}\n", "did you mean `fleet`?"),
        ("cells: [\n", "cells.yaml:2:1"),
    ],
)
def test_a_budget_that_cannot_be_read_is_told(fleetplan: Fleetplan, folder: Path, text: str, told: str) -> None:
    (folder / "cells.yaml").write_text(text)
    found = fleetplan("plan", folder, "--jobs", "1")
    assert (found.code, found.out) == (Exit.USAGE, "")
    assert told in found.err


def test_a_budget_that_is_used_up_is_no_plan(fleetplan: Fleetplan, folder: Path, tmp_path: Path) -> None:
    (folder / "cells.yaml").write_text("cells: 1\nmax_unavailable: {fleet: 0}\n")
    found = fleetplan("plan", folder, "--jobs", "1", "-o", tmp_path / "out")
    assert found.code == Exit.NO_PLAN
    assert "no more than 0 may be" in found.err
    assert not (tmp_path / "out").exists()


def test_a_cell_without_a_plan_is_named(fleetplan: Fleetplan, folder: Path, tmp_path: Path) -> None:
    path = folder / "north.yaml"
    path.write_text(path.read_text().replace("migrate: never, restart: ok", "migrate: never"))
    found = fleetplan("plan", folder, "--jobs", "1", "-o", tmp_path / "out")
    assert found.code == Exit.NO_PLAN
    assert "Cell north.yaml" in found.err
    assert not (tmp_path / "out").exists()


def test_options_that_do_not_go_together_are_told(fleetplan: Fleetplan, folder: Path, inventory: Path) -> None:
    assert fleetplan("plan", folder, "--max-waves", "3").code == Exit.USAGE
    assert "cells.yaml" in fleetplan("plan", inventory, "--jobs", "2").err

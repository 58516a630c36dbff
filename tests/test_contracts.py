"""The import contracts hold, and each of them would notice."""

from __future__ import annotations

import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINT = Path(sys.executable).parent / "lint-imports"

LAYERS = [
    "cli",
    "tui",
    "workflow",
    "output",
    "inventory",
    "findings",
    "follow",
    "planner",
    "rollout",
    "migration",
    "fleet",
    "firmware",
    "probe",
]
"""From the top down, one of each pair of siblings."""

NOT_BUILT = {"tui", "probe", "importers"}

PLANTED = [
    *(pytest.param(lower, f"from fleetplan import {upper}", id=f"{lower} imports {upper}") for upper, lower in pairwise(LAYERS)),
    pytest.param("importers", "from fleetplan import workflow", id="importers imports workflow"),
    pytest.param("output", "from fleetplan import importers", id="output imports its sibling"),
    pytest.param("judge", "from fleetplan.planner import search", id="judge imports planner"),
    pytest.param("planner", "from fleetplan.judge import verify", id="planner imports judge"),
    pytest.param("output", "from fleetplan.inventory import load", id="output imports inventory"),
    pytest.param("firmware/registers", "from fleetplan.firmware import vcpu", id="registers imports vcpu"),
    pytest.param("firmware/kernels", "from fleetplan.firmware import guest_view", id="kernels imports guest_view"),
    pytest.param("inventory", "import numpy", id="inventory imports numpy"),
    pytest.param("planner", "import ortools", id="planner imports the solver"),
    pytest.param("findings", "import networkx", id="findings imports networkx"),
    pytest.param("firmware", "import numpy", id="firmware imports numpy"),
    pytest.param("fleet", "import textual", id="fleet imports textual"),
    pytest.param("output", "import textual", id="output imports textual"),
    pytest.param("tui/moves/table", "import rich", id="a model of a screen imports the terminal"),
    pytest.param("inventory", "from fleetplan import importers", id="inventory imports importers"),
    pytest.param("kitchen", "", id="a room that no layer names"),
]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(LINT), "--no-cache"], cwd=folder, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(folder)}
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "fleetplan", tmp_path / "fleetplan", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_hold(copy: Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("room", "line"), PLANTED)
def test_a_planted_import_is_noticed(copy: Path, room: str, line: str) -> None:
    for name in NOT_BUILT & {room, line.rpartition(" ")[2]}:
        (copy / "fleetplan" / f"{name}.py").write_text('"""Planted."""\n')
    folder = copy / "fleetplan" / room
    if folder.is_dir():
        (folder / "planted.py").write_text(f'"""Planted."""\n\n{line}\n')
    else:
        file = folder.with_suffix(".py")
        file.write_text((file.read_text() if file.exists() else '"""Planted."""\n') + f"\n{line}\n")
    done = lint(copy)
    assert done.returncode != 0, done.stdout

"""What a quick command must not load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

LOADED = """
import sys
from fleetplan.cli import run
code = run(["check", "inventories/small.yaml"])
heavy = {"numpy", "networkx", "textual", "ortools", "scipy"} & set(sys.modules)
print(code, *sorted(heavy), file=sys.stderr)
"""

ROOMS = """
import sys
from fleetplan.cli import run
code = run(["check", "inventories/half-upgraded.yaml", *sys.argv[1:]])
rooms = {"planner", "judge", "follow", "rollout.columns", "tui"}
print(code, *sorted(room for room in rooms if f"fleetplan.{room}" in sys.modules), file=sys.stderr)
"""

PLANNED = LOADED.replace('"check"', '"plan"').replace("{", "{'ortools', 'pandas'} & {", 1)


def test_a_plan_without_exact_models_loads_no_solver() -> None:
    done = subprocess.run([sys.executable, "-c", PLANNED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.split() == ["0"]


@pytest.mark.parametrize("options", [(), ("--limit", "new-21"), ("--select", "FP2xx", "--format", "sarif"), ("--no-waivers",)])
def test_check_enters_no_room_that_plans_judges_or_draws(options: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, "-c", ROOMS, *options], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.split() == ["0"]


def test_check_loads_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.split() == ["0"]

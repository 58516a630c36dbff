"""The matrix: every cell is what the judgment of that move says."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetplan.fleet.model import Fleet
from fleetplan.inventory.load import load
from fleetplan.migration import matrix as matrices
from fleetplan.migration.classes import ClassTable
from fleetplan.migration.matrix import Mark, matrix
from fleetplan.migration.reasons import Verdict

ROOT = Path(__file__).resolve().parent.parent.parent


def inventory(name: str) -> tuple[Fleet, ClassTable]:
    fleet = load(ROOT / "inventories" / name).fleet
    assert fleet is not None
    return fleet, ClassTable(fleet)


@pytest.mark.parametrize("name", ["half-upgraded.yaml", "mixed-cpus.yaml", "old-kernels.yaml"])
def test_every_cell_is_what_the_judgment_says(name: str) -> None:
    fleet, classes = inventory(name)
    found = matrix(fleet, classes)
    assert found.ways is not None
    for row in found.rows:
        for host, ruling in zip(found.columns, row.rulings, strict=True):
            judgment = classes.judgment(*row.state, host)
            assert ruling == (judgment.verdict, judgment.stage)
            marks = found.ways.marks.get((row.state, host), ())
            allowed = classes.hop(*row.state, host).allowed
            assert not marks or allowed != (Mark.STEPPING_STONE in marks)


def test_rows_are_all_that_guests_are_and_become() -> None:
    fleet, classes = inventory("half-upgraded.yaml")
    found = matrix(fleet, classes)
    now = [row for row in found.rows if not row.upgraded]
    assert {row.state for row in now} == set(classes.states_now())
    assert sum(row.guests for row in now) == len(fleet.guests)
    assert len({row.state for row in found.rows}) == len(found.rows)
    target = set(classes.hosts_then)
    assert all(row.state[1] in target for row in found.rows if row.upgraded)
    for row in now:
        for host, there in zip(classes.hosts_now, classes.hosts_then, strict=True):
            hop = classes.hop(*row.state, there)
            if host == row.state[1] and hop.allowed:
                assert (hop.after, there) in {other.state for other in found.rows}


@pytest.mark.parametrize(
    ("name", "marks"),
    [("old-kernels.yaml", {(Mark.ONE_WAY_DOOR, Mark.TRAP)}), ("mixed-cpus.yaml", {(Mark.ONE_WAY_DOOR,)}), ("half-upgraded.yaml", set())],
)
def test_moves_are_marked(name: str, marks: set[tuple[Mark, ...]]) -> None:
    found = matrix(*inventory(name))
    assert found.ways is not None
    assert set(found.ways.marks.values()) == marks


def test_guests_that_cannot_move_are_there_as_restarted() -> None:
    fleet, classes = inventory("no-safe-plan.yaml")
    found = matrix(fleet, classes)
    for row in found.rows:
        if row.restarted:
            assert row.upgraded
    assert all(verdict in set(Verdict) for row in found.rows for verdict, _ in row.rulings)


def test_a_large_matrix_is_ruled_without_the_state_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet, classes = inventory("half-upgraded.yaml")
    whole = matrix(fleet, classes)
    monkeypatch.setattr(matrices, "MOST_CELLS", 3)
    ruled = matrix(fleet, ClassTable(fleet))
    assert ruled.ways is None
    assert [row.rulings for row in ruled.rows] == [row.rulings for row in whole.rows]

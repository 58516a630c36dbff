"""Exit codes of `diff`: nothing to approve, something to approve, bad input."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetplan.cli import run

ROOT = Path(__file__).resolve().parent.parent.parent
SMALL, TIGHT = (str(ROOT / "inventories" / name) for name in ("small.yaml", "tight.yaml"))


@pytest.fixture
def plans(tmp_path: Path) -> tuple[str, str]:
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    assert run(["plan", SMALL, "-o", one]) == 0
    assert run(["plan", TIGHT, "-o", other]) == 0
    return one, other


def test_exit_codes_of_diff(plans: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = plans
    (tmp_path / "broken").write_text('{"version": 1, "status": "OPTIMAL"}')
    assert [run(["diff", *pair]) for pair in ((one, one), (one, other), (SMALL, SMALL), (SMALL, TIGHT))] == [0, 1, 0, 1]
    assert [run(["diff", *pair]) for pair in ((one, SMALL), (SMALL, one), (str(tmp_path / "broken"), one), ("absent", one))] == [2, 2, 2, 2]
    assert "is a plan and" in capsys.readouterr().err

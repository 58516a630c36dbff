"""Cells on a real Dask cluster on this machine: the same bytes, also where a worker is killed on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.system, pytest.mark.filterwarnings("ignore")]

ROOT = Path(__file__).resolve().parent.parent.parent
TODAY = date(2026, 11, 24)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four cells of 100 and 400 hosts."""
    top = tmp_path_factory.mktemp("cells")
    for hosts in ("100", "400"):
        for seed in ("1", "2"):
            script = [sys.executable, ROOT / "scripts" / "generate_fleet.py", "--hosts", hosts, "--seed", seed]
            shape = ["--pools", "3", "--fill", "60-80", "-o", top / f"cell-{hosts}-{seed}"]
            subprocess.run([*script, *shape], check=True, capture_output=True)
    (top / "cells.yaml").write_text("cells: 1\nmax_unavailable: {fleet: 40}\n")
    return top


@pytest.fixture(scope="module")
def alone(folder: Path) -> bytes:
    """What this process makes of them."""
    from fleetplan.cells import pieces, plan_cells

    outcome = plan_cells(folder, TODAY, map, map)
    assert len(outcome.cells) == 4
    return b"".join(pieces(outcome))


@pytest.fixture(scope="module")
def distributed() -> Any:
    """Imported here, because it takes a second."""
    return pytest.importorskip("distributed", reason="needs Dask: pip install 'fleetplan[scale]'")


@pytest.fixture
def cluster(distributed: Any) -> Iterator[Any]:
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as found:
        yield found


def test_a_cluster_gives_the_same_plan(folder: Path, alone: bytes, cluster: Any, tmp_path: Path) -> None:
    from fleetplan.cli import run

    arguments = ["plan", str(folder), "--scheduler", cluster.scheduler_address, "--as-of", TODAY.isoformat(), "-o", str(tmp_path / "out")]
    assert run(arguments) == 0
    assert (tmp_path / "out").read_bytes() == alone


def test_a_worker_that_is_killed_changes_nothing(folder: Path, alone: bytes, distributed: Any, cluster: Any) -> None:
    """SIGKILL while it plans: what it had is planned by others."""
    from fleetplan.cells import pieces, plan_cells
    from fleetplan.cli import workers

    killed = []

    def kill() -> None:
        with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
            while not any(client.processing().values()):
                time.sleep(0.02)
            busy = next(address for address, tasks in client.processing().items() if tasks)
            killed.append(client.run(os.getpid, workers=[busy])[busy])
            os.kill(killed[0], signal.SIGKILL)

    with workers.cluster(cluster.scheduler_address) as spread:
        assassin = threading.Thread(target=kill)
        assassin.start()
        outcome = plan_cells(folder, TODAY, map, spread)
        assassin.join()
    assert killed
    assert b"".join(pieces(outcome)) == alone


def test_nobody_at_an_address_is_told(folder: Path, distributed: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from fleetplan.cli import run

    assert run(["plan", str(folder), "--scheduler", "tcp://127.0.0.1:1"]) == 2
    assert "no Dask scheduler answers" in capsys.readouterr().err

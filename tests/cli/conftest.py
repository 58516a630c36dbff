"""The command line in this process, with what it printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fleetplan.cli import run


@dataclass(frozen=True)
class Told:
    """What one command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def fleetplan(capfd: pytest.CaptureFixture[str]) -> Callable[..., Told]:
    def call(*arguments: str | Path) -> Told:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        printed = capfd.readouterr()
        return Told(code, printed.out, printed.err)

    return call


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """Three hosts, one of them empty; two guests, one of which may only restart."""
    path = tmp_path / "fleet.yaml"
    path.write_text(
        """\
fleetplan: 1
target: {kernel: 6.18.15, vmm: qemu-11.1.3}
hosts:
  arm-01: {kernel: 6.12.117, vmm: qemu-11.1.3, cpu: neoverse-n1, vcpus: 80, memory: 256GiB}
  arm-02: {like: arm-01}
  arm-03: {like: arm-01}
guests:
  web-1: {on: arm-01, vcpus: 8, memory: 32GiB}
  db-1: {on: arm-02, vcpus: 8, memory: 32GiB, migrate: never, restart: ok}
"""
    )
    return path

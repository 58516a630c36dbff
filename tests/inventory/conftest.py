"""Small inventories as text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fleetplan.inventory.load import Loaded, load

HEAD = "fleetplan: 1\ntarget: {kernel: 6.18.15, vmm: qemu-11.1.3}\n"
HOST = "kernel: 6.12.48, vmm: qemu-10.0.13, vcpus: 8, memory: 32GiB"


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Loaded]:
    """Load a text as `fleet.yaml` (or under another name)."""

    def call(text: str | bytes, name: str = "fleet.yaml") -> Loaded:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return load(path)

    return call


@pytest.fixture
def sound() -> str:
    return f"{HEAD}hosts:\n  a: {{{HOST}}}\n  b: {{like: a}}\nguests:\n  g: {{on: a, vcpus: 2, memory: 4GiB}}\n"

"""Kernels and hosts that the tests of this room share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fleetplan.firmware.kernels import KernelProfile, parse, profiles

DATA = Path(__file__).resolve().parent.parent / "data"
OBSERVED_KERNELS = ("5.10.223", "6.1.192", "6.12.117", "6.16.3", "6.18.15", "7.3.4")


@pytest.fixture(scope="session")
def observed_kernels() -> dict[str, KernelProfile]:
    """The profiles of the kernels of `tests/data/hosts.json`."""
    known = {text: profiles(parse(text)).known for text in OBSERVED_KERNELS}
    return {text: profile for text, profile in known.items() if profile is not None}


@pytest.fixture(scope="session")
def observed() -> dict[str, Any]:
    """Hosts that were asked: facts, levels and other registers (`scripts/compact_hosts.py`)."""
    content: dict[str, Any] = json.loads((DATA / "hosts.json").read_text())
    return content


@pytest.fixture(scope="session")
def restores() -> dict[str, Any]:
    """Which other registers of one observed host another refused (`scripts/compact_hosts.py`).

    A PSCI pin of the source changes none of those, so pairs stand here once; `scripts/evidence.py` looks at all of them.
    """
    content: dict[str, Any] = json.loads((DATA / "restores.json").read_text())
    names = content["registers"]
    refused = [[names[place] for place, _ in outcome if names[place][9:12] not in {"014", "016"}] for outcome in content["refused"]]
    pairs = dict.fromkeys((source, destination, outcome) for source, destination, pin, outcome in content["pairs"] if pin == 0)
    return {"refused": refused, "pairs": [list(pair) for pair in pairs], "observed_pairs": len(content["pairs"])}


@pytest.fixture(scope="session")
def metal() -> list[dict[str, Any]]:
    """ID and cache registers of real Neoverse N1 and V1 hosts (`scripts/compact_hosts.py`)."""
    content: list[dict[str, Any]] = json.loads((DATA / "metal.json").read_text())
    return content

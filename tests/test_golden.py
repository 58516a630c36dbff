"""Every verb on every example inventory prints what it printed before: stdout, stderr and exit code.

`scripts/bless` rewrites the golden files; read the difference before you commit it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleetplan.cli import run
from fleetplan.output.findings_formats import FORMATS
from fleetplan.output.runbooks.formats import EXPORTS

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"
BIG = 20_000
"""Output longer than this many characters is kept as its first lines and a digest."""

NEWER = "7.1.2,qemu-11.1.3"
"""A release that arrives while rollouts run."""

OLDER = "6.12.117,qemu-11.1.3"
"""The release to which a rollout goes back."""

TROUBLE = ("--seed", "2", "--fail-move", "0.05", "--fail-host", "0.04", "--churn", "0.002")

LARGEST = "three-zones"
"""Takes seconds to roll forward: once is enough."""

TODAY = ("--as-of", "2026-11-24")

PLAN = "PLAN"
"""Stands in an argument list for a file with the plan of the inventory."""

WHOLE = {"html", "junit", "prometheus", "sarif"}
"""Formats of `check` that tell of every rule: one example is enough."""

MESSAGE = "Could not set register fw reg 0 to 10003 (is 10001)"


@dataclass(frozen=True)
class Case:
    """One command line, and the file that says what it prints."""

    name: str
    arguments: tuple[str, ...]


def _inventories() -> list[str]:
    return sorted(path.name for path in (ROOT / "inventories").iterdir())


def _first_guest(inventory: str) -> tuple[str, str]:
    """A guest and a host to judge a move to: the first guest, and the last host that it is not on."""
    from fleetplan.inventory.load import load

    fleet = load(ROOT / "inventories" / inventory).fleet
    assert fleet is not None
    guest = fleet.guests[0]
    return guest.name, next(host.name for host in reversed(fleet.hosts) if host.name != guest.on)


def _cases() -> Iterator[Case]:
    for inventory in _inventories():
        path = f"inventories/{inventory}"
        stem = Path(inventory).stem
        guest, host = _first_guest(inventory)
        for form in ("text", "json"):
            yield Case(f"{stem}/check-reach.{form}", ("check", path, "--reach", "--format", form, *TODAY))
            yield Case(f"{stem}/plan.{form}", ("plan", path, "--format", form, *TODAY))
            yield Case(f"{stem}/registers.{form}", ("registers", path, "--format", form, *TODAY))
            yield Case(f"{stem}/verdict.{form}", ("verdict", path, guest, host, "--format", form, *TODAY))
            yield Case(f"{stem}/explain-guest.{form}", ("explain", path, guest, "--format", form, *TODAY))
            yield Case(f"{stem}/explain-message.{form}", ("explain", path, MESSAGE, "--format", form, *TODAY))
            yield Case(f"{stem}/matrix.{form}", ("verdict", path, "--matrix", "--format", form, *TODAY))
            yield Case(f"{stem}/graph-states.{form}", ("graph", "states", path, "--format", form, *TODAY))
            yield Case(f"{stem}/mechanisms.{form}", ("mechanisms", path, "--format", form, *TODAY))
        for form in sorted({"text", *FORMATS} - WHOLE) if stem != "unknown-facts" else ("text", *FORMATS):
            yield Case(f"{stem}/check.{form}", ("check", path, "--format", form, *TODAY))
        yield Case(f"{stem}/explain-guest-host.text", ("explain", path, guest, host, *TODAY))
        for form in ("text", "json", "csv"):
            yield Case(f"{stem}/audit.{form}", ("audit", path, "--format", form, *TODAY))
        yield Case(f"{stem}/audit-plan.text", ("audit", path, "--plan", PLAN, "--at", "end", *TODAY))
        yield Case(f"{stem}/audit-plan.json", ("audit", path, "--plan", PLAN, "--at", "after wave 1", "--format", "json", *TODAY))
        yield Case(f"{stem}/audit-plan.svg", ("audit", path, "--plan", PLAN, "--format", "svg", *TODAY))
        yield Case(f"{stem}/audit-timeline.csv", ("audit", path, "--plan", PLAN, "--timeline", "--format", "csv", *TODAY))
        for form in ("text", "json"):
            yield Case(f"{stem}/explain-plan-guest.{form}", ("explain", path, "--plan", PLAN, guest, "--format", form, *TODAY))
            yield Case(f"{stem}/explain-plan-host.{form}", ("explain", path, "--plan", PLAN, host, "--format", form, *TODAY))
        for form in ("text", "json"):
            yield Case(f"{stem}/next.{form}", ("next", path, PLAN, "--state-after", "1", "--format", form, *TODAY))
            yield Case(f"{stem}/status.{form}", ("status", path, PLAN, "--state-after", "1", "--format", form, *TODAY))
        for form in ("text", "json") if inventory != LARGEST else ("text",):
            yield Case(f"{stem}/simulate.{form}", ("simulate", path, *TROUBLE, "--format", form, *TODAY))
        for form in EXPORTS if stem == "half-upgraded" else ("markdown",):
            yield Case(f"{stem}/export.{form}", ("export", PLAN, "--to", form))
        yield Case(f"{stem}/compare.text", ("plan", path, "--target", NEWER, "--compare", *TODAY))
        yield Case(f"{stem}/graph-hosts.text", ("graph", "hosts", path, *TODAY))
        yield Case(f"{stem}/graph-steps.text", ("graph", "steps", path, *TODAY))
        if stem.startswith("rollback"):
            yield Case(f"{stem}/back.text", ("plan", path, "--target", OLDER, *TODAY))
    yield Case("explain-rule.text", ("explain", "FP211"))
    yield Case("explain-rule.json", ("explain", "FP211", "--format", "json"))
    for form in ("text", "json"):
        inventories = ("inventories/half-upgraded.yaml", "inventories/small.yaml")
        yield Case(f"diff-inventories.{form}", ("diff", *inventories, "--format", form, *TODAY))
    yield Case("small/status.prometheus", ("status", "inventories/small.yaml", PLAN, "--format", "prometheus", *TODAY))
    yield Case("mechanisms.text", ("mechanisms",))
    yield Case("mechanisms-carried.text", ("mechanisms", "--carry-features"))
    yield Case("mechanisms-second.text", ("mechanisms", "--revision", "2"))
    yield Case("mechanisms-second.json", ("mechanisms", "--revision", "2", "--load", "B1", "--format", "json"))


@pytest.mark.parametrize("case", list(_cases()), ids=lambda case: case.name)
def test_the_output_is_what_it_was(case: Case, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("NO_COLOR", "1")
    if PLAN in case.arguments:
        run(["plan", case.arguments[1], "-o", str(tmp_path / PLAN), *TODAY])
        capfd.readouterr()
    code = run([str(tmp_path / PLAN) if argument == PLAN else argument for argument in case.arguments])
    printed = capfd.readouterr()
    told = "\n".join(
        [
            f"$ fleetplan {' '.join(case.arguments)}",
            _kept(printed.out),
            f"--- stderr\n{_kept(printed.err.replace(str(tmp_path / PLAN), PLAN))}--- exit {code}\n",
        ]
    )
    golden = GOLDEN / case.name
    if os.environ.get("FLEETPLAN_BLESS"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(told)
    assert golden.read_text() == told


def _kept(text: str) -> str:
    if len(text) <= BIG:
        return text
    head = "\n".join(text.splitlines()[:60])
    return f"{head}\n... {len(text.splitlines())} lines, sha256 {hashlib.sha256(text.encode()).hexdigest()}\n"


def test_no_golden_file_is_left_over() -> None:
    wanted = {GOLDEN / case.name for case in _cases()}
    assert {path for path in GOLDEN.rglob("*") if path.is_file()} == wanted

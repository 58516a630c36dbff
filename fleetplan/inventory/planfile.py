"""Plan files: the JSON that automation reads, and how it gets onto the disk."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from fleetplan.findings import inventory_rules as rules
from fleetplan.findings.finding import Finding
from fleetplan.fleet.source import Location
from fleetplan.rollout.plan import Infeasible, Plan, PlanStatus

VERSION = 1
MOST_INDENTED = 20_000
"""Plans with more steps than this are written without indentation."""


def encode_plan(outcome: Plan | Infeasible) -> bytes:
    """The JSON of a plan, or of why there is none; ends with a newline. Deterministic: equal plans are equal bytes."""
    if isinstance(outcome, Infeasible):
        document: Any = {
            "version": outcome.version,
            "inventory_digest": outcome.inventory_digest,
            "target": outcome.target,
            "status": PlanStatus.INFEASIBLE,
            "causes": outcome.causes,
            "remedies": outcome.remedies,
        }
        return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
    data = msgspec.json.encode(outcome)
    steps = sum(len(wave.steps) for wave in outcome.waves)
    return (msgspec.json.format(data, indent=2) if steps <= MOST_INDENTED else data) + b"\n"


class _Head(msgspec.Struct):
    """What must be known of a plan file before the rest is read."""

    version: int
    status: str


def read_plan(path: Path) -> Plan | tuple[Finding, ...]:
    """The plan in a file, or the findings that say why it is none."""
    try:
        data = path.read_bytes()
    except OSError as problem:
        facts = {"path": str(path), "problem": problem.strerror or str(problem)}
        return (Finding(rule=rules.UNREADABLE.id, subject=str(path), at=Location(str(path)), facts=facts),)
    try:
        head = msgspec.json.decode(data, type=_Head)
        if head.version != VERSION:
            return _no_plan(path, f"it is of version {head.version}, and this fleetplan reads version {VERSION}")
        if head.status == PlanStatus.INFEASIBLE:
            return _no_plan(path, "it says why there is no plan (status INFEASIBLE)")
        return msgspec.json.decode(data, type=Plan)
    except msgspec.DecodeError as problem:
        return _no_plan(path, str(problem))
    except UnicodeDecodeError:
        return _no_plan(path, "it is not UTF-8")
    except RecursionError:
        return _no_plan(path, "it is nested too deeply")


def _no_plan(path: Path, problem: str) -> tuple[Finding, ...]:
    facts = {"path": str(path), "problem": problem}
    return (Finding(rule=rules.NOT_A_PLAN.id, subject=str(path), at=Location(str(path)), facts=facts),)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that at every moment it is the old one or the new one, whole. Raises OSError, leaving the old one."""
    if path.is_dir():
        raise IsADirectoryError(21, "Is a directory", str(path))
    target = path.resolve() if path.is_symlink() else path
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(_mode(target))
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _mode(target: Path) -> int:
    """The permissions of the file that is replaced, or those that a new one gets."""
    try:
        return target.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

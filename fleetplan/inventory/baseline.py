"""Baseline files: findings that are known, so that only new ones are reported."""

from __future__ import annotations

from pathlib import Path

import msgspec

from fleetplan.findings import inventory_rules as rules
from fleetplan.findings.finding import Finding
from fleetplan.findings.report import Known
from fleetplan.fleet.source import Location

VERSION = 1


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    findings: tuple[Known, ...]


def read_baseline(path: Path) -> tuple[tuple[Known, ...], tuple[Finding, ...]]:
    """The known findings of a file, or what is wrong with it."""
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
    except OSError as problem:
        return (), (_refused(rules.UNREADABLE.id, path, problem.strerror or str(problem)),)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        return (), (_refused(rules.NOT_A_BASELINE.id, path, str(problem) or "it is nested too deeply"),)
    if file.version != VERSION:
        problem_text = f"it is of version {file.version}, and this fleetplan reads version {VERSION}"
        return (), (_refused(rules.NOT_A_BASELINE.id, path, problem_text),)
    return file.findings, ()


def _refused(rule: str, path: Path, problem: str) -> Finding:
    return Finding(rule=rule, subject=str(path), at=Location(str(path)), facts={"path": str(path), "problem": problem})


def baseline_pieces(known: tuple[Known, ...]) -> tuple[bytes, ...]:
    """The bytes of a baseline, a finding a line so that versions of it can be compared."""
    ordered = sorted(known, key=lambda one: (one.rule, one.names, one.fingerprint))
    lines = b",\n".join(b"  " + msgspec.json.encode(one) for one in ordered)
    return (b'{"version": %d, "findings": [\n' % VERSION, lines, b"\n]}\n")

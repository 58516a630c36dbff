"""Reads files of register operations, one JSON object a line."""

from __future__ import annotations

from pathlib import Path

import msgspec

from fleetplan.findings import inventory_rules as rules
from fleetplan.findings.finding import Finding
from fleetplan.fleet.source import Location
from fleetplan.migration.session import AnyOperation, problem


def read_operations(path: Path) -> tuple[AnyOperation, ...] | tuple[Finding, ...]:
    """All operations of a file, or all findings that say which lines are none."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as refused:
        facts = {"path": str(path), "problem": refused.strerror or str(refused)}
        return (Finding(rule=rules.UNREADABLE.id, subject=str(path), at=Location(str(path)), facts=facts),)
    found: list[AnyOperation] = []
    findings: list[Finding] = []
    decoder = msgspec.json.Decoder(AnyOperation)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            operation = decoder.decode(line)
            wrong = problem(operation)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as refused:
            wrong = str(refused) or "nested too deeply"
        else:
            found.append(operation)
        if wrong is not None:
            at = Location(str(path), number, 1)
            excerpt = line.decode(errors="replace")[:200]
            findings.append(Finding(rule=rules.BAD_OPERATION.id, subject=str(path), at=at, facts={"problem": wrong}, excerpt=excerpt))
    return tuple(findings) if findings else tuple(found)

"""JSON for automation. Keys may be added; those here keep their meaning.

The plan's own JSON is written by `inventory.planfile`, because a plan file is also read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from fleetplan.findings.catalogue import RULES
from fleetplan.findings.finding import Finding
from fleetplan.firmware.registers import psci_text
from fleetplan.fleet.model import HostName
from fleetplan.migration.reasons import Judgment, Reason, Verdict
from fleetplan.migration.register_file import RegisterRow
from fleetplan.output.reasons import reason_sentence
from fleetplan.output.views.findings import message
from fleetplan.output.views.refusal import violation_sentence
from fleetplan.rollout.invariants import Violation


def encode(value: Any) -> bytes:
    """Indented JSON that ends with a newline."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def hexadecimal(value: int | None) -> str | None:
    """A register id or value as hex text with 0x; None stays None."""
    return None if value is None else f"{value:#x}"


def findings_json(findings: tuple[Finding, ...]) -> bytes:
    """`findings`: each with rule, severity, message, subject and place (`line` 0: the whole file), worst and first in file order."""
    return encode({"version": 1, "findings": [_finding(finding) for finding in findings]})


def _finding(finding: Finding) -> Mapping[str, Any]:
    return {
        "rule": finding.rule,
        "severity": RULES[finding.rule].severity,
        "message": message(finding),
        "subject": finding.subject,
        "file": finding.at.file,
        "line": finding.at.line,
        "column": finding.at.column,
        "facts": dict(finding.facts),
    }


def violations_json(violations: tuple[Violation, ...]) -> bytes:
    """`ok`, and `violations`: each with the invariant's id, subject, time, steps and facts."""
    rows = [
        {
            "invariant": violation.invariant,
            "subject": violation.subject,
            "at_s": violation.at_s,
            "steps": violation.steps,
            "facts": dict(violation.facts),
            "message": violation_sentence(violation),
        }
        for violation in violations
    ]
    return encode({"version": 1, "ok": not violations, "violations": rows})


def judgment_json(judgment: Judgment) -> bytes:
    """`verdict`, `stage`, `reasons`, `messages`, `guest_after` (null where the guest stays)."""
    return encode(
        {
            "version": 1,
            "verdict": judgment.verdict,
            "stage": judgment.stage,
            "reasons": [_reason(reason) for reason in judgment.reasons],
            "messages": judgment.messages,
            "guest_after": _guest(judgment),
        }
    )


def _reason(reason: Reason) -> Mapping[str, Any]:
    """A reason with what applies to it; `message` is the sentence."""
    applies = {
        "register": reason.register,
        "id": hexadecimal(reason.id),
        "source": hexadecimal(reason.source),
        "destination": hexadecimal(reason.destination),
        "errno": reason.errno.name if reason.errno is not None else None,
    }
    given = {name: value for name, value in applies.items() if value is not None}
    return {"kind": reason.kind, "stage": reason.stage, **given, **dict(reason.detail), "message": reason_sentence(reason)}


def _guest(judgment: Judgment) -> Mapping[str, Any] | None:
    if judgment.after is None or judgment.verdict is Verdict.UNKNOWN:
        return None
    state = judgment.after
    return {
        "psci": psci_text(state.psci),
        "PSCI_VERSION": hexadecimal(state.psci),
        **{name: hexadecimal(value) for name, value in state.bitmaps},
        "pin": psci_text(state.pin) if state.pin is not None else None,
    }


def registers_json(files: Mapping[HostName, tuple[RegisterRow, ...]]) -> bytes:
    """`hosts` by name, each with its `registers`: id, name, value (null with `candidates`) and source."""
    hosts = {name: {"registers": [_register(row) for row in rows]} for name, rows in files.items()}
    return encode({"version": 1, "hosts": hosts})


def _register(row: RegisterRow) -> Mapping[str, Any]:
    value = row.values[0] if len(row.values) == 1 and not row.may_lack else None
    candidates = [hexadecimal(candidate) for candidate in row.values] + ([None] if row.may_lack else [])
    told = {"id": hexadecimal(row.id), "name": row.name, "value": hexadecimal(value), "words": row.words, "source": row.source}
    return told if value is not None else {**told, "candidates": candidates}

"""JSON for automation. Keys may be added; those here keep their meaning.

The plan's own JSON is written by `inventory.planfile`, because a plan file is also read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from fleetplan.findings.catalogue import RULES
from fleetplan.findings.finding import Finding
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

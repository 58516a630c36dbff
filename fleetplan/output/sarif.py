"""Findings as SARIF 2.1.0, the format of code scanning services.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from fleetplan import __version__
from fleetplan.findings.catalogue import RULES
from fleetplan.findings.finding import Finding, Rule, Severity, fingerprint
from fleetplan.findings.report import Waived
from fleetplan.output.json_text import encode
from fleetplan.output.printable import printable
from fleetplan.output.views.findings import message

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"

LEVELS: Mapping[Severity, str] = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}


def findings_sarif(findings: tuple[Finding, ...], waived: tuple[Waived, ...] = ()) -> bytes:
    """One run: every rule with its help, and a result for each finding, with its place in the inventory; waived ones are suppressed."""
    ids = list(RULES)
    driver = {"name": "fleetplan", "semanticVersion": __version__, "rules": [_rule(RULES[name]) for name in ids]}
    places = {name: number for number, name in enumerate(ids)}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [
            *(_result(finding, places[finding.rule]) for finding in findings),
            *(_suppressed(one, places[one.finding.rule]) for one in waived),
        ],
    }
    return encode({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(rule: Rule) -> Mapping[str, Any]:
    facts = [f"{rule.help}", f"Fix: {rule.fix}", *([f"Source: {rule.source}"] if rule.source else [])]
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.help},
        "help": {"text": "\n\n".join(facts)},
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
    }


def _result(finding: Finding, index: int) -> Mapping[str, Any]:
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": LEVELS[RULES[finding.rule].severity],
        "message": {"text": printable(message(finding))},
        "locations": [_location(finding)],
        "partialFingerprints": {"fleetplan/v1": fingerprint(finding, RULES[finding.rule])},
    }


def _suppressed(waived: Waived, index: int) -> Mapping[str, Any]:
    """A result that somebody has answered for (SARIF 3.27.23): external, because the waiver does not stand where the finding does."""
    reasons = [f"{waiver.reason} ({waiver.owner}, until {waiver.expires})" for waiver in waived.waivers]
    accepted = [{"kind": "external", "status": "accepted", "justification": printable(reason)} for reason in reasons]
    return {**_result(waived.finding, index), "suppressions": accepted}


def _location(finding: Finding) -> Mapping[str, Any]:
    """The place in a file where there is one, and the thing that the finding is about."""
    logical = {"logicalLocations": [{"fullyQualifiedName": printable(finding.subject)}]} if finding.subject else {}
    return {**({"physicalLocation": _physical(finding)} if finding.at.file else {}), **logical}


def _physical(finding: Finding) -> Mapping[str, Any]:
    artifact = {"artifactLocation": {"uri": uri(finding.at.file)}}
    return {**artifact, "region": _region(finding)} if finding.at.line else artifact


def _region(finding: Finding) -> Mapping[str, Any]:
    snippet = {"snippet": {"text": printable(finding.excerpt)}} if finding.excerpt else {}
    return {"startLine": finding.at.line, "startColumn": max(finding.at.column, 1), **snippet}


def uri(file: str) -> str:
    """A relative path as a relative reference, an absolute one as a `file:` URI."""
    path = PurePath(file)
    quoted = quote(path.as_posix(), errors="surrogatepass")
    return f"file://{quoted}" if path.is_absolute() else quoted

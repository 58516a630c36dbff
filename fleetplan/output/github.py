"""Findings as workflow commands, which GitHub shows beside the lines of a change.

Source: GitHub's documentation of workflow commands: `::error file=,line=,col=,title=::message`; ten of a kind are shown for each step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fleetplan.findings.catalogue import RULES
from fleetplan.findings.finding import RANK, Finding, Severity
from fleetplan.output.printable import printable
from fleetplan.output.views.findings import message, total

COMMANDS: Mapping[Severity, str] = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def findings_github(findings: tuple[Finding, ...]) -> str:
    """A line for each finding, the worst first, so that those shown are the worst; then the total."""
    ordered = sorted(findings, key=lambda finding: RANK[RULES[finding.rule].severity])
    return "".join(f"{line}\n" for line in (*map(_command, ordered), *_sum(findings)))


def _command(finding: Finding) -> str:
    rule, at = RULES[finding.rule], finding.at
    given = {
        "file": at.file,
        "line": str(at.line) if at.line else "",
        "col": str(at.column) if at.line and at.column else "",
        "title": f"{rule.id}: {rule.title}",
    }
    properties = ",".join(f"{name}={_property(value)}" for name, value in given.items() if value)
    return f"::{COMMANDS[rule.severity]} {properties}::{_data(message(finding))}"


def _sum(findings: tuple[Finding, ...]) -> Iterator[str]:
    """Plain text: GitHub shows it in the log alone."""
    yield f"fleetplan: {total(findings)}"


def _data(text: str) -> str:
    return printable(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

"""Findings as JUnit XML, which most build servers show as tests.

A rule that found nothing is a test that passed; every finding is one that failed, where it is at least as bad as the limit, or was skipped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from fleetplan.findings.catalogue import RULES
from fleetplan.findings.finding import RANK, Finding, Rule, Severity
from fleetplan.output.printable import printable
from fleetplan.output.views.findings import message


def findings_junit(findings: tuple[Finding, ...], fail_on: Severity) -> str:
    """One suite. Below `fail_on` a finding is told as a skipped test: it shows, and fails nothing."""
    fails = [finding for finding in findings if _fails(finding, fail_on)]
    quiet = [rule for name, rule in RULES.items() if name not in Counter(finding.rule for finding in findings)]
    total = f'tests="{len(quiet) + len(findings)}" failures="{len(fails)}" skipped="{len(findings) - len(fails)}" errors="0"'
    cases = "\n".join((*map(_passed, quiet), *(line for finding in findings for line in _case(finding, fail_on))))
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="fleetplan" {total}>\n<testsuite name="fleetplan check" {total}>\n'
        f"{cases}\n</testsuite>\n</testsuites>\n"
    )


def _fails(finding: Finding, fail_on: Severity) -> bool:
    return RANK[RULES[finding.rule].severity] <= RANK[fail_on]


def _passed(rule: Rule) -> str:
    return f"<testcase classname={_quoted(rule.id)} name={_quoted(rule.title)}/>"


def _case(finding: Finding, fail_on: Severity) -> Iterator[str]:
    rule = RULES[finding.rule]
    name = f"{finding.subject or rule.title} ({finding.at})" if finding.at.file else finding.subject or rule.title
    place = f" file={_quoted(finding.at.file)} line={_quoted(str(finding.at.line))}" if finding.at.file else ""
    yield f"<testcase classname={_quoted(rule.id)} name={_quoted(name)}{place}>"
    if _fails(finding, fail_on):
        yield f"<failure type={_quoted(rule.severity.value)} message={_quoted(message(finding))}>{escape(_whole(finding, rule))}</failure>"
    else:
        yield f"<skipped message={_quoted(f'{rule.severity.value}: {message(finding)}')}/>"
    yield "</testcase>"


def _whole(finding: Finding, rule: Rule) -> str:
    lines = (f"{finding.at}" if finding.at.file else "", finding.excerpt, rule.help, f"Fix: {rule.fix.format_map(finding.facts)}")
    return "\n".join(printable(line) for line in lines if line)


def _quoted(text: str) -> str:
    return quoteattr(printable(text))

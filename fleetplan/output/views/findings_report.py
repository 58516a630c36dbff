"""Findings as a report to keep or to pass on: grouped by rule, the worst first, each rule with why it matters and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from fleetplan.findings.catalogue import RULES
from fleetplan.findings.finding import RANK, Finding, Severity
from fleetplan.output.document import Bar, Bars, Block, Column, Document, Kind, Paragraph, Section, Table, Tone
from fleetplan.output.views.findings import TONES, message, total

MOST_OF_A_RULE = 500
"""Findings of one rule that are listed; their number is always stated."""

COLUMNS = (Column(title="where"), Column(title="what"), Column(title="finding"))

KINDS: Mapping[Severity, Kind] = {
    Severity.ERROR: Kind("errors", Tone.BAD),
    Severity.WARNING: Kind("warnings", Tone.CAUTION),
    Severity.NOTE: Kind("notes", Tone.PLAIN),
}


def report_document(findings: tuple[Finding, ...], beside: str = "") -> Document:
    """The total, what is to be said `beside` it, a chart of the rules that found something, and a section for each."""
    ordered = sorted(findings, key=_order)
    groups = [(name, list(group)) for name, group in groupby(ordered, key=lambda finding: finding.rule)]
    tone = TONES[RULES[groups[0][0]].severity] if groups else Tone.GOOD
    summary: list[Block] = [Paragraph(total(findings), tone)]
    if beside:
        summary.append(Paragraph(beside, Tone.FAINT))
    if groups:
        summary.append(_chart(groups))
    return Document((Section("Summary", tuple(summary)), *(_group(name, group) for name, group in groups)))


def _order(finding: Finding) -> tuple[int, str]:
    return RANK[RULES[finding.rule].severity], finding.rule


def _chart(groups: Sequence[tuple[str, Sequence[Finding]]]) -> Bars:
    shown = [severity for severity in KINDS if any(RULES[name].severity is severity for name, _ in groups)]
    bars = tuple(Bar(name, tuple(len(group) if RULES[name].severity is severity else 0 for severity in shown)) for name, group in groups)
    return Bars("Findings by rule", tuple(KINDS[severity] for severity in shown), bars)


def _group(name: str, group: Sequence[Finding]) -> Section:
    rule = RULES[name]
    return Section(f"{rule.severity.value} {name}: {rule.title}", tuple(_blocks(name, group)))


def _blocks(name: str, group: Sequence[Finding]) -> Iterator[Block]:
    rule = RULES[name]
    yield Paragraph(rule.help)
    rows = tuple((str(finding.at), finding.subject, message(finding)) for finding in group[:MOST_OF_A_RULE])
    left_out = len(group) - MOST_OF_A_RULE
    yield Table(COLUMNS, rows, f"{left_out:,} more of this rule are not listed" if left_out > 0 else "")
    fixes = sorted({rule.fix.format_map(finding.facts) for finding in group})
    yield Paragraph(f"Fix: {fixes[0]}" if len(fixes) == 1 else f"Fix, for the first: {rule.fix.format_map(group[0].facts)}")
    if rule.source:
        yield Paragraph(f"Source: {rule.source}", Tone.FAINT)

"""Findings as a document: place, sentence, source line, what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fleetplan.findings.catalogue import RULES
from fleetplan.findings.finding import Finding, Severity
from fleetplan.output.document import Block, Document, Paragraph, Quote, Section, Tone
from fleetplan.output.sentences import counted

if TYPE_CHECKING:
    from fleetplan.findings.report import Report

MOST_SHOWN = 50
"""Findings shown; the total is always stated."""

MOST_COMPARED = 200_000
"""Names that are compared to find what was meant: some seconds' worth."""

LONGEST_EXCERPT = 88
"""Characters of a source line that are shown, those around its column."""

TONES = {Severity.ERROR: Tone.BAD, Severity.WARNING: Tone.CAUTION, Severity.NOTE: Tone.PLAIN}


def message(finding: Finding) -> str:
    """The sentence of a finding, without its place."""
    sentence = RULES[finding.rule].message.format_map({**finding.facts, "because": because(finding.because)})
    suggestion = finding.facts.get("suggestion")
    return f"{sentence}; did you mean `{suggestion}`?" if suggestion else sentence


def because(found: Any) -> str:
    """What a finding follows from, in words; nothing where it is all said in its facts."""
    if found is None:
        return ""
    from fleetplan.output.because import because_sentence  # noqa: PLC0415 - most findings have none

    return because_sentence(found)


def fix(finding: Finding) -> str:
    """What to do about a finding."""
    return RULES[finding.rule].fix.format_map(finding.facts)


def findings_document(findings: tuple[Finding, ...]) -> Document:
    """All findings, the first 50 in full, and their number by severity."""
    blocks = [block for finding in findings[:MOST_SHOWN] for block in _finding(finding)]
    return Document((*([Section("", tuple(blocks))] if blocks else []), Section("", (_total(findings),))))


def checked_document(report: Report) -> Document:
    """What is reported, and below it what was taken off."""
    taken = taken_off(report)
    found = findings_document(report.findings)
    return Document((*found.sections, Section("", (Paragraph(taken, Tone.FAINT),)))) if taken else found


def _finding(finding: Finding) -> Iterator[Block]:
    rule = RULES[finding.rule]
    place = f"{finding.at}: " if finding.at.file else ""
    yield Paragraph(f"{place}{rule.severity} {rule.id}: {message(finding)}", TONES[rule.severity], whole=True)
    if rule.severity is Severity.NOTE:
        return
    if finding.excerpt:
        yield _excerpt(finding)
    yield Quote((f"= {fix(finding)}",))


def _excerpt(finding: Finding) -> Quote:
    """The line, or of a long one what is around the column, and a mark below it."""
    number, column = str(finding.at.line), max(finding.at.column - 1, 0)
    first = max(0, min(column - LONGEST_EXCERPT // 2, len(finding.excerpt) - LONGEST_EXCERPT))
    shown = finding.excerpt[first : first + LONGEST_EXCERPT]
    return Quote((f"{number} | {shown}", f"{' ' * len(number)} | {' ' * (column - first)}^"))


def _total(findings: tuple[Finding, ...]) -> Paragraph:
    left_out = len(findings) - MOST_SHOWN
    told = total(findings) if left_out <= 0 else f"{total(findings)[:-1]}; the first {MOST_SHOWN} are shown."
    return Paragraph(told, Tone.PLAIN if findings else Tone.GOOD)


def total(findings: tuple[Finding, ...]) -> str:
    """How many there are of each severity, as a sentence."""
    by_severity = Counter(RULES[finding.rule].severity for finding in findings)
    parts = ", ".join(counted(by_severity[severity], severity.value) for severity in Severity if by_severity[severity])
    return f"{parts}." if parts else "Nothing found."


def taken_off(report: Report) -> str:
    """What waivers and a baseline took off, as a sentence; nothing where they took nothing."""
    said = []
    if report.waived:
        said.append(f"{len(report.waived)} waived")
    if report.known:
        said.append(f"{len(report.known)} known from the baseline")
    if report.gone:
        said.append(f"{report.gone} of the baseline no longer found (write it anew)")
    return f"Not shown: {', '.join(said)}." if said else ""


def unknown_name_document(kind: str, name: str, known: tuple[str, ...]) -> Document:
    """A host or guest that the inventory does not have, or a rule that fleetplan has not."""
    from difflib import get_close_matches  # noqa: PLC0415 - seldom needed

    close = get_close_matches(name, known, n=1) if len(known) <= MOST_COMPARED else []
    hint = f"; did you mean `{close[0]}`?" if close else ""
    who = "fleetplan has" if kind == "rule" else "The inventory has"
    return Document((Section("", (Paragraph(f"{who} no {kind} `{name}`{hint}", Tone.BAD),)),))

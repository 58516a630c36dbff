"""Findings as a document: place, sentence, source line, what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from fleetplan.findings.catalogue import RULES
from fleetplan.findings.finding import Finding, Severity
from fleetplan.output.document import Block, Document, Paragraph, Quote, Section, Tone
from fleetplan.output.sentences import counted

MOST_SHOWN = 50
"""Findings shown; the total is always stated."""

MOST_COMPARED = 200_000
"""Names that are compared to find what was meant: some seconds' worth."""

TONES = {Severity.ERROR: Tone.BAD, Severity.WARNING: Tone.CAUTION, Severity.NOTE: Tone.PLAIN}


def message(finding: Finding) -> str:
    """The sentence of a finding, without its place."""
    sentence = RULES[finding.rule].message.format_map(finding.facts)
    suggestion = finding.facts.get("suggestion")
    return f"{sentence}; did you mean `{suggestion}`?" if suggestion else sentence


def findings_document(findings: tuple[Finding, ...]) -> Document:
    """All findings, the first 50 in full, and their number by severity."""
    blocks = [block for finding in findings[:MOST_SHOWN] for block in _finding(finding)]
    return Document((*([Section("", tuple(blocks))] if blocks else []), Section("", (_total(findings),))))


def _finding(finding: Finding) -> Iterator[Block]:
    rule = RULES[finding.rule]
    place = f"{finding.at}: " if finding.at.file else ""
    yield Paragraph(f"{place}{rule.severity} {rule.id}: {message(finding)}", TONES[rule.severity], whole=True)
    if finding.excerpt:
        number = str(finding.at.line)
        caret = " " * max(finding.at.column - 1, 0) + "^"
        yield Quote((f"{number} | {finding.excerpt}", f"{' ' * len(number)} | {caret}"))
    if rule.severity is not Severity.NOTE:
        yield Quote((f"= {rule.fix.format_map(finding.facts)}",))


def _total(findings: tuple[Finding, ...]) -> Paragraph:
    left_out = len(findings) - MOST_SHOWN
    told = total(findings) if left_out <= 0 else f"{total(findings)[:-1]}; the first {MOST_SHOWN} are shown."
    return Paragraph(told, Tone.PLAIN if findings else Tone.GOOD)


def total(findings: tuple[Finding, ...]) -> str:
    """How many there are of each severity, as a sentence."""
    by_severity = Counter(RULES[finding.rule].severity for finding in findings)
    parts = ", ".join(counted(by_severity[severity], severity.value) for severity in Severity if by_severity[severity])
    return f"{parts}." if parts else "Nothing found."


def unknown_name_document(kind: str, name: str, known: tuple[str, ...]) -> Document:
    """A host or guest that the inventory does not have, or a rule that fleetplan has not."""
    from difflib import get_close_matches  # noqa: PLC0415 - seldom needed

    close = get_close_matches(name, known, n=1) if len(known) <= MOST_COMPARED else []
    hint = f"; did you mean `{close[0]}`?" if close else ""
    who = "fleetplan has" if kind == "rule" else "The inventory has"
    return Document((Section("", (Paragraph(f"{who} no {kind} `{name}`{hint}", Tone.BAD),)),))

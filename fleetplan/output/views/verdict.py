"""The judgment of one move as a document."""

from __future__ import annotations

from fleetplan.fleet.model import HostName, Release
from fleetplan.migration.reasons import Judgment, Verdict
from fleetplan.output.document import Bullets, Document, Paragraph, Quote, Section, Tone
from fleetplan.output.reasons import reason_sentence, verdict_sentence

TONES = {
    Verdict.SAFE: Tone.GOOD,
    Verdict.CHANGES: Tone.PLAIN,
    Verdict.STRIPS: Tone.CAUTION,
    Verdict.UNKNOWN: Tone.CAUTION,
    Verdict.FAILS: Tone.BAD,
}


def judgment_document(judgment: Judgment, guest: str, source: tuple[HostName, Release], destination: tuple[HostName, Release]) -> Document:
    """The verdict, its reasons with registers and values, and what the VMM will print."""
    route = f"{guest}: {source[0]} ({source[1]}) to {destination[0]} ({destination[1]})"
    stage = f" at {judgment.stage}" if judgment.verdict is Verdict.FAILS else ""
    head = Paragraph(f"{judgment.verdict}{stage}. {verdict_sentence(judgment)}", TONES[judgment.verdict])
    sections = [Section("", (Paragraph(route), head))]
    if judgment.reasons:
        points = tuple((0, reason_sentence(reason)) for reason in judgment.reasons)
        sections.append(Section("Why", (Bullets(points),)))
    if judgment.messages:
        sections.append(Section("What the VMM will print", (Quote(judgment.messages),)))
    return Document(tuple(sections))

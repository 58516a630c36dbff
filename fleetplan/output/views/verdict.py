"""The judgment of one move as a document."""

from __future__ import annotations

from collections.abc import Iterator

from fleetplan.migration.reasons import Judgment, Reason, Verdict
from fleetplan.output.document import Block, Bullets, Document, Paragraph, Quote, Section, Tone
from fleetplan.output.reasons import consequences, protects, reason_sentence, verdict_sentence
from fleetplan.output.ways import paste, way_details, way_sentence
from fleetplan.rollout.move_report import MoveReport

TONES = {
    Verdict.SAFE: Tone.GOOD,
    Verdict.CHANGES: Tone.PLAIN,
    Verdict.STRIPS: Tone.CAUTION,
    Verdict.UNKNOWN: Tone.CAUTION,
    Verdict.FAILS: Tone.BAD,
}


MOST_REASONS = 12
"""Reasons shown one by one; QEMU's own lines name the rest."""


def judgment_document(report: MoveReport, expires: str) -> Document:
    """The verdict, its reasons with registers and values, what the log will say, and what would make the move work.

    `expires` is the date that a waiver is made out to.
    """
    judgment = report.judgment
    route = f"{report.guest.name}: {report.source.name} ({report.source.release}) to {report.destination.name} ({report.goal})"
    return Document((Section("", (Paragraph(route), headline(judgment))), *verdict_sections(report, expires)))


def headline(judgment: Judgment) -> Paragraph:
    """The verdict, the stage of a failure, and what that means."""
    stage = f" at {judgment.stage}" if judgment.verdict is Verdict.FAILS else ""
    return Paragraph(f"{judgment.verdict}{stage}. {verdict_sentence(judgment)}", TONES[judgment.verdict])


def verdict_sections(report: MoveReport, expires: str) -> Iterator[Section]:
    """All that stands below the headline."""
    judgment = report.judgment
    if judgment.reasons:
        yield Section("Why", (Bullets(tuple(_points(judgment.reasons))),))
    follows = consequences(judgment, report.source.name, report.guest.memory_mib, report.copy_s)
    if follows:
        yield Section("What follows", (Bullets(tuple((0, text) for text in follows)),))
    if judgment.messages:
        yield Section("What the VMM will print", (Quote(judgment.messages),))
    if report.libvirt:
        title = "What libvirt says on top (the one or the other, by its version)" if len(report.libvirt) > 1 else "What libvirt says on top"
        yield Section(title, (Quote(report.libvirt),))
    if not report.allowed:
        yield ways_section(report, expires)


def _points(reasons: tuple[Reason, ...]) -> Iterator[tuple[int, str]]:
    guarded = ""
    for reason in reasons[:MOST_REASONS]:
        yield 0, reason_sentence(reason)
        guards = protects(reason)
        if guards and guards != guarded:
            yield 1, f"the refusal protects {guards}"
        guarded = guards
    if len(reasons) > MOST_REASONS:
        yield 0, f"and {len(reasons) - MOST_REASONS} more registers"


def ways_section(report: MoveReport, expires: str) -> Section:
    """What would make the move work: what was tried, cheapest first."""
    if not report.ways:
        return Section("What would make it work", (Paragraph("Nothing that was tried: no pin, no release, no other host, no waiver."),))
    blocks: list[Block] = []
    for way in report.ways:
        details = tuple((1, text) for text in way_details(way, report))
        blocks.append(Bullets(((0, way_sentence(way, report)), *details)))
        lines = paste(way, report, expires)
        if lines:
            blocks.append(Quote(lines))
    return Section(
        "What would make it work (tried by judgment)" if any(way.tried for way in report.ways) else "What would decide", tuple(blocks)
    )

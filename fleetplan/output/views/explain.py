"""What `explain` says: of a guest, of a pasted message, of a rule, of an invariant."""

from __future__ import annotations

from collections.abc import Iterator

from fleetplan.findings.finding import Rule
from fleetplan.firmware.guest_view import MITIGATIONS, GuestView, Item
from fleetplan.firmware.registers import BY_ID, psci_text
from fleetplan.fleet.model import GuestName
from fleetplan.migration.diagnosis import Diagnosis, FleetMatch
from fleetplan.migration.reasons import Judgment, ReasonKind, Verdict
from fleetplan.output.diagnosis import counts_points, general_points, group_points, printer_words, stage_sentence
from fleetplan.output.document import Block, Bullets, Column, Document, Paragraph, Quote, Section, Table, Tone
from fleetplan.output.reasons import FLAWS, reason_sentence, value_words
from fleetplan.output.sentences import counted, listed
from fleetplan.output.views.verdict import headline, verdict_sections, ways_section
from fleetplan.output.ways import item_words
from fleetplan.rollout.guest_report import BirthKnown, Carries, Destination, GuestReport
from fleetplan.rollout.invariants import Invariant, When
from fleetplan.rollout.move_report import MoveReport

# --- a guest --------------------------------------------------------------------------------------------------------------------------


def guest_document(report: GuestReport, expires: str, *, asked: bool) -> Document:
    """A guest's birth, registers, promise and ways. `asked`: about one destination, whose verdicts are told in full."""
    sections = [_who(report), _registers(report), _promise(report)]
    if asked:
        for move in report.moves:
            title = f"To {move.destination.name} on {move.goal}"
            sections += [Section(title, (headline(move.judgment),)), *verdict_sections(move, expires)]
    else:
        sections += [_destinations(report), *(_blocked(move, expires) for move in report.moves)]
    return Document(tuple(sections))


def _who(report: GuestReport) -> Section:
    guest, host = report.guest, report.host
    size = f"{counted(guest.vcpus, 'vCPU')}, {guest.memory_mib / 1024:g} GiB"
    lines = [Paragraph(f"{guest.name} on {host.name} ({host.release}): {size}"), Paragraph(_birth(report))]
    if guest.vmm is not None:
        lines.append(Paragraph(f"Its own process is still {guest.vmm}: that saves its registers."))
    may = [word for word, so in (("never migrates", not guest.migratable), ("may restart", guest.restartable)) if so]
    return Section("", (*lines, *([Paragraph(f"Policy: it {' and '.join(may)}.")] if may else [])))


def _birth(report: GuestReport) -> str:
    pin = f", pinned to PSCI {report.pin}" if report.pin is not None else ""
    match report.known:
        case BirthKnown.GIVEN:
            return f"Born on {report.born}{pin}, as the inventory says."
        case BirthKnown.CAPTURED:
            return f"Born on {report.born}{pin}; its registers at birth were captured."
        case BirthKnown.ASSUMED:
            return f"Born on {report.born}, which is assumed from its host: the inventory has no `born` for it."


def _registers(report: GuestReport) -> Section:
    columns = (
        Column(title="register"),
        Column(title="the guest has", grows=True),
        Column(title=f"{report.host.name} offers now", grows=True),
        Column(title="and on the target", grows=True),
    )
    rows = tuple(_register_row(one) for one in report.carries)
    if not rows:
        return Section(
            "Firmware registers", (Paragraph("The kernels have no firmware register: nothing of the guest's firmware is saved."),)
        )
    note = "levels (SMCCC_ARCH_WORKAROUND) are those of the host that the guest is on; the rest is its own"
    return Section("Firmware registers", (Table(columns, rows, note),))


def _register_row(row: Carries) -> tuple[str, ...]:
    sides = (row.values, row.offered, row.offered_then)
    own, *others = (" or ".join(value_words(row.id, value) for value in side) or "-" for side in sides)
    return (row.name, own, *("the same" if other == own != "-" else other for other in others))


def _promise(report: GuestReport) -> Section:
    sure = len(report.promises) == 1
    points = [(0, "; ".join(_promised(promise))) for promise in report.promises]
    if report.unseen:
        when = "which it finds at its next boot (warm is enough)"
        points.append((0, f"its host {'gives' if sure else 'may give'} more, {when}: {_items(report.unseen)}"))
    if report.gone:
        points.append((0, f"{'gone' if sure else 'perhaps gone'} since then: {_items(report.gone)}"))
        exposed = [FLAWS[item.value] for item in report.gone if item in MITIGATIONS]
        if exposed:
            points.append((1, f"it {'runs' if sure else 'may run'} exposed to {listed(exposed)}"))
    title = "What it saw at its last boot (its promise)"
    return Section(title if sure else f"{title}: one of these", (Bullets(tuple(points)),))


def _items(items: tuple[Item, ...]) -> str:
    return listed([item_words(item) for item in items], most=9)


ANSWERS = {None: "never asked", 0: "mitigated by a call", 1: "not needed", -1: "not mitigated", -2: "not needed"}


def _promised(promise: GuestView) -> Iterator[str]:
    yield f"PSCI {psci_text(promise.psci)}"
    answers = (promise.workaround_1, promise.workaround_2, promise.workaround_3)
    told = [f"{FLAWS[item.value]}: {ANSWERS[answer]}" for item, answer in zip(MITIGATIONS, answers, strict=True)]
    if promise.ssbs and promise.workaround_2 in {None, -1}:
        told[1] = f"{FLAWS['spectre-v4']}: protects itself (SSBS)"
    yield ", ".join(told)
    services = [item.value for item in Item if item in promise.services]
    yield f"services: {listed(services, most=9)}" if services else "no services"


def _destinations(report: GuestReport) -> Section:
    points = tuple(point for one in report.destinations for point in _destination_points(one))
    if not points:
        return Section("Where it could go", (Paragraph("Nowhere: no other host of its pool takes it."),))
    return Section("Where it could go", (Bullets(points),))


def _destination_points(one: Destination) -> Iterator[tuple[int, str]]:
    when = "once upgraded, on" if one.upgraded else "on"
    back = "" if not one.allowed else ", and back again" if one.way_back else ", one-way"
    forbidden = ", which policy does not allow" if not one.allowed and one.judgment.verdict is not Verdict.FAILS else ""
    yield 0, f"{listed(one.hosts, most=4)}, {when} {one.release}: {verdict_word(one.judgment)}{back}{forbidden}"
    first = _first_reason(one.judgment)
    if first:
        yield 1, first


def verdict_word(judgment: Judgment) -> str:
    """`FAILS at set`."""
    return f"{judgment.verdict} at {judgment.stage}" if judgment.verdict is Verdict.FAILS else judgment.verdict.value


def _first_reason(judgment: Judgment) -> str:
    """The most telling reason: different CPUs, a firmware register, or whatever comes first."""
    cpu = [reason for reason in judgment.reasons if reason.kind is ReasonKind.DIFFERENT_CPU]
    named = [reason for reason in judgment.reasons if reason.id in BY_ID]
    return next((reason_sentence(reason) for reason in [*cpu, *named, *judgment.reasons]), "")


def _blocked(move: MoveReport, expires: str) -> Section:
    section = ways_section(move, expires)
    return Section(f"To {move.destination.name} on {move.goal}: what would make it work", section.blocks)


# --- a message ------------------------------------------------------------------------------------------------------------------------


def diagnosis_document(diagnosis: Diagnosis) -> Document:
    """What pasted lines mean. Of a text of which nothing is known, the nearest known line."""
    if not diagnosis.known:
        nearest = Section("The nearest line that is known", (Quote((diagnosis.neighbour or "",)),))
        return Document((Section("", (Paragraph("Nothing of this text is known.", Tone.BAD),)), nearest))
    sections = [*_read(diagnosis), *_where(diagnosis)]
    points = [point for counts in diagnosis.counts for point in counts_points(counts)]
    points += [point for group in diagnosis.groups for point in group_points(group)]
    points += list(general_points(diagnosis))
    if points:
        sections.append(Section("What it means", (Bullets(tuple(points)),)))
    if diagnosis.matches is not None:
        sections.append(_matches(diagnosis.matches))
    return Document(tuple(sections))


def _read(diagnosis: Diagnosis) -> Iterator[Section]:
    if diagnosis.reading.lines:
        yield Section("Lines that are known", (Quote(tuple(line.text for line in diagnosis.reading.lines)),))
    if diagnosis.reading.unread and diagnosis.reading.lines:
        yield Section("Not known", (Quote(diagnosis.reading.unread),))


def _where(diagnosis: Diagnosis) -> Iterator[Section]:
    if not any(line.tells for line in diagnosis.reading.lines):
        return
    blocks: list[Block] = [Paragraph(f"Printed by {printer_words(diagnosis.printers)}.")]
    stages = diagnosis.reading.stages
    if stages:
        blocks.append(Bullets(tuple((0, stage_sentence(stage)) for stage in stages)))
    yield Section("Stage" if len(stages) < 2 else "Stage: one of these", tuple(blocks))


def _matches(matches: tuple[FleetMatch, ...]) -> Section:
    if not matches:
        return Section("In this fleet", (Paragraph("No move of a guest from where it is now would print this."),))
    points = []
    for one in matches:
        hosts = listed(one.destinations, most=4)
        then = f"{hosts}, once upgraded" if one.upgraded else hosts
        points.append((0, f"{_some(one.guests)} from {one.source} (or a host like it) to {then}: {one.verdict}"))
    more = "`fleetplan verdict INVENTORY GUEST HOST` says what would make such a move work."
    return Section("In this fleet these moves would print it", (Bullets(tuple(points)), Paragraph(more)))


def _some(guests: tuple[GuestName, ...]) -> str:
    return guests[0] if len(guests) == 1 else f"{len(guests)} guests ({listed(guests, most=3)})"


# --- a rule ---------------------------------------------------------------------------------------------------------------------------


WHEN = {When.STATIC: "of the plan as a document", When.CONTINUOUS: "at every instant", When.FINAL: "when all steps have ended"}
"""When an invariant holds, in words."""


def invariant_document(row: Invariant) -> Document:
    """An invariant that every plan keeps: its law, why it is one, and what decides it."""
    return Document(
        (
            Section("", (Paragraph(f"{row.id}: an invariant of every plan, for each {row.scope}, {WHEN[row.when]}"), Paragraph(row.law))),
            Section("Why", (Paragraph(row.help),)),
            Section("Decided by", (Paragraph(row.decided_by),)),
        )
    )


def rules_document(rules: tuple[Rule, ...]) -> Document:
    """Rules of `check`, each with its help, the fact behind it, what to do and an example."""
    return Document(tuple(section for rule in rules for section in _rule(rule)))


def _rule(rule: Rule) -> Iterator[Section]:
    firm = (Paragraph("No waiver and no baseline takes it off."),) if rule.firm else ()
    yield Section("", (Paragraph(f"{rule.id} ({rule.severity}): {rule.title}"), Paragraph(rule.help), *firm))
    yield Section("It says", (Paragraph(rule.message),))
    if rule.fact:
        yield Section("The fact behind it", (Paragraph(rule.fact),))
    yield Section("What to do", (Paragraph(rule.fix),))
    if rule.example:
        yield Section("It is found in", (Quote(tuple(rule.example.splitlines())),))
        yield Section("And not in", (Quote(tuple(rule.mended.splitlines())),))
    if rule.source:
        yield Section("Source", (Paragraph(rule.source),))

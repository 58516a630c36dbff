"""All that is to be said about one landing: the verdict, its reasons, what the VMM will print, what would help, and the way back."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from fleetplan.fleet.model import Guest, Host
from fleetplan.migration.reasons import Judgment, Verdict
from fleetplan.migration.ways import Move
from fleetplan.output.document import Bullets, Document, Paragraph, Quote, Section, Tone
from fleetplan.output.reasons import reason_sentence
from fleetplan.output.sentences import clock
from fleetplan.output.views.plan import pin_points
from fleetplan.output.views.verdict import TONES, headline, verdict_sections
from fleetplan.rollout.columns import NONE
from fleetplan.rollout.move_report import report
from fleetplan.tui.moves.landings import RESTARTS
from fleetplan.tui.situation import Situation
from fleetplan.workflow import Study, waiver_expires


def landing_document(situation: Situation, row: int) -> Document:
    """A landing. Some twenty judgments where the move is not allowed, else what was judged already."""
    study, found = situation.study, situation.landings
    fleet = study.fleet
    guest, source = fleet.guests[int(found.guest[row])], fleet.hosts[int(found.source[row])]
    if found.risk[row] == RESTARTS:
        return _restart(situation, row, guest, source)
    place = int(found.destination[row])
    destination = source if place == NONE else fleet.hosts[place]
    moved = replace(guest, on=source.name)
    kind, here, there = (int(column[row]) for column in (found.kind, found.here, found.there))
    move = Move(fleet, moved, destination, bool(found.upgraded[row]))
    told = report(move, study.classes, kind, here, there)
    where = f"a host like {source.name}" if place == NONE else destination.name
    route = Paragraph(f"{guest.name}: {source.name} ({source.release}) to {where} ({move.goal})")
    back = _back(study, kind, here, there)
    return Document((Section("", (route, headline(told.judgment))), *verdict_sections(told, waiver_expires(study)), *back))


def _restart(situation: Situation, row: int, guest: Guest, host: Host) -> Document:
    start = clock(int(situation.landings.start_s[row]))
    lines = (
        Paragraph(f"{guest.name}: stopped, and started again on {host.name}"),
        Paragraph(f"RESTART. It starts at {start}: a cold boot with what its host then offers, no migration.", Tone.CAUTION),
    )
    plan = situation.plan
    pins = [pin for pin in plan.pins if pin.guest == guest.name] if plan is not None else []
    why = [Section("Why", (Bullets(tuple(point for pin in pins for point in pin_points(pin))),))] if pins else []
    return Document((Section("", lines), *why))


def _back(study: Study, kind: int, here: int, there: int) -> Iterator[Section]:
    """What the move back would come to, from the destination as it then is to the source as it then was."""
    hop = study.classes.hop(kind, here, there)
    if hop.verdict is Verdict.FAILS:
        return
    judgment = study.classes.judgment(hop.after, there, here)
    if judgment.verdict is Verdict.SAFE:
        yield Section("The way back", (Paragraph("SAFE. It can return to a host like its source, if that stays as it is.", Tone.GOOD),))
        return
    yield Section("The way back", tuple(_back_blocks(judgment)))


def _back_blocks(judgment: Judgment) -> Iterator[Paragraph | Bullets | Quote]:
    stage = f" at {judgment.stage}" if judgment.verdict is Verdict.FAILS else ""
    yield Paragraph(f"{judgment.verdict}{stage}: to a host like its source as that is before its upgrade.", TONES[judgment.verdict])
    yield Bullets(tuple((0, reason_sentence(reason)) for reason in judgment.reasons))
    if judgment.messages:
        yield Quote(judgment.messages)

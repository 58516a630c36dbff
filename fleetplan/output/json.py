"""JSON for automation. Keys may be added; those here keep their meaning.

The plan's own JSON is written by `inventory.planfile`, because a plan file is also read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleetplan.findings.catalogue import RULES
from fleetplan.findings.finding import Finding, fingerprint
from fleetplan.findings.imports import Imported
from fleetplan.findings.report import Report, Waived
from fleetplan.firmware.registers import BY_ID, psci_text
from fleetplan.fleet.model import HostName
from fleetplan.migration.mechanisms.shifts import InFleet, Kind, Shift
from fleetplan.migration.mechanisms.simulation import Outcome, Refusal
from fleetplan.migration.mechanisms.tables import Case, Comparison, Extension, Foresight
from fleetplan.migration.reasons import Judgment, Reason, Verdict
from fleetplan.migration.register_file import RegisterRow
from fleetplan.migration.ways import Way
from fleetplan.output.facts import BY_KEY
from fleetplan.output.json_text import encode
from fleetplan.output.mechanisms import remark_sentence, works
from fleetplan.output.reasons import consequences, protects, reason_sentence, value_words
from fleetplan.output.views.findings import fix, message
from fleetplan.output.views.refusal import violation_sentence
from fleetplan.output.ways import way_details, way_sentence
from fleetplan.rollout.invariants import Violation
from fleetplan.rollout.move_report import MoveReport


def hexadecimal(value: int | None) -> str | None:
    """A register id or value as hex text with 0x; None stays None."""
    return None if value is None else f"{value:#x}"


MOST_NAMES = 100
"""Hosts and guests of one finding that are listed; their number is always stated."""


def findings_json(report: Report) -> bytes:
    """`findings`, worst first, each with rule, severity, message, fingerprint and place (`line` 0: the whole file); what was taken off."""
    return encode(
        {
            "version": 1,
            "findings": [_finding(finding) for finding in report.findings],
            "waived": [_waived(waived) for waived in report.waived],
            "known": [_finding(finding) for finding in report.known],
            "gone": report.gone,
        }
    )


def _finding(finding: Finding) -> Mapping[str, Any]:
    rule = RULES[finding.rule]
    return {
        "rule": finding.rule,
        "severity": rule.severity,
        "title": rule.title,
        "message": message(finding),
        "help": rule.help,
        "fix": fix(finding),
        "fingerprint": fingerprint(finding, rule),
        "subject": finding.subject,
        "file": finding.at.file,
        "line": finding.at.line,
        "column": finding.at.column,
        "hosts": list(finding.hosts[:MOST_NAMES]),
        "host_count": len(finding.hosts),
        "guests": list(finding.guests[:MOST_NAMES]),
        "guest_count": len(finding.guests),
        "facts": dict(finding.facts),
    }


def _waived(waived: Waived) -> Mapping[str, Any]:
    waivers = [
        {"scope": waiver.scope, "reason": waiver.reason, "owner": waiver.owner, "expires": waiver.expires, "at": str(waiver.at)}
        for waiver in waived.waivers
    ]
    return {**_finding(waived.finding), "waivers": waivers}


def import_json(imported: Imported) -> bytes:
    """`written` (null: nothing was), `replaced`, `sources` as read, numbers of `hosts` and `guests`, `findings`, and `missing` keys."""
    missing = [
        {"noun": row.noun, "key": row.key, "names": row.names, "how": BY_KEY.get((row.noun, row.key), "")} for row in imported.missing
    ]
    return encode(
        {
            "version": 1,
            "written": imported.written,
            "replaced": imported.replaced,
            "sources": [{"source": row.source, "kind": row.kind} for row in imported.sources],
            "hosts": imported.hosts,
            "guests": imported.guests,
            "findings": [_finding(finding) for finding in imported.findings],
            "missing": missing,
        }
    )


def violations_json(violations: tuple[Violation, ...]) -> bytes:
    """`ok`, and `violations`: each with the invariant's id, subject, time, steps and facts."""
    return encode({"version": 1, "ok": not violations, "violations": [*map(violation_fields, violations)]})


def violation_fields(violation: Violation) -> Mapping[str, Any]:
    """What the judge holds against a plan."""
    return {
        "invariant": violation.invariant,
        "subject": violation.subject,
        "at_s": violation.at_s,
        "steps": violation.steps,
        "facts": dict(violation.facts),
        "message": violation_sentence(violation),
    }


def judgment_json(report: MoveReport) -> bytes:
    """`verdict`, `stage`, `reasons`, `messages`, `guest_after` (null where the guest stays), and what follows from them."""
    return encode({"version": 1, **report_fields(report)})


def report_fields(report: MoveReport) -> Mapping[str, Any]:
    """A report on one move."""
    judgment = report.judgment
    return {
        "verdict": judgment.verdict,
        "stage": judgment.stage,
        "allowed": report.allowed,
        "reasons": [_reason(reason) for reason in judgment.reasons],
        "consequences": consequences(judgment, report.source.name, report.guest.memory_mib, report.copy_s),
        "copy": {"memory_mib": report.guest.memory_mib, "duration_s": report.copy_s},
        "messages": judgment.messages,
        "libvirt": report.libvirt,
        "ways": [_way(way, report) for way in report.ways],
        "guest_after": _guest(judgment),
    }


def _reason(reason: Reason) -> Mapping[str, Any]:
    """A reason with what applies to it; `message` is the sentence, `*_words` are values in words."""
    words = {
        "source_words": value_words(reason.id, reason.source) if reason.source is not None else None,
        "destination_words": value_words(reason.id, reason.destination) if reason.destination is not None else None,
    }
    applies = {
        "register": reason.register,
        "id": hexadecimal(reason.id),
        "source": hexadecimal(reason.source),
        "destination": hexadecimal(reason.destination),
        **(words if reason.id in BY_ID else {}),
        "errno": reason.errno.name if reason.errno is not None else None,
    }
    guards = protects(reason)
    given = {name: value for name, value in applies.items() if value is not None}
    detail = {**dict(reason.detail), **({"protects": guards} if guards else {})}
    return {"kind": reason.kind, "stage": reason.stage, **given, **detail, "message": reason_sentence(reason)}


def _way(way: Way, report: MoveReport) -> Mapping[str, Any]:
    """A way to a yes with what applies to it."""
    applies = {
        "psci": way.psci,
        "machine": way.machine,
        "release": {"kernel": way.release.kernel, "vmm": way.release.vmm, "offered": way.offered} if way.release is not None else None,
        "hosts": way.hosts or None,
        "keys": way.keys or None,
        "fact": way.fact or None,
        "outcomes": way.outcomes or None,
        "lost": [item.value for item in way.lost] or None,
        "details": way_details(way, report) or None,
    }
    given = {name: value for name, value in applies.items() if value is not None}
    message = way_sentence(way, report)
    return {"kind": way.kind, "tried": way.tried, "permitted": way.permitted, "verdict": way.verdict, **given, "message": message}


def _guest(judgment: Judgment) -> Mapping[str, Any] | None:
    if judgment.after is None or judgment.verdict is Verdict.UNKNOWN:
        return None
    state = judgment.after
    return {
        "psci": psci_text(state.psci),
        "PSCI_VERSION": hexadecimal(state.psci),
        **{name: hexadecimal(value) for name, value in state.bitmaps},
        "pin": psci_text(state.pin) if state.pin is not None else None,
    }


def registers_json(files: Mapping[HostName, tuple[RegisterRow, ...]]) -> bytes:
    """`hosts` by name, each with its `registers`: id, name, value (null with `candidates`) and source."""
    hosts = {name: {"registers": [_register(row) for row in rows]} for name, rows in files.items()}
    return encode({"version": 1, "hosts": hosts})


def _register(row: RegisterRow) -> Mapping[str, Any]:
    value = row.values[0] if len(row.values) == 1 and not row.may_lack else None
    candidates = [hexadecimal(candidate) for candidate in row.values] + ([None] if row.may_lack else [])
    told = {"id": hexadecimal(row.id), "name": row.name, "value": hexadecimal(value), "words": row.words, "source": row.source}
    return told if value is not None else {**told, "candidates": candidates}


def mechanisms_json(compared: Comparison, fleet: InFleet | None) -> bytes:
    """`cases`, `foresight`, `second_revision`, and `fleet` (null without an inventory); what each run was made with stands before."""
    return encode(
        {
            "version": 1,
            "revision": compared.revision,
            "carries_features": compared.carries,
            "load": compared.load.value,
            "old": psci_text(compared.old),
            "new": psci_text(compared.new),
            "cases": [_case(case) for case in compared.cases],
            "foresight": [_foresight(seen) for seen in compared.foresights],
            "second_revision": [_extension(row) for row in compared.extensions],
            "fleet": _in_fleet(fleet) if fleet is not None else None,
        }
    )


def _case(case: Case) -> Mapping[str, Any]:
    remarks = [{"kind": remark, "message": remark_sentence(remark, case)} for remark in case.remarks]
    return {
        "mechanism": case.mechanism.name,
        "move": str(case.move),
        "works": works(case),
        "needs": case.needs,
        "starred": case.starred,
        "remarks": remarks,
        **(_outcome(case.outcome) if case.outcome is not None else {"verdict": None}),
    }


def _outcome(found: Outcome) -> Mapping[str, Any]:
    return {
        "verdict": found.verdict,
        "stage": found.stage,
        "psci_before": psci_text(found.before.psci),
        "psci_after": psci_text(found.after.psci) if found.after is not None else None,
        "psci_regardless": psci_text(found.regardless.psci),
        "psci_from": found.origin,
        "lost": list(found.lost),
        "dropped": found.dropped,
        "refusal": _refusal(found.refusal) if found.refusal is not None else None,
    }


def _refusal(refusal: Refusal) -> Mapping[str, Any]:
    errno = refusal.errno.name if refusal.errno is not None else None
    return {"stage": refusal.stage, "register": refusal.register, "value": hexadecimal(refusal.value), "errno": errno}


def _foresight(seen: Foresight) -> Mapping[str, Any]:
    case = seen.case
    kept = {"capability_keeps": seen.capability, "restore_check_keeps": seen.restore_check}
    return {"mechanism": case.mechanism.name, "move": str(case.move), "works": works(case), **kept}


def _extension(row: Extension) -> Mapping[str, Any]:
    return {
        "mechanism": row.mechanism.name,
        "novelty": row.novelty.name,
        "needs_something_new": row.needed,
        "userspace_change": row.taught,
        "helped": [str(move) for move in row.helped],
        "plain": {str(case.move): works(case) for case in row.plain},
        "extended": {str(case.move): works(case) for case in row.extended},
    }


def _in_fleet(fleet: InFleet) -> Mapping[str, Any]:
    warned = fleet.warnings
    effects = [
        {"mechanism": effect.mechanism.name, "moves": effect.moves, "changed": [_shift(shift) for shift in effect.shifts]}
        for effect in fleet.effects
    ]
    foreseen = {"bad": warned.bad, "capability": warned.capability, "restore_check": warned.restore_check, "either": warned.either}
    return {"effects": effects, "foreseen": foreseen}


def _shift(shift: Shift) -> Mapping[str, Any]:
    return {
        "today": {"verdict": shift.today[0], "stage": shift.today[1]},
        "then": {"verdict": shift.then[0], "stage": shift.then[1]},
        "moves": shift.moves,
        "guests": shift.guests,
        "kinds": [_kind(kind) for kind in shift.kinds],
    }


def _kind(kind: Kind) -> Mapping[str, Any]:
    example = kind.example
    return {
        "source": kind.source,
        "destination": kind.destination,
        "moves": kind.moves,
        "example": {
            "guest": example.guest,
            "source": example.source,
            "destination": example.destination,
            "upgraded": example.upgraded,
        },
    }

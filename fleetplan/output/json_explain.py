"""JSON of `explain`: a guest, a message, a rule, an invariant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleetplan.findings.finding import Rule
from fleetplan.firmware.guest_view import GuestView, Item
from fleetplan.firmware.registers import psci_text
from fleetplan.migration.diagnosis import Counts, Diagnosis, FleetMatch, Group, Named, Series
from fleetplan.migration.reasons import register_name
from fleetplan.migration.recognise import Line, Printer, facts_of
from fleetplan.output.diagnosis import cause_sentence, printer_words
from fleetplan.output.json import hexadecimal, report_fields
from fleetplan.output.json_text import encode
from fleetplan.output.reasons import value_words
from fleetplan.rollout.guest_report import Carries, Destination, GuestReport
from fleetplan.rollout.invariants import Invariant


def guest_json(report: GuestReport) -> bytes:
    """`guest`, `born`, `registers`, `promise`, `destinations` and `moves`."""
    born = {"known": report.known, "kernel": report.born.kernel, "vmm": report.born.vmm, "psci": report.pin}
    return encode(
        {
            "version": 1,
            "guest": report.guest.name,
            "host": report.host.name,
            "born": born,
            "registers": [_carries(row) for row in report.carries],
            "promise": [_promise(promise) for promise in report.promises],
            "unseen": [item.value for item in report.unseen],
            "gone": [item.value for item in report.gone],
            "destinations": [_destination(one) for one in report.destinations],
            "moves": [
                {"host": move.destination.name, "kernel": move.goal.kernel, "vmm": move.goal.vmm, **report_fields(move)}
                for move in report.moves
            ],
        }
    )


def _carries(row: Carries) -> Mapping[str, Any]:
    """Values are lists: more than one where it is not known."""
    sides = {"guest": row.values, "host": row.offered, "host_upgraded": row.offered_then}
    values = {name: [hexadecimal(value) for value in given] for name, given in sides.items()}
    words = {f"{name}_words": [value_words(row.id, value) for value in given] for name, given in sides.items()}
    return {"name": row.name, "id": hexadecimal(row.id), "travels": row.travels, **values, **words}


def _promise(promise: GuestView) -> Mapping[str, Any]:
    """Answers of ARCH_FEATURES as numbers, null where the guest never asked."""
    return {
        "psci": psci_text(promise.psci),
        "workaround_1": promise.workaround_1,
        "workaround_2": promise.workaround_2,
        "workaround_3": promise.workaround_3,
        "ssbs": promise.ssbs,
        "services": [item.value for item in Item if item in promise.services],
    }


def _destination(one: Destination) -> Mapping[str, Any]:
    return {
        "hosts": one.hosts,
        "kernel": one.release.kernel,
        "vmm": one.release.vmm,
        "upgraded": one.upgraded,
        "verdict": one.judgment.verdict,
        "stage": one.judgment.stage,
        "allowed": one.allowed,
        "way_back": one.way_back,
    }


def diagnosis_json(diagnosis: Diagnosis) -> bytes:
    """`known`, `lines`, `unknown_lines`, `stages`, `printed_by`, `registers`, `counts`, `moves` (null without an inventory), `nearest`."""
    return encode(
        {
            "version": 1,
            "known": diagnosis.known,
            "lines": [_line(line) for line in diagnosis.reading.lines],
            "unknown_lines": diagnosis.reading.unread,
            "stages": diagnosis.reading.stages,
            "printed_by": [_printer(printer) for printer in diagnosis.printers],
            "registers": [_named(one, group) for group in diagnosis.groups for one in group.registers],
            "counts": [_counts(counts) for counts in diagnosis.counts],
            "moves": None if diagnosis.matches is None else [_match(one) for one in diagnosis.matches],
            "nearest": diagnosis.neighbour,
        }
    )


def _line(line: Line) -> Mapping[str, Any]:
    facts = facts_of(line)
    told = {name: hexadecimal(facts[name]) if name in {"register", "written", "there"} else facts[name] for name in facts}
    return {"kind": line.wording.name, "text": line.text, **told, **({"errno": line.errno.name} if line.errno is not None else {})}


def _printer(printer: Printer) -> Mapping[str, Any]:
    first, before = (".".join(map(str, numbers)) or None for numbers in (printer.first, printer.before))
    words = printer_words((printer,))
    return {"vmm": printer.family.value, "first": first, "before": before, "package": printer.package or None, "words": words}


def _named(one: Named, group: Group) -> Mapping[str, Any]:
    values = {"written": one.written, "there": one.there}
    given = {name: hexadecimal(value) for name, value in values.items() if value is not None}
    words = {f"{name}_words": value_words(one.register, value) for name, value in values.items() if value is not None}
    return {
        "register": register_name(one.register),
        "id": hexadecimal(one.register),
        "trouble": None if one.trouble is None else one.trouble.value,
        **given,
        **words,
        "errno": None if one.errno is None else one.errno.name,
        "causes": [
            {
                "kernel": ".".join(map(str, cause.since)),
                "leaving": cause.leaving.value,
                "what": cause.what,
                "source": cause.source,
                "message": cause_sentence(cause),
            }
            for cause in group.causes
        ],
    }


def _counts(counts: Counts) -> Mapping[str, Any]:
    return {
        "brought": counts.brought,
        "listed": counts.listed,
        "source_kernels": _ranges(counts.sources),
        "destination_kernels": _ranges(counts.destinations),
    }


def _ranges(series: Series) -> list[Mapping[str, str]]:
    return [{"first": ".".join(map(str, first)), "last": ".".join(map(str, last))} for first, last in series]


def _match(one: FleetMatch) -> Mapping[str, Any]:
    return {
        "guests": one.guests,
        "source": one.source,
        "destinations": one.destinations,
        "upgraded": one.upgraded,
        "verdict": one.verdict,
    }


def invariant_json(row: Invariant) -> bytes:
    """An invariant that every plan keeps."""
    return encode(
        {
            "version": 1,
            "id": row.id,
            "scope": row.scope,
            "when": row.when.value,
            "law": row.law,
            "help": row.help,
            "decided_by": row.decided_by,
        }
    )


RULE_KEYS = ("id", "severity", "title", "message", "help", "fact", "fix", "source", "example", "mended", "firm")


def rule_json(rule: Rule) -> bytes:
    """A rule of `check`."""
    return encode({"version": 1, **_rule(rule)})


def rules_json(rules: tuple[Rule, ...]) -> bytes:
    """`rules`: each as `rule_json` has it."""
    return encode({"version": 1, "rules": [_rule(rule) for rule in rules]})


def _rule(rule: Rule) -> Mapping[str, Any]:
    return {name: getattr(rule, name) for name in RULE_KEYS}

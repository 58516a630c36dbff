"""Reasons of verdicts as sentences: what happens, to which register, with which values, and why."""

from __future__ import annotations

from typing import assert_never

from fleetplan.firmware.encodings import CCSIDR_IDS, by_name
from fleetplan.firmware.registers import BY_ID, Kind, describe
from fleetplan.migration.reasons import Judgment, Reason, ReasonKind, Stage, Verdict


def value_words(register_id: int | None, value: int) -> str:
    """A register's value in words where it is a firmware register, always with the number: `PSCI 1.3 (0x10003)`."""
    row = BY_ID.get(register_id) if register_id is not None else None
    number = f"{value:#x}"
    return f"{describe(row, value)} ({number})" if row is not None else number


def register_words(reason: Reason) -> str:
    """`PSCI_VERSION (0x6030000000140000)`."""
    if reason.register is None:
        return "the register list"
    return f"{reason.register} ({reason.id:#x})" if reason.id is not None else reason.register


def reason_sentence(reason: Reason) -> str:
    """One reason in words, its errno included."""
    errno = f": {reason.errno.name}" if reason.errno is not None else ""
    return _sentence(reason) + errno


def _sentence(reason: Reason) -> str:  # noqa: PLR0912 - one branch per kind
    register = register_words(reason)
    detail = dict(reason.detail)
    match reason.kind:
        case ReasonKind.REFUSED_VALUE:
            return f"{register}: {_saved(reason)}; {_there(reason)}"
        case ReasonKind.UNKNOWN_REGISTER:
            return f"{register}: {_saved(reason)}; the destination's kernel does not have this register"
        case ReasonKind.LONGER_LIST:
            brought, listed = detail.get("source_registers", "more"), detail.get("destination_registers", "fewer")
            return f"the guest brings {brought} registers, the destination lists only {listed}"
        case ReasonKind.DROPPED_TAIL:
            return f"{register}: {_saved(reason)}; the VMM drops it without a word, because it sorts after the destination's last"
        case ReasonKind.TOLERATED_BY_QUIRK:
            return f"{register}: lost, though the VMM reports a failure and then loads the guest (a later, tolerated register clears it)"
        case ReasonKind.NO_PIN_PROPERTY:
            return "the guest's configuration pins its PSCI version, and the destination's VMM does not know that property"
        case ReasonKind.PIN_REFUSED:
            return f"the guest's configuration pins {_pinned(reason)}, and the destination's kernel does not offer it"
        case ReasonKind.MACHINE_TYPE:
            return f"the destination's VMM does not know the machine type {detail.get('machine', '')}".rstrip()
        case ReasonKind.DIFFERENT_CPU:
            return f"{register}: the hosts have different CPUs ({_both(reason)})"
        case ReasonKind.PSCI_CHANGES:
            return f"{register}: the guest sees another PSCI version than at its boot ({_both(reason)})"
        case ReasonKind.MITIGATION_LOST:
            flaw = detail.get("mitigation", "a flaw")
            return f"{register}: the guest loses the mitigation of {flaw} that it saw at its last boot ({_both(reason)})"
        case ReasonKind.SERVICE_LOST:
            return f"{register}: the guest loses {detail.get('service', 'a service')} that it saw at its last boot"
        case ReasonKind.SERVICE_GAINED:
            return f"{register}: the guest gains {detail.get('service', 'a service')}"
        case ReasonKind.EQUIPMENT:
            return _equipment(detail)
        case ReasonKind.DIFFERENT_VMM:
            saver, loader = detail.get("saver", "the guest's own VMM"), detail.get("loader", "the destination's VMM")
            return f"{loader} cannot read what {saver} saves"
        case ReasonKind.UNDECIDED:
            guests = detail.get("whose") in {"guest", "birthplace"}
            offered = "what the guest has, or was promised, is not known" if guests else "what the hosts offer is not known"
            unnamed = f"{detail['name']}: what is there is not known" if "name" in detail else offered
            what = unnamed if reason.register is None else f"{register}: its value is not known"
            return f"{what}; {detail.get('decided_by', 'a probe of the hosts')} would decide"
        case _:
            assert_never(reason.kind)


def _saved(reason: Reason) -> str:
    return "saved value not known" if reason.source is None else f"saved {value_words(reason.id, reason.source)}"


def _there(reason: Reason) -> str:
    if reason.destination is None:
        return "the destination refuses it"
    return f"the destination has {value_words(reason.id, reason.destination)} and refuses it"


def _pinned(reason: Reason) -> str:
    return "a version" if reason.source is None else value_words(reason.id, reason.source)


def _both(reason: Reason) -> str:
    values = [value for value in (reason.source, reason.destination) if value is not None]
    return " then ".join(value_words(reason.id, value) for value in values) or "values not known"


def _equipment(detail: dict[str, str]) -> str:
    needs, offers = detail.get("needs", "it"), detail.get("offers")
    if offers is None:
        return f"{detail['name']}: the guest has {needs}, which does not go along"
    return f"{detail['name']}: the guest has {needs}, the destination {offers}"


CONSEQUENCES = {
    Stage.START: "The destination's VMM does not start; nothing is copied, and the guest stays on the source.",
    Stage.LENGTH: "It fails after the whole copy; the guest stays on the source.",
    Stage.MERGE: "It fails after the whole copy; the guest stays on the source.",
    Stage.SET: "It fails after the whole copy; the guest stays on the source.",
    Stage.AFTER: "The guest runs on the destination.",
}


def verdict_sentence(judgment: Judgment) -> str:
    """What the verdict means for the guest."""
    match judgment.verdict:
        case Verdict.SAFE:
            return "The guest runs on the destination and sees what it saw."
        case Verdict.CHANGES:
            return "The guest runs on the destination; its firmware differs, and nothing that it was promised is lost."
        case Verdict.STRIPS:
            return "The guest runs on the destination, and something that it was promised is gone without an error."
        case Verdict.UNKNOWN:
            return "Not decided: what is not known makes the difference. No plan uses this move unless policy accepts it."
        case Verdict.FAILS:
            return CONSEQUENCES[judgment.stage]
        case _:
            assert_never(judgment.verdict)


# --- what follows for the guest -------------------------------------------------------------------------------------------------------

FLAWS = {"spectre-v2": "Spectre v2", "spectre-v4": "Spectre v4 (speculative store bypass)", "spectre-bhb": "Spectre BHB"}
IMPLEMENTATION = frozenset(by_name(register) for register in ("MIDR_EL1", "REVIDR_EL1", "AIDR_EL1"))
CACHES = frozenset({by_name("CLIDR_EL1"), by_name("CTR_EL0"), *CCSIDR_IDS})


def consequences(judgment: Judgment, source: str, memory_mib: int, copy_s: int) -> tuple[str, ...]:
    """What the move does to the guest, beyond the verdict's sentence."""
    match judgment.verdict:
        case Verdict.FAILS if judgment.stage is Stage.START:
            return (f"The guest goes on on {source}; nothing was copied.",)
        case Verdict.FAILS:
            copied = f"{memory_mib / 1024:g} GiB were copied for nothing, some {copy_s:,} s"
            post_copy = "With post-copy the guest would have moved already, and could be lost: use pre-copy only."
            return (f"The guest goes on on {source}: {copied}.", post_copy)
        case Verdict.SAFE | Verdict.UNKNOWN:
            return ()
        case Verdict.CHANGES | Verdict.STRIPS:
            return tuple(dict.fromkeys(text for reason in judgment.reasons if (text := _consequence(reason))))
        case _:
            assert_never(judgment.verdict)


def _consequence(reason: Reason) -> str:
    detail = dict(reason.detail)
    match reason.kind:
        case ReasonKind.MITIGATION_LOST:
            flaw = detail.get("mitigation", "")
            return (
                f"It runs exposed to {FLAWS.get(flaw, flaw)} until it moves to a host that mitigates it; until its next boot it reports "
                "that it is safe."
            )
        case ReasonKind.SERVICE_LOST:
            return f"Its calls of {detail.get('service', 'a service')} fail, until it moves back or boots again without it."
        case ReasonKind.SERVICE_GAINED:
            return f"It finds {detail.get('service', 'the service')} when it looks again: a warm reboot is enough."
        case ReasonKind.PSCI_CHANGES:
            return "A guest that asks for its PSCI version at boot only does not notice before its next boot."
        case ReasonKind.DROPPED_TAIL | ReasonKind.TOLERATED_BY_QUIRK:
            return f"{reason.register} falls back to what the destination gives a new guest."
        case _:
            return ""


PROTECTING = frozenset({ReasonKind.REFUSED_VALUE, ReasonKind.DIFFERENT_CPU, ReasonKind.UNKNOWN_REGISTER, ReasonKind.PIN_REFUSED})


def protects(reason: Reason) -> str:
    """What a refusal keeps from happening, empty where it protects nothing that is known."""
    if reason.kind not in PROTECTING:
        return ""
    if reason.kind is ReasonKind.UNKNOWN_REGISTER and reason.id not in BY_ID:
        return "state of the guest that the destination has no place for"
    return dict(reason.detail).get("protects") or register_protects(reason.id)


def register_protects(register: int | None) -> str:
    """What the refusal of a register protects."""
    row = BY_ID.get(register) if register is not None else None
    if row is not None:
        match row.kind:
            case Kind.VERSION:
                return "PSCI calls of that version, which the guest may make"
            case Kind.LEVEL:
                return "the promise of a mitigation"
            case Kind.BITMAP:
                return "services that the guest found at its boot"
            case _:
                assert_never(row.kind)
    if register in IMPLEMENTATION:
        return "the workarounds for CPU errata that the guest chose at its boot"
    if register in CACHES:
        return "cache maintenance by the sizes and levels that the guest read at its boot"
    return "code that the guest chose by what it read of its CPU" if register is not None else ""

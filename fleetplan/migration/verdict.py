"""The judgment of one move: what happens to a guest, why, and what it is afterwards.

`judge` runs what would happen: the destination's VMM starts, the source's process saves, the stream is loaded (length, merge, set) into
an executable KVM of the destination, in the VMM's write order; then what the guest sees is compared with its promise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from fleetplan.firmware import registers as fw
from fleetplan.firmware.encodings import by_name
from fleetplan.firmware.errno import Errno
from fleetplan.firmware.families import moves, name
from fleetplan.firmware.guest_view import MITIGATIONS, REGISTER_OF, GuestView, Item, gains, losses, view
from fleetplan.firmware.vcpu import Kvm, OtherRegister, VirtualMachine
from fleetplan.migration import messages
from fleetplan.migration.carry import Carried, GuestState, StartRefusedError, firmware_of, resumed, start
from fleetplan.migration.offers import HostOffer, combinations, too_many
from fleetplan.migration.vmm import TOLERANCES, Load, VmmProfile, knows_machine


class Verdict(StrEnum):
    """What happens to a guest in a move, least harmful first."""

    SAFE = "SAFE"
    CHANGES = "CHANGES"
    STRIPS = "STRIPS"
    UNKNOWN = "UNKNOWN"
    FAILS = "FAILS"


class Stage(StrEnum):
    """Where a move is decided: before any copy (start), after it (length, merge, set), or by what the guest then sees."""

    START = "start"
    LENGTH = "length"
    MERGE = "merge"
    SET = "set"
    AFTER = "after"


class ReasonKind(StrEnum):
    """Typed reasons. The sentence for each is made in `output`."""

    REFUSED_VALUE = "refused-value"
    UNKNOWN_REGISTER = "unknown-register"
    LONGER_LIST = "longer-list"
    DROPPED_TAIL = "dropped-tail"
    TOLERATED_BY_QUIRK = "tolerated-by-quirk"
    NO_PIN_PROPERTY = "no-pin-property"
    PIN_REFUSED = "pin-refused"
    MACHINE_TYPE = "machine-type"
    DIFFERENT_CPU = "different-cpu"
    PSCI_CHANGES = "psci-changes"
    MITIGATION_LOST = "mitigation-lost"
    SERVICE_LOST = "service-lost"
    SERVICE_GAINED = "service-gained"
    NOT_RESTORED = "not-restored"
    DIFFERENT_VMM = "different-vmm"
    UNDECIDED = "undecided"


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a verdict is what it is.

    `register` is a name (`PSCI_VERSION`, `CCSIDR_EL1`, `S3_0_C0_C5_0`); `id` its id; `source` the saved value and `destination` what
    the destination has or accepts at most. `detail` holds further facts ready for a sentence.
    """

    kind: ReasonKind
    stage: Stage
    register: str | None = None
    id: int | None = None
    source: int | None = None
    destination: int | None = None
    errno: Errno | None = None
    detail: tuple[tuple[str, str], ...] = ()


RANK = {verdict: rank for rank, verdict in enumerate(Verdict)}
"""How verdicts take precedence: the higher one is said."""


class Judgment(msgspec.Struct, frozen=True, kw_only=True):
    """What one move comes to.

    `stage` says where it was decided. `after` is the guest at the destination, None if it stays; of an UNKNOWN, what it is if the move
    goes well. `lost` are names of registers whose loss a waiver would have to accept (of a STRIPS).
    """

    verdict: Verdict
    stage: Stage
    reasons: tuple[Reason, ...] = ()
    messages: tuple[str, ...] = ()
    after: GuestState | None = None
    lost: frozenset[str] = frozenset()


MOST_UNDECIDED = 8
"""Registers named in an UNKNOWN; what decides one mostly decides all."""

IMPLEMENTATION = frozenset(by_name(register) for register in ("MIDR_EL1", "REVIDR_EL1", "AIDR_EL1"))


MIXED = Reason(
    kind=ReasonKind.UNDECIDED,
    stage=Stage.SET,
    detail=(("decided_by", "the CPUs that the guest's vCPUs are bound to, on hosts whose CPUs differ,"),),
)
"""A vCPU reads MIDR_EL1 and cache registers of the CPU it happens to be on (QEMU issue 1595)."""


def judge(guest: GuestState, source: HostOffer, destination: HostOffer) -> Judgment:
    """Judge the move of a guest. All that the hosts may be is tried (up to 64 ways); UNKNOWN says what would decide.

    Deterministic; some 0.5 ms a way.
    """
    if too_many(source, destination):
        return _unknown(source, destination, (), _first_after(guest, source, destination))
    found = [_judge_one(guest, *way) for way in combinations(source, destination)]
    worst = max(found, key=lambda judgment: RANK[judgment.verdict])
    if (source.mixed or destination.mixed) and worst.verdict is not Verdict.FAILS:
        return Judgment(verdict=Verdict.UNKNOWN, stage=Stage.SET, reasons=(MIXED,), after=worst.after)
    verdicts = {judgment.verdict for judgment in found}
    if len(verdicts) == 1 or verdicts <= {Verdict.SAFE, Verdict.CHANGES}:
        return worst
    return _unknown(source, destination, worst.reasons, _first_after(guest, source, destination))


def _first_after(guest: GuestState, source: HostOffer, destination: HostOffer) -> GuestState | None:
    """What the guest is after the first way in which the move goes well."""
    ways = (_judge_one(guest, *way) for way in combinations(source, destination))
    return next((judgment.after for judgment in ways if judgment.after is not None), None)


def _unknown(source: HostOffer, destination: HostOffer, worst: tuple[Reason, ...], after: GuestState | None) -> Judgment:
    """The candidates disagree: what decides, and what the worst of them says."""
    deciding = tuple(dict.fromkeys((*source.undecided, *destination.undecided))) or ("a probe of both hosts",)
    reasons = tuple(Reason(kind=ReasonKind.UNDECIDED, stage=Stage.AFTER, detail=(("decided_by", fact),)) for fact in deciding)
    return Judgment(verdict=Verdict.UNKNOWN, stage=Stage.AFTER, reasons=(*reasons, *worst), after=after)


# --- one way in which both hosts may be ----------------------------------------------------------------------------------------------


class _Stream(msgspec.Struct, frozen=True):
    """What is saved: the firmware registers and their values, and the others as the guest carries them; ids in list order."""

    firmware: dict[int, int]
    others: dict[int, OtherRegister]

    @property
    def ids(self) -> list[int]:
        return [*self.firmware, *self.others]


class _Written(msgspec.Struct):
    """What came of writing: refusals in the order of writing, and registers that could not be decided."""

    refused: list[messages.Refused]
    undecided: list[int]


def _judge_one(guest: GuestState, here: Kvm, saver: VmmProfile, there: Kvm, loader: VmmProfile) -> Judgment:
    refusal = _refused_start(guest, saver, loader)
    if refusal is not None:
        return refusal
    try:
        machine = start(there, guest.features, guest.pin)
    except StartRefusedError:
        version = fw.psci_text(guest.pin or 0)
        reason = Reason(
            kind=ReasonKind.PIN_REFUSED,
            stage=Stage.START,
            register=fw.PSCI_VERSION.name,
            id=fw.PSCI_VERSION.id,
            source=guest.pin,
            destination=there.profile.psci_default,
            errno=Errno.EINVAL,
        )
        return _failure(Stage.START, [reason], messages.pin_refused(version))
    stream = _save(guest, here, saver)
    return _load(guest, stream, here, machine, there, loader)


def _failure(stage: Stage, reasons: Iterable[Reason], lines: tuple[str, ...]) -> Judgment:
    return Judgment(verdict=Verdict.FAILS, stage=stage, reasons=tuple(reasons), messages=lines)


def _refused_start(guest: GuestState, saver: VmmProfile, loader: VmmProfile) -> Judgment | None:
    """What the destination's VMM refuses before any copy."""
    if (saver.load is Load.STRICT) != (loader.load is Load.STRICT):
        return _failure(Stage.START, [Reason(kind=ReasonKind.DIFFERENT_VMM, stage=Stage.START)], ())
    if guest.pin is not None and not loader.knows_pin:
        reason = Reason(
            kind=ReasonKind.NO_PIN_PROPERTY, stage=Stage.START, register=fw.PSCI_VERSION.name, id=fw.PSCI_VERSION.id, source=guest.pin
        )
        return _failure(Stage.START, [reason], messages.no_pin_property(fw.psci_text(guest.pin)))
    if guest.machine is not None and knows_machine(loader, guest.machine) is False:
        reason = Reason(kind=ReasonKind.MACHINE_TYPE, stage=Stage.START, detail=(("machine", guest.machine),))
        return _failure(Stage.START, [reason], messages.no_machine(guest.machine))
    return None


def _save(guest: GuestState, here: Kvm, saver: VmmProfile) -> _Stream:
    """What the guest's own process saves: what its kernel lists, levels read from the host that it is on."""
    machine = resumed(guest, here)
    rows = [fw.BY_NAME[row] for row in here.profile.registers]
    saved = [row for row in rows if saver.saves_bitmaps or row.kind is not fw.Kind.BITMAP]
    firmware = {row.id: machine.get(0, row.id).value or 0 for row in saved}
    others = {register.id: guest.carried.registers.get(register.id, register) for register in here.others}
    return _Stream(firmware, others)


def _load(guest: GuestState, stream: _Stream, here: Kvm, machine: VirtualMachine, there: Kvm, loader: VmmProfile) -> Judgment:
    listed = dict.fromkeys((*(fw.BY_NAME[name_].id for name_ in there.profile.registers), *(r.id for r in there.others)))
    brought = stream.ids
    if loader.load is Load.A and len(brought) > len(listed):
        detail = (("source_registers", str(len(brought))), ("destination_registers", str(len(listed))))
        reasons = [Reason(kind=ReasonKind.LONGER_LIST, stage=Stage.LENGTH, detail=detail), *_lacking(stream, brought, listed, Stage.LENGTH)]
        return _failure(Stage.LENGTH, reasons, messages.length(loader, len(brought), len(listed)))
    if loader.load is Load.STRICT:
        return _load_strictly(guest, stream, here, machine, there, loader)
    lacking = sorted(register for register in brought if register not in listed)
    unsent = sorted(register for register in listed if register not in stream.firmware and register not in stream.others)
    failed, copied = _merge(stream, sorted(listed), lacking, loader)
    written = _write(stream, copied, machine, there)
    refusals = messages.refused(loader, written.refused) if written.refused else ()
    merging = messages.merge(loader, *_named(stream, lacking, unsent, loader), failed=failed and not written.refused)
    if failed:
        return _failure(Stage.MERGE, _lacking(stream, lacking, listed, Stage.MERGE), (*merging, *refusals))
    if written.refused:
        return _failure(Stage.SET, [_refusal(register, here) for register in written.refused], (*merging, *refusals))
    silent = [register for register in lacking if not _harmless(stream, register, loader)]
    return _after(guest, stream, written, here, machine, there, loader, silent, merging)


def _lacking(stream: _Stream, brought: Iterable[int], listed: Iterable[int], stage: Stage) -> list[Reason]:
    """Registers that the destination's kernel does not have: firmware registers first."""
    known = set(listed)
    lacking = sorted(
        (register for register in brought if register not in known), key=lambda register: (not fw.is_firmware(register), register)
    )
    return [
        Reason(
            kind=ReasonKind.UNKNOWN_REGISTER,
            stage=stage,
            register=register_name(register),
            id=register,
            source=_value(stream, register),
            errno=Errno.ENOENT,
        )
        for register in lacking
    ]


def register_name(register: int) -> str:
    """A register's name: of firmware registers the table's, of others the architecture's."""
    row = fw.BY_ID.get(register)
    return row.name if row is not None else name(register)


def _value(stream: _Stream, register: int) -> int | None:
    return stream.firmware[register] if register in stream.firmware else stream.others[register].value


def _merge(stream: _Stream, listed: list[int], lacking: list[int], loader: VmmProfile) -> tuple[bool, list[int]]:
    """Whether the merge fails, and the registers that it copied before it did."""
    common = [register for register in listed if register in stream.firmware or register in stream.others]
    if not lacking:
        return False, common
    match loader.load:
        case Load.A:
            # The loop ends when either list ends: what sorts after the destination's last register is dropped in silence.
            if lacking[0] > listed[-1]:
                return False, common
            return True, [register for register in common if register < lacking[0]]
        case Load.B0:
            return True, common
        case _:
            # The flag is assigned, not or-ed: the last register that the destination lacks decides alone.
            return not _tolerated(stream, lacking[-1]), common


def _named(stream: _Stream, lacking: list[int], unsent: list[int], loader: VmmProfile) -> tuple[list[int], list[int]]:
    """The registers that B loads name; B1 passes over the tolerated ones in silence."""
    if loader.load is not Load.B1:
        return lacking, unsent
    on_either_side = {row.register for row in TOLERANCES if row.only is None}
    return [register for register in lacking if not _tolerated(stream, register)], [
        register for register in unsent if register not in on_either_side
    ]


def _tolerated(stream: _Stream, register: int) -> bool:
    return any(row.register == register and row.only in {None, _value(stream, register)} for row in TOLERANCES)


def _harmless(stream: _Stream, register: int, loader: VmmProfile) -> bool:
    """Whether the loss of a register takes nothing from the guest."""
    row = fw.BY_ID.get(register)
    if row is not None:
        return fw.gives_nothing(row, stream.firmware[register])
    return loader.load is Load.B1 and _tolerated(stream, register)


def _write(stream: _Stream, copied: Iterable[int], machine: VirtualMachine, there: Kvm) -> _Written:
    """Write registers in the order given; QEMU tries all of them, whatever is refused."""
    own = {register.id: register for register in there.others}
    written = _Written([], [])
    for register in copied:
        if register in stream.firmware:
            value = stream.firmware[register]
            errno = machine.set(0, register, value).errno
            if errno is not None:
                written.refused.append((register, value, machine.get(0, register).value, errno))
            continue
        carried = stream.others[register]
        taken = moves(carried, own[register])
        if taken is False:
            written.refused.append((register, carried.value, own[register].value, Errno.EINVAL))
        elif taken is None:
            written.undecided.append(register)
        elif carried.value is not None and own[register].lowerable:
            machine.set(0, register, carried.value)
    return written


def _load_strictly(guest: GuestState, stream: _Stream, here: Kvm, machine: VirtualMachine, there: Kvm, loader: VmmProfile) -> Judgment:
    """Each register in list order; the first that is refused, or unknown, ends it."""
    own = {register.id for register in there.others} | {fw.BY_NAME[row].id for row in there.profile.registers}
    undecided: list[int] = []
    for register in stream.ids:
        if register not in own:
            refusal = (register, _value(stream, register), None, Errno.ENOENT)
            return _failure(Stage.SET, [_refusal(refusal, here)], messages.refused(loader, [refusal]))
        written = _write(stream, [register], machine, there)
        undecided += written.undecided
        if written.refused:
            return _failure(Stage.SET, [_refusal(written.refused[0], here)], messages.refused(loader, written.refused))
    return _after(guest, stream, _Written([], undecided), here, machine, there, loader, [], ())


def _refusal(refused: messages.Refused, here: Kvm) -> Reason:
    register, written, there, errno = refused
    kind = ReasonKind.DIFFERENT_CPU if register in IMPLEMENTATION else ReasonKind.REFUSED_VALUE
    if errno is Errno.ENOENT:
        kind = ReasonKind.UNKNOWN_REGISTER
    protects = _protected(register, here)
    detail = (("protects", protects),) if protects else ()
    return Reason(
        kind=kind,
        stage=Stage.SET,
        register=register_name(register),
        id=register,
        source=written,
        destination=there,
        errno=errno,
        detail=detail,
    )


PROTECTS = {REGISTER_OF[item].name: f"the guest's mitigation of {item.value}" for item in MITIGATIONS}


def _protected(register: int, here: Kvm) -> str:
    """What a refusal protects: a level is refused so that a guest does not lose what it was promised."""
    row = fw.BY_ID.get(register)
    return PROTECTS.get(row.name, "") if row is not None and row.name in here.profile.registers else ""


# --- the guest on the other side -----------------------------------------------------------------------------------------------------


def _after(
    guest: GuestState,
    stream: _Stream,
    written: _Written,
    here: Kvm,
    machine: VirtualMachine,
    there: Kvm,
    loader: VmmProfile,
    silent: list[int],
    lines: tuple[str, ...],
) -> Judgment:
    """The load went through: compare what the guest sees with what it saw."""
    state = _arrived(guest, stream, machine, there)
    if written.undecided:
        reasons = tuple(_undecided(written.undecided))
        return Judgment(verdict=Verdict.UNKNOWN, stage=Stage.SET, reasons=reasons, messages=lines, after=state)
    before, now = view(resumed(guest, here), here), view(machine, there)
    lost = _lost(guest.promise, before, now)
    kind = ReasonKind.DROPPED_TAIL if loader.load is Load.A else ReasonKind.TOLERATED_BY_QUIRK
    dropped = [
        Reason(kind=kind, stage=Stage.MERGE, register=register_name(register), id=register, source=_value(stream, register))
        for register in silent
    ]
    stripped = [*dropped, *(_loss(item, guest.promise, stream, machine) for item in lost)]
    if stripped:
        names = frozenset(reason.register for reason in stripped if reason.register is not None)
        return Judgment(verdict=Verdict.STRIPS, stage=Stage.AFTER, reasons=tuple(stripped), messages=lines, after=state, lost=names)
    changed = tuple(_changes(guest, before, now, stream, machine))
    verdict = Verdict.CHANGES if changed else Verdict.SAFE
    return Judgment(verdict=verdict, stage=Stage.AFTER, reasons=changed, messages=lines, after=state)


def _arrived(guest: GuestState, stream: _Stream, machine: VirtualMachine, there: Kvm) -> GuestState:
    psci, bitmaps = firmware_of(machine, there)
    carried = tuple(stream.others.get(register.id, register) for register in there.others)
    return replace(guest, psci=psci, bitmaps=bitmaps, carried=Carried(carried), process=None)


def _undecided(registers: list[int]) -> Iterator[Reason]:
    for register in registers[:MOST_UNDECIDED]:
        decided_by = "MIDR_EL1 of both hosts" if register in IMPLEMENTATION else "a probe of both hosts"
        yield Reason(
            kind=ReasonKind.UNDECIDED,
            stage=Stage.SET,
            register=register_name(register),
            id=register,
            detail=(("decided_by", decided_by),),
        )


def _lost(promise: GuestView, before: GuestView, now: GuestView) -> list[Item]:
    """What this move takes: what was lost before it is not its doing."""
    gone = losses(promise, before)
    return [item for item in losses(promise, now) if item not in gone]


def _loss(item: Item, promise: GuestView, stream: _Stream, machine: VirtualMachine) -> Reason:
    row = REGISTER_OF[item]
    kind = ReasonKind.MITIGATION_LOST if item in MITIGATIONS else ReasonKind.SERVICE_LOST
    word = "mitigation" if item in MITIGATIONS else "service"
    return Reason(
        kind=kind,
        stage=Stage.AFTER,
        register=row.name,
        id=row.id,
        source=stream.firmware.get(row.id),
        destination=machine.get(0, row.id).value,
        detail=((word, item.value), ("promised_psci", fw.psci_text(promise.psci))),
    )


def _changes(guest: GuestState, before: GuestView, now: GuestView, stream: _Stream, machine: VirtualMachine) -> Iterator[Reason]:
    """What differs and takes nothing: another PSCI version out of the blue, or more services than before."""
    if now.psci != before.psci:
        yield Reason(
            kind=ReasonKind.PSCI_CHANGES,
            stage=Stage.AFTER,
            register=fw.PSCI_VERSION.name,
            id=fw.PSCI_VERSION.id,
            source=before.psci,
            destination=now.psci,
        )
    had = gains(guest.promise, before)
    for item in gains(guest.promise, now):
        if item not in had:
            row = REGISTER_OF[item]
            yield Reason(
                kind=ReasonKind.SERVICE_GAINED,
                stage=Stage.AFTER,
                register=row.name,
                id=row.id,
                source=stream.firmware.get(row.id),
                destination=machine.get(0, row.id).value,
                detail=(("service", item.value),),
            )

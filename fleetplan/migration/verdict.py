"""The judgment of one move: what happens to a guest, why, and what it is afterwards.

What would happen is run: the destination's VMM starts, the source's process saves, the stream is loaded (length, merge, set) into an
executable KVM of the destination, in the VMM's write order; then what the guest sees is compared with its promise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from msgspec.structs import replace

from fleetplan.firmware import registers as fw
from fleetplan.firmware.encodings import by_name
from fleetplan.firmware.errno import Errno
from fleetplan.firmware.guest_view import MITIGATIONS, REGISTER_OF, GuestView, Item, gains, losses
from fleetplan.firmware.vcpu import Kvm
from fleetplan.fleet.model import Equipment, Platform
from fleetplan.migration import messages, start
from fleetplan.migration.carry import Carried, GuestState
from fleetplan.migration.interning import Numbers
from fleetplan.migration.offers import HostOffer, combinations, too_many
from fleetplan.migration.reasons import RANK, Judgment, Reason, ReasonKind, Stage, Verdict, register_name
from fleetplan.migration.restore import Firmware, Others, Restored, Saved, Sheet, WrittenOthers
from fleetplan.migration.stream import EITHER_SIDE, Merged, listed_ids, merge, saved_ids
from fleetplan.migration.vmm import Load, VmmProfile

MOST_UNDECIDED = 8
"""Registers named in an UNKNOWN; what decides one mostly decides all."""

IMPLEMENTATION = frozenset(by_name(register) for register in ("MIDR_EL1", "REVIDR_EL1", "AIDR_EL1"))

MIXED = Reason(
    kind=ReasonKind.UNDECIDED,
    stage=Stage.SET,
    detail=(("decided_by", "the CPUs that the guest's vCPUs are bound to, on hosts whose CPUs differ,"),),
)
"""A vCPU reads MIDR_EL1 and cache registers of the CPU it happens to be on (QEMU issue 1595)."""

Ruling = tuple[Verdict, Stage]
"""A verdict without its reasons, and the stage at which it fell."""


class _Leaving(msgspec.Struct, frozen=True):
    """A guest on one kind of host, run by one kind of VMM: all that its move depends on, wherever it goes."""

    guest: GuestState
    here: Kvm
    saver: VmmProfile
    number: int
    saved: Saved
    stream: Sheet
    ids: int
    brought: tuple[int, ...]
    tolerated: frozenset[int]


class _Way(msgspec.Struct, frozen=True):
    """One way in which a move may go, worked out as far as the verdict needs. `restored` None: the pin keeps the VM from starting."""

    leaving: _Leaving
    there: Kvm
    loader: VmmProfile
    refused_start: tuple[start.Refusal, ...]
    merged: Merged
    others: WrittenOthers
    restored: Restored | None
    lost: tuple[Item, ...] = ()
    silent: tuple[int, ...] = ()
    changes: bool = False

    @property
    def refused(self) -> tuple[messages.Refused, ...]:
        """Refusals in the order of writing; a strict load ends at the first."""
        firmware = self.restored.refused if self.restored is not None else ()
        copied = frozenset(self.merged.copied)
        if self.loader.load is not Load.STRICT:
            return (*(refusal for refusal in self.others.refused if refusal[0] in copied), *firmware)
        unknown = [(place, self.value(place), None, Errno.ENOENT) for place in self.merged.lacking if not fw.is_firmware(place)]
        found = {refusal[0]: refusal for refusal in (*unknown, *self.others.refused, *firmware)}
        return tuple(found[place] for place in self.merged.copied if place in found)[:1]

    def value(self, register: int) -> int | None:
        """What the stream has of a register."""
        values = self.leaving.saved.values
        return values[register] if register in values else self.leaving.stream.registers[register].value

    @property
    def ruling(self) -> Ruling:
        """The verdict, by the first stage that ends the move."""
        if self.restored is None or any(_is_refusal(reason) for reason, _ in self.refused_start):
            return Verdict.FAILS, Stage.START
        if self.merged.stage is not None:
            return Verdict.FAILS, self.merged.stage
        if self.restored.refused or self.others.refused or (self.loader.load is Load.STRICT and self.merged.lacking):
            return Verdict.FAILS, Stage.SET
        if any(reason.kind is ReasonKind.UNDECIDED for reason, _ in self.refused_start):
            return Verdict.UNKNOWN, Stage.START
        if self.others.undecided:
            return Verdict.UNKNOWN, Stage.SET
        if self.lost or self.silent or self.refused_start:
            return Verdict.STRIPS, Stage.AFTER
        return (Verdict.CHANGES if self.changes else Verdict.SAFE), Stage.AFTER


class Judge:
    """Judges moves, and remembers every part that was worked out: most moves of a fleet differ in little.

    Deterministic. The first judgment between two kinds of hosts takes some 0.3 ms, a ruling whose parts are known some 5 microseconds.
    """

    def __init__(self) -> None:
        self._others = Others()
        self._firmware = Firmware()
        self._kvms: Numbers[Kvm] = Numbers()
        self._vmms: Numbers[VmmProfile] = Numbers()
        self._states: Numbers[GuestState] = Numbers()
        self._equipment: Numbers[Equipment] = Numbers()
        self._platforms: Numbers[Platform] = Numbers()
        self._lists: Numbers[tuple[int, ...]] = Numbers()
        self._listed: dict[int, tuple[int, tuple[int, ...]]] = {}
        self._leaving: dict[tuple[int, int, int], _Leaving] = {}
        self._merged: dict[tuple[int, int, Load, frozenset[int]], Merged] = {}
        self._starts: dict[tuple[object, ...], tuple[start.Refusal, ...]] = {}
        self._seen: dict[tuple[int, int, int], tuple[tuple[Item, ...], bool]] = {}
        self._promises: Numbers[GuestView] = Numbers()

    # --- asking -------------------------------------------------------------------------------------------------------------------

    def ruling(self, guest: GuestState, source: HostOffer, destination: HostOffer) -> Ruling:
        """The verdict on a move and its stage, without reasons."""
        if too_many(source, destination):
            return Verdict.UNKNOWN, Stage.AFTER
        return _overall([way.ruling for way in self._ways(guest, source, destination)], source, destination)

    def judgment(self, guest: GuestState, source: HostOffer, destination: HostOffer) -> Judgment:
        """Judge a move. All that the hosts may be is tried (up to 64 ways); UNKNOWN says what would decide."""
        ways = list(self._ways(guest, source, destination))
        if too_many(source, destination):
            return _unknown(source, destination, (), _first_after(ways))
        verdict, stage = _overall([way.ruling for way in ways], source, destination)
        worst = max(ways, key=lambda way: RANK[way.ruling[0]])
        if verdict is worst.ruling[0] and not _mixed(source, destination, verdict):
            return _explained(worst)
        if _mixed(source, destination, verdict):
            return Judgment(verdict=verdict, stage=stage, reasons=(MIXED,), after=_first_after(ways))
        return _unknown(source, destination, _explained(worst).reasons, _first_after(ways))

    # --- one way in which both hosts may be ---------------------------------------------------------------------------------------

    def _ways(self, guest: GuestState, source: HostOffer, destination: HostOffer) -> Iterator[_Way]:
        here, there = source.stated.platform, destination.stated.platform
        for kvm, saver, goal, loader in combinations(source, destination):
            yield self._way(self._leave(guest, kvm, saver), goal, loader, self._start(guest, saver, loader, here, there))

    def _leave(self, guest: GuestState, here: Kvm, saver: VmmProfile) -> _Leaving:
        key = (self._states(guest), self._kvms(here), self._vmms(saver))
        if key not in self._leaving:
            brought, number, small = saved_ids(here, saver), self._firmware.guest(guest), self._firmware.kvm(here)
            saved, stream = self._firmware.save(guest, number, small, saver), self._others.of_stream(guest.carried, here)
            tolerated = saved.tolerated | (EITHER_SIDE & stream.registers.keys())
            self._leaving[key] = _Leaving(guest, here, saver, number, saved, stream, self._lists(brought), brought, tolerated)
        return self._leaving[key]

    def _way(self, leaving: _Leaving, there: Kvm, loader: VmmProfile, refused_start: tuple[start.Refusal, ...]) -> _Way:
        guest, others = leaving.guest, self._others.write(leaving.stream, self._others.of_host(there))
        merged = self._merge(leaving, there, loader)
        copied, pfr1 = tuple(place for place in merged.copied if fw.is_firmware(place)), others.pfr1
        restored = self._firmware.restore(
            guest,
            leaving.number,
            leaving.saved,
            self._firmware.kvm(there),
            copied,
            pfr1,
            listed_first=loader.load is Load.STRICT,
        )
        if restored is None:
            return _Way(leaving, there, loader, (*refused_start, start.pin_refused(guest, there)), merged, others, None)
        lost, changes = self._compare(leaving, restored)
        silent = tuple(place for place in merged.lacking if not _harmless(leaving, place, loader))
        return _Way(leaving, there, loader, refused_start, merged, others, restored, lost, silent, changes)

    def _start(
        self, guest: GuestState, saver: VmmProfile, loader: VmmProfile, here: Platform, there: Platform
    ) -> tuple[start.Refusal, ...]:
        equipped = (self._equipment(guest.equipment), self._platforms(here), self._platforms(there))
        key = (guest.pin, guest.machine, self._vmms(saver), self._vmms(loader), *equipped)
        if key not in self._starts:
            self._starts[key] = tuple(start.refusals(guest, saver, loader, here, there))
        return self._starts[key]

    def _merge(self, leaving: _Leaving, there: Kvm, loader: VmmProfile) -> Merged:
        number = self._kvms(there)
        if number not in self._listed:
            ids = listed_ids(there)
            self._listed[number] = (self._lists(ids), ids)
        place, ids = self._listed[number]
        key = (leaving.ids, place, loader.load, leaving.tolerated)
        if key not in self._merged:
            self._merged[key] = merge(leaving.brought, ids, loader.load, leaving.tolerated)
        return self._merged[key]

    def _compare(self, leaving: _Leaving, restored: Restored) -> tuple[tuple[Item, ...], bool]:
        """What this move takes (what was lost before it is not its doing), and whether anything else differs."""
        promise = leaving.guest.promise
        key = (id(leaving.saved), id(restored), self._promises(promise))
        if key not in self._seen:
            before, now = leaving.saved.before, restored.now
            gone, had = losses(promise, before), gains(promise, before)
            lost = tuple(item for item in losses(promise, now) if item not in gone)
            self._seen[key] = lost, now.psci != before.psci or any(item not in had for item in gains(promise, now))
        return self._seen[key]


def _is_refusal(reason: Reason) -> bool:
    return reason.kind is not ReasonKind.UNDECIDED and reason.stage is Stage.START


def judge(guest: GuestState, source: HostOffer, destination: HostOffer) -> Judgment:
    """Judge one move, with nothing remembered."""
    return Judge().judgment(guest, source, destination)


def _overall(rulings: list[Ruling], source: HostOffer, destination: HostOffer) -> Ruling:
    """What all ways come to: theirs, if they agree as far as a plan could tell; else UNKNOWN."""
    worst = max(rulings, key=lambda ruling: RANK[ruling[0]])
    if _mixed(source, destination, worst[0]):
        return Verdict.UNKNOWN, Stage.SET
    verdicts = {verdict for verdict, _ in rulings}
    if len(verdicts) == 1 or verdicts <= {Verdict.SAFE, Verdict.CHANGES}:
        return worst
    return Verdict.UNKNOWN, Stage.AFTER


def _mixed(source: HostOffer, destination: HostOffer, worst: Verdict) -> bool:
    return (source.mixed or destination.mixed) and worst is not Verdict.FAILS


def _first_after(ways: Iterable[_Way]) -> GuestState | None:
    """What the guest is after the first way in which the move goes well."""
    return next((_arrived(way, way.restored) for way in ways if way.ruling[0] is not Verdict.FAILS and way.restored is not None), None)


def _unknown(source: HostOffer, destination: HostOffer, worst: tuple[Reason, ...], after: GuestState | None) -> Judgment:
    """The candidates disagree: what decides, and what the worst of them says."""
    deciding = tuple(dict.fromkeys((*source.undecided, *destination.undecided))) or ("a probe of both hosts",)
    reasons = tuple(Reason(kind=ReasonKind.UNDECIDED, stage=Stage.AFTER, detail=(("decided_by", fact),)) for fact in deciding)
    return Judgment(verdict=Verdict.UNKNOWN, stage=Stage.AFTER, reasons=(*reasons, *worst), after=after)


# --- reasons and messages of one way -------------------------------------------------------------------------------------------------


def _explained(way: _Way) -> Judgment:
    verdict, stage = way.ruling
    if stage is Stage.START or way.restored is None:
        return _started(way, verdict)
    if stage is Stage.LENGTH:
        detail = (("source_registers", str(way.merged.brought)), ("destination_registers", str(way.merged.listed)))
        reasons = (Reason(kind=ReasonKind.LONGER_LIST, stage=stage, detail=detail), *_lacking(way, stage))
        return _failure(stage, reasons, messages.length(way.loader, way.merged.brought, way.merged.listed))
    lines = _lines(way)
    if stage is Stage.MERGE:
        return _failure(stage, tuple(_lacking(way, stage)), lines)
    if verdict is Verdict.FAILS:
        return _failure(stage, tuple(_refusal(*refused) for refused in way.refused), lines)
    after = _arrived(way, way.restored)
    match verdict:
        case Verdict.UNKNOWN:
            return Judgment(verdict=verdict, stage=stage, reasons=tuple(_undecided(way.others.undecided)), messages=lines, after=after)
        case Verdict.STRIPS:
            harmed = (reason for reason, _ in way.refused_start)
            reasons = (*_dropped(way), *(_loss(item, way, way.restored) for item in way.lost), *harmed)
            names = frozenset(reason.register or dict(reason.detail)["key"] for reason in reasons)
            return Judgment(verdict=verdict, stage=stage, reasons=reasons, messages=lines, after=after, lost=names)
        case _:
            return Judgment(verdict=verdict, stage=stage, reasons=tuple(_changes(way, way.restored)), messages=lines, after=after)


def _failure(stage: Stage, reasons: tuple[Reason, ...], lines: tuple[str, ...]) -> Judgment:
    return Judgment(verdict=Verdict.FAILS, stage=stage, reasons=reasons, messages=lines)


def _started(way: _Way, verdict: Verdict) -> Judgment:
    """The destination does not start, or it is not known whether it does."""
    fails = verdict is Verdict.FAILS
    decisive = [refusal for refusal in way.refused_start if refusal[0].stage is Stage.START and _is_refusal(refusal[0]) == fails]
    after = _arrived(way, way.restored) if verdict is Verdict.UNKNOWN and way.restored is not None else None
    return Judgment(
        verdict=verdict,
        stage=Stage.START,
        reasons=tuple(reason for reason, _ in decisive),
        messages=decisive[0][1],
        after=after,
    )


def _lines(way: _Way) -> tuple[str, ...]:
    """What the VMM prints of a load that came as far as the merge. A destination that could not write exits before it says more."""
    refused = way.refused
    failed = way.merged.stage is Stage.MERGE and not refused
    merging = () if way.loader.load is Load.STRICT else messages.merge(way.loader, *_named(way), failed=failed)
    return (*merging, *(messages.refused(way.loader, refused) if refused else ()))


def _named(way: _Way) -> tuple[list[int], list[int]]:
    """The registers that B loads name; B1 passes over the tolerated ones in silence."""
    lacking, unsent = way.merged.lacking, way.merged.unsent
    if way.loader.load is not Load.B1:
        return list(lacking), list(unsent)
    return [place for place in lacking if place not in way.leaving.tolerated], [place for place in unsent if place not in EITHER_SIDE]


def _lacking(way: _Way, stage: Stage) -> Iterator[Reason]:
    """Registers that the destination's kernel does not have: firmware registers first."""
    for register in sorted(way.merged.lacking, key=lambda register: (not fw.is_firmware(register), register)):
        yield Reason(
            kind=ReasonKind.UNKNOWN_REGISTER,
            stage=stage,
            register=register_name(register),
            id=register,
            source=way.value(register),
            errno=Errno.ENOENT,
        )


def _harmless(leaving: _Leaving, register: int, loader: VmmProfile) -> bool:
    """Whether the loss of a register takes nothing from the guest."""
    row = fw.BY_ID.get(register)
    if row is not None:
        return fw.gives_nothing(row, leaving.saved.values[register])
    return loader.load is Load.B1 and register in leaving.tolerated


def _refusal(register: int, written: int | None, there: int | None, errno: Errno) -> Reason:
    kind = ReasonKind.DIFFERENT_CPU if register in IMPLEMENTATION else ReasonKind.REFUSED_VALUE
    if errno is Errno.ENOENT:
        kind = ReasonKind.UNKNOWN_REGISTER
    protects = PROTECTS.get(register, "")
    return Reason(
        kind=kind,
        stage=Stage.SET,
        register=register_name(register),
        id=register,
        source=written,
        destination=there,
        errno=errno,
        detail=(("protects", protects),) if protects else (),
    )


PROTECTS = {REGISTER_OF[item].id: f"the guest's mitigation of {item.value}" for item in MITIGATIONS}
"""What a refusal protects: a level is refused so that a guest does not lose what it was promised."""


# --- the guest on the other side -----------------------------------------------------------------------------------------------------


def _arrived(way: _Way, restored: Restored) -> GuestState:
    stream = way.leaving.stream.registers
    carried = Carried(tuple(stream.get(register.id, register) for register in way.there.others))
    return replace(way.leaving.guest, psci=restored.psci, bitmaps=restored.bitmaps, carried=carried, process=None)


def _undecided(registers: tuple[int, ...]) -> Iterator[Reason]:
    for register in registers[:MOST_UNDECIDED]:
        decided_by = "MIDR_EL1 of both hosts" if register in IMPLEMENTATION else "a probe of both hosts"
        yield Reason(
            kind=ReasonKind.UNDECIDED,
            stage=Stage.SET,
            register=register_name(register),
            id=register,
            detail=(("decided_by", decided_by),),
        )


def _dropped(way: _Way) -> Iterator[Reason]:
    kind = ReasonKind.DROPPED_TAIL if way.loader.load is Load.A else ReasonKind.TOLERATED_BY_QUIRK
    for register in way.silent:
        yield Reason(kind=kind, stage=Stage.MERGE, register=register_name(register), id=register, source=way.value(register))


def _loss(item: Item, way: _Way, restored: Restored) -> Reason:
    row = REGISTER_OF[item]
    kind = ReasonKind.MITIGATION_LOST if item in MITIGATIONS else ReasonKind.SERVICE_LOST
    word = "mitigation" if item in MITIGATIONS else "service"
    return Reason(
        kind=kind,
        stage=Stage.AFTER,
        register=row.name,
        id=row.id,
        source=way.leaving.saved.values.get(row.id),
        destination=restored.values[row.id],
        detail=((word, item.value), ("promised_psci", fw.psci_text(way.leaving.guest.promise.psci))),
    )


def _changes(way: _Way, restored: Restored) -> Iterator[Reason]:
    """What differs and takes nothing: another PSCI version out of the blue, or more services than before."""
    before, now, promise = way.leaving.saved.before, restored.now, way.leaving.guest.promise
    if now.psci != before.psci:
        yield Reason(
            kind=ReasonKind.PSCI_CHANGES,
            stage=Stage.AFTER,
            register=fw.PSCI_VERSION.name,
            id=fw.PSCI_VERSION.id,
            source=before.psci,
            destination=now.psci,
        )
    had = gains(promise, before)
    for item in gains(promise, now):
        if item not in had:
            row = REGISTER_OF[item]
            yield Reason(
                kind=ReasonKind.SERVICE_GAINED,
                stage=Stage.AFTER,
                register=row.name,
                id=row.id,
                source=way.leaving.saved.values.get(row.id),
                destination=restored.values[row.id],
                detail=(("service", item.value),),
            )

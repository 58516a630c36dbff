"""The judgment of one move: what happens to a guest, why, and what it is afterwards.

What would happen is run: the destination's VMM starts, the source's process saves, the stream is loaded (length, merge, set) into an
executable KVM of the destination, in the VMM's write order; then what the guest sees is compared with its promise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from fleetplan.firmware import registers as fw
from fleetplan.firmware.candidates import MOST_CANDIDATES, Choices, Fact, FactKind, Role
from fleetplan.firmware.encodings import by_name
from fleetplan.firmware.errno import Errno
from fleetplan.firmware.guest_view import MITIGATIONS, REGISTER_OF, GuestView, Item, gains, losses
from fleetplan.firmware.vcpu import Kvm
from fleetplan.fleet.model import Equipment, Platform
from fleetplan.migration import start
from fleetplan.migration.carry import Carried, Guests, GuestState, Possible, arrived, certainly
from fleetplan.migration.interning import Numbers
from fleetplan.migration.offers import Case, Departures, HostOffer, apart, combinations, departures, meetings, options
from fleetplan.migration.reasons import RANK, Judgment, Reason, ReasonKind, Stage, Verdict, register_name
from fleetplan.migration.restore import Firmware, Others, Restored, Saved, Sheet, WrittenOthers
from fleetplan.migration.stream import EITHER_SIDE, Merged, listed_ids, merge, saved_ids
from fleetplan.migration.undecided import ALL, Told, asks, deciding_facts
from fleetplan.migration.undecided import reasons as undecided
from fleetplan.migration.vmm import TOLERANT, Load, VmmProfile

if TYPE_CHECKING:
    from fleetplan.migration import messages

MOST_UNDECIDED = 8
"""Registers named in an UNKNOWN; what decides one mostly decides all."""

IMPLEMENTATION = frozenset(by_name(register) for register in ("MIDR_EL1", "REVIDR_EL1", "AIDR_EL1"))

BINDING = Fact(kind=FactKind.EQUIPMENT, of=Role.GUEST.value, words="`bound_to` of the guest, on hosts whose CPUs differ,")
"""A vCPU reads MIDR_EL1 and cache registers of the CPU it happens to be on (QEMU issue 1595)."""

Ruling = tuple[Verdict, Stage]
"""A verdict without its reasons, and the stage at which it fell."""


class _Leaving(msgspec.Struct, frozen=True):
    """A guest on one kind of host, run by one kind of VMM: all that its move depends on, wherever it goes.

    `body` is a number that is equal for streams that differ in the values of firmware registers alone.
    """

    guest: GuestState
    here: Kvm
    saver: VmmProfile
    number: int
    saved: Saved
    stream: Sheet
    brought: tuple[int, ...]
    tolerated: frozenset[int]
    body: int


class _Copied(msgspec.Struct, frozen=True):
    """What comes of a stream on a host, whatever the values of its firmware registers.

    `firmware` are the firmware registers that reach the destination's kernel, in the order in which they are written. `ended` is the
    stage that ends the move already; None if the firmware registers have a say.
    """

    merged: Merged
    others: WrittenOthers
    firmware: tuple[int, ...]
    ended: Stage | None


class _Way:
    """One way in which a move may go. Firmware registers are restored when somebody asks: most moves end before it matters."""

    def __init__(
        self, judge: Judge, leaving: _Leaving, there: Kvm, loader: VmmProfile, start_refusals: tuple[start.Refusal, ...], copied: _Copied
    ) -> None:
        self._judge = judge
        self._start_refusals = start_refusals
        self._copied = copied
        self.leaving = leaving
        self.there = there
        self.loader = loader
        self.merged = copied.merged
        self.others = copied.others

    @cached_property
    def restored(self) -> Restored | None:
        """What the firmware registers came to; None if the guest's pin keeps the VM from starting."""
        return self._judge.restore(self.leaving, self.there, self.loader, self._copied)

    @cached_property
    def refused_start(self) -> tuple[start.Refusal, ...]:
        """What keeps the destination from starting, or harms the guest there."""
        if self.leaving.guest.pin is None or self.restored is not None:
            return self._start_refusals
        return (*self._start_refusals, start.pin_refused(self.leaving.guest, self.there))

    @cached_property
    def _difference(self) -> tuple[tuple[Item, ...], bool]:
        return ((), False) if self.restored is None else self._judge.compare(self.leaving, self.restored)

    @property
    def lost(self) -> tuple[Item, ...]:
        """What the guest was promised and no longer has."""
        return self._difference[0]

    @property
    def silent(self) -> tuple[int, ...]:
        """Registers whose loss takes something from the guest, and that the load does not fail on."""
        return tuple(place for place in self.merged.lacking if not _harmless(self.leaving, place, self.loader))

    @property
    def refused(self) -> tuple[messages.Refused, ...]:
        """Refusals in the order of writing; a strict load ends at the first."""
        firmware = self.restored.refused if self.restored is not None else ()
        copied = frozenset(self.merged.copied)
        if self.loader.load is not Load.STRICT:
            return (*(refusal for refusal in self.others.refused if refusal[0] in copied), *firmware)
        unknown = [(place, self.value(place), None, Errno.ENOENT) for place in self.merged.lacking if place not in fw.BY_ID]
        found = {refusal[0]: refusal for refusal in (*unknown, *self.others.refused, *firmware)}
        return tuple(found[place] for place in self.merged.copied if place in found)[:1]

    def value(self, register: int) -> int | None:
        """What the stream has of a register."""
        values = self.leaving.saved.values
        return values[register] if register in values else self.leaving.stream.registers[register].value

    @property
    def ended(self) -> Stage | None:
        """The stage that ends the move whatever the levels of its hosts are, None if they have a say."""
        return Stage.START if any(_is_refusal(reason) for reason, _ in self.refused_start) else self._copied.ended

    @cached_property
    def ruling(self) -> Ruling:
        """The verdict, by the first stage that ends the move."""
        ended = self.ended
        if ended is not None:
            return Verdict.FAILS, ended
        if self.restored is not None and self.restored.refused:
            return Verdict.FAILS, Stage.SET
        if any(reason.kind is ReasonKind.UNDECIDED for reason, _ in self.refused_start):
            return Verdict.UNKNOWN, Stage.START
        if self.others.undecided:
            return Verdict.UNKNOWN, Stage.SET
        if self.lost or self.silent or self.refused_start:
            return Verdict.STRIPS, Stage.AFTER
        return (Verdict.CHANGES if self._difference[1] else Verdict.SAFE), Stage.AFTER


class Judge:
    """Judges moves, and remembers every part that was worked out: most moves of a fleet differ in little.

    Deterministic. The first judgment between two kinds of hosts takes some 0.3 ms, a ruling between kinds that were met before some
    microsecond: hosts that differ in nothing that a move depends on are one kind, whatever their releases are called.
    """

    def __init__(self) -> None:
        self._others = Others()
        self._firmware = Firmware()
        self._kvms: Numbers[Kvm] = Numbers()
        self._vmms: Numbers[VmmProfile] = Numbers()
        self._states: Numbers[GuestState] = Numbers()
        self._guests: Numbers[Guests] = Numbers()
        self._equipment: Numbers[Equipment] = Numbers()
        self._platforms: Numbers[Platform] = Numbers()
        self._lists: Numbers[tuple[int, ...]] = Numbers()
        self._bodies: Numbers[tuple[object, ...]] = Numbers()
        self._promises: Numbers[GuestView] = Numbers()
        self._kinds: Numbers[tuple[object, ...]] = Numbers()
        self._kind_of: dict[HostOffer, int] = {}
        self._departures: dict[tuple[int, int], Departures] = {}
        self._streams: dict[int, list[_Leaving]] = {}
        self._goals: dict[HostOffer, list[tuple[Kvm, VmmProfile]]] = {}
        self._rulings: dict[tuple[int, int, int], Ruling] = {}
        self._listed: dict[int, tuple[int, tuple[int, ...], Sheet]] = {}
        self._leaving: dict[tuple[int, int, int], _Leaving] = {}
        self._copied: dict[tuple[int, int, Load], _Copied] = {}
        self._merged: dict[tuple[int, int, Load, frozenset[int]], tuple[Merged, tuple[int, ...]]] = {}
        self._starts: dict[tuple[object, ...], tuple[start.Refusal, ...]] = {}
        self._seen: dict[tuple[int, int, int], tuple[tuple[Item, ...], bool]] = {}

    # --- asking -------------------------------------------------------------------------------------------------------------------

    def ruling(self, guests: Guests, source: HostOffer, destination: HostOffer) -> Ruling:
        """The verdict on a move and its stage, without reasons."""
        key = (self._guests(guests), self.kind(source), self.kind(destination))
        ruling = self._rulings.get(key)
        if ruling is None:
            ruling = self._rulings[key] = self._ruling(guests, source, destination)
        return ruling

    def _ruling(self, guests: Guests, source: HostOffer, destination: HostOffer) -> Ruling:
        leaving = self._depart(guests, source)
        most = len(leaving.ways) * len(options(destination, Role.DESTINATION))
        if most > MOST_CANDIDATES and (apart(leaving, destination) or more_than(MOST_CANDIDATES, meetings(leaving, destination))):
            return Verdict.UNKNOWN, Stage.AFTER
        cases = meetings(leaving, destination)
        if self._ends_anyway(leaving, source, destination):
            cases = islice(cases, 1)
        return _overall((self._way(case, source, destination).ruling for case in cases), source, destination)

    def _depart(self, guests: Guests, source: HostOffer) -> Departures:
        key = (self._guests(guests), self.kind(source))
        if key not in self._departures:
            self._departures[key] = departures(guests, source)
        return self._departures[key]

    def _ends_anyway(self, leaving: Departures, source: HostOffer, destination: HostOffer) -> bool:
        """Whether the move fails whatever the levels of its hosts are: one way for each list and CPU says so, at a fraction of the cost."""
        return all(
            copied.ended is not None or self._way_on(one, kvm, loader, copied, source, destination).ended is not None
            for one in self._distinct_streams(leaving)
            for kvm, loader in self._distinct_lists(destination)
            for copied in (self._copy(one, kvm, loader),)
        )

    def _distinct_streams(self, leaving: Departures) -> list[_Leaving]:
        found = self._streams.get(id(leaving))
        if found is None:
            each = [self._leave(guest, option.kvm, option.vmm) for guest, option, _ in leaving.ways]
            found = self._streams[id(leaving)] = list({(one.body, one.guest.pin, self._vmms(one.saver)): one for one in each}.values())
        return found

    def _distinct_lists(self, destination: HostOffer) -> list[tuple[Kvm, VmmProfile]]:
        found = self._goals.get(destination)
        if found is None:
            each = options(destination, Role.DESTINATION)
            by_list = {(self._arrive(option.kvm)[0], self._vmms(option.vmm)): (option.kvm, option.vmm) for option in each}
            found = self._goals[destination] = list(by_list.values())
        return found

    def kind(self, offered: HostOffer) -> int:
        """A number that is equal for hosts between which no move can tell, whatever guest it is and wherever it goes."""
        number = self._kind_of.get(offered)
        if number is None:
            kvms, vmms = tuple(map(self._kvms, offered.kvms)), tuple(map(self._vmms, offered.vmms))
            several = (offered.choices, offered.release.vmm if len(vmms) > 1 else "")
            number = self._kinds((kvms, vmms, *several, offered.mixed, self._platforms(offered.stated.platform)))
            self._kind_of[offered] = number
        return number

    def judgment(self, guests: Guests, source: HostOffer, destination: HostOffer) -> Judgment:
        """Judge a move. All that the guest and the hosts may be is tried (up to 64 ways); UNKNOWN says what would decide."""
        cases = combinations(guests, source, destination)
        ways = [self._way(case, source, destination) for case in cases[:MOST_CANDIDATES]]
        found = _arrivals(cases, ways)
        if len(cases) > MOST_CANDIDATES:
            return _unknown(((ALL,),), (), found)
        verdict, stage = _overall((way.ruling for way in ways), source, destination)
        if _mixed(source, destination, verdict):
            return replace(_unknown(((BINDING,),), (), found), stage=stage)
        told = _explained(max(ways, key=lambda way: RANK[way.ruling[0]]))
        if verdict is not Verdict.UNKNOWN:
            return replace(_united(told, ways), after=_first(found), arrivals=found)
        deciding = deciding_facts([Told(*parts) for parts in _told(cases, ways)], source, destination)
        if all(way.ruling[0] is Verdict.UNKNOWN for way in ways):
            return replace(told, after=_first(found), arrivals=found, deciding=deciding)
        return replace(_unknown(deciding, told.reasons, found), stage=stage)

    def arrivals(self, guests: Guests, source: HostOffer, destination: HostOffer, *, left: Role) -> Guests:
        """All that guests may be after a move that went well, which last looked on the host that they left; empty if it cannot have."""
        cases = combinations(guests, source, destination)
        return _arrivals(cases, [self._way(case, source, destination) for case in cases], left)

    # --- one way in which both hosts may be ---------------------------------------------------------------------------------------

    def _way(self, case: Case, source: HostOffer, destination: HostOffer) -> _Way:
        leaving = self._leave(case.guest, case.source, case.saver)
        copied = self._copy(leaving, case.destination, case.loader)
        return self._way_on(leaving, case.destination, case.loader, copied, source, destination)

    def _way_on(
        self, leaving: _Leaving, there: Kvm, loader: VmmProfile, copied: _Copied, source: HostOffer, destination: HostOffer
    ) -> _Way:
        refusals = self._start(leaving.guest, leaving.saver, loader, source.stated.platform, destination.stated.platform)
        return _Way(self, leaving, there, loader, refusals, copied)

    def _leave(self, guest: GuestState, here: Kvm, saver: VmmProfile) -> _Leaving:
        key = (self._states(guest), self._kvms(here), self._vmms(saver))
        if key not in self._leaving:
            brought, number, small = saved_ids(here, saver), self._firmware.guest(guest), self._firmware.kvm(here)
            saved, stream = self._firmware.save(guest, number, small, saver), self._others.of_stream(guest.carried, here)
            tolerated = saved.tolerated | (EITHER_SIDE & stream.registers.keys())
            body = self._bodies((brought, id(stream), tolerated))
            self._leaving[key] = _Leaving(guest, here, saver, number, saved, stream, brought, tolerated, body)
        return self._leaving[key]

    def _arrive(self, there: Kvm) -> tuple[int, tuple[int, ...], Sheet]:
        """The lists of a destination: their number, all ids in list order, the other registers."""
        number = self._kvms(there)
        if number not in self._listed:
            ids, sheet = listed_ids(there), self._others.of_host(there)
            self._listed[number] = (self._bodies((there.profile, id(sheet))), ids, sheet)
        return self._listed[number]

    def _copy(self, leaving: _Leaving, there: Kvm, loader: VmmProfile) -> _Copied:
        body, ids, sheet = self._arrive(there)
        key = (leaving.body, body, loader.load)
        copied = self._copied.get(key)
        if copied is None:
            merged, firmware = self._merge(leaving, ids, loader.load)
            others = self._others.write(leaving.stream, sheet)
            refused = others.refused or (loader.load is Load.STRICT and merged.lacking)
            ended = Stage.SET if merged.stage is None and refused else merged.stage
            copied = self._copied[key] = _Copied(merged, others, firmware, ended)
        return copied

    def _merge(self, leaving: _Leaving, ids: tuple[int, ...], load: Load) -> tuple[Merged, tuple[int, ...]]:
        """How two lists meet, and which firmware registers are copied: CPUs have other values, and mostly the same lists."""
        key = (self._lists(leaving.brought), self._lists(ids), load, leaving.tolerated)
        if key not in self._merged:
            merged = merge(leaving.brought, ids, load, leaving.tolerated)
            self._merged[key] = merged, tuple(place for place in merged.copied if place in fw.BY_ID)
        return self._merged[key]

    def _start(
        self, guest: GuestState, saver: VmmProfile, loader: VmmProfile, here: Platform, there: Platform
    ) -> tuple[start.Refusal, ...]:
        equipped = (self._equipment(guest.equipment), self._platforms(here), self._platforms(there))
        key = (guest.pin, guest.machine, self._vmms(saver), self._vmms(loader), *equipped)
        if key not in self._starts:
            self._starts[key] = tuple(start.refusals(guest, saver, loader, here, there))
        return self._starts[key]

    def restore(self, leaving: _Leaving, there: Kvm, loader: VmmProfile, copied: _Copied) -> Restored | None:
        """What the firmware registers of a way come to; None if the guest's pin keeps the VM from starting."""
        small, pfr1 = self._firmware.kvm(there), copied.others.pfr1
        strict = loader.load is Load.STRICT
        return self._firmware.restore(leaving.guest, leaving.number, leaving.saved, small, copied.firmware, pfr1, listed_first=strict)

    def compare(self, leaving: _Leaving, restored: Restored) -> tuple[tuple[Item, ...], bool]:
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


def judge(guest: GuestState | Guests, source: HostOffer, destination: HostOffer) -> Judgment:
    """Judge one move, with nothing remembered."""
    return Judge().judgment(guest if isinstance(guest, tuple) else certainly(guest), source, destination)


def _overall(rulings: Iterable[Ruling], source: HostOffer, destination: HostOffer) -> Ruling:
    """What all ways come to: theirs, if they agree as far as a plan could tell; else UNKNOWN, at the first that differs."""
    read: list[Ruling] = []
    for ruling in rulings:
        read.append(ruling)
        if _as_planned(ruling) is not _as_planned(read[0]) and not (source.mixed or destination.mixed):
            break
    worst = max(read, key=lambda ruling: RANK[ruling[0]])
    if _mixed(source, destination, worst[0]):
        return Verdict.UNKNOWN, Stage.SET
    return worst if all(_as_planned(ruling) is _as_planned(worst) for ruling in read) else (Verdict.UNKNOWN, Stage.AFTER)


def more_than(most: int, things: Iterable[object]) -> bool:
    """Whether there are more than so many. Reads no further."""
    return next(islice(things, most, None), None) is not None


def _as_planned(ruling: Ruling) -> Verdict:
    """What a plan makes of a verdict: it may use SAFE and CHANGES alike."""
    return Verdict.SAFE if ruling[0] is Verdict.CHANGES else ruling[0]


def _mixed(source: HostOffer, destination: HostOffer, worst: Verdict) -> bool:
    return (source.mixed or destination.mixed) and worst is not Verdict.FAILS


def _arrivals(cases: list[Case], ways: list[_Way], left: Role | None = None) -> Guests:
    """What the guest may be after the move, in every way in which it goes well: it is then on what was the destination."""
    return tuple(
        Possible(state=_arrived(way, way.restored), given=arrived(case.choices, left))
        for case, way in zip(cases, ways, strict=False)
        if way.ruling[0] is not Verdict.FAILS and way.restored is not None
    )


def _unknown(deciding: tuple[tuple[Fact, ...], ...], worst: tuple[Reason, ...], found: Guests) -> Judgment:
    """It is not known which way the move goes: what decides, and what the worst of the ways says."""
    reasons = tuple(dict.fromkeys((*undecided(deciding[0]), *worst)))
    return Judgment(verdict=Verdict.UNKNOWN, stage=Stage.AFTER, reasons=reasons, after=_first(found), arrivals=found, deciding=deciding)


def _first(found: Guests) -> GuestState | None:
    return found[0].state if found else None


def _told(cases: list[Case], ways: list[_Way]) -> Iterator[tuple[Choices, Verdict, tuple[Fact, ...]]]:
    for case, way in zip(cases, ways, strict=True):
        yield case.choices, way.ruling[0], tuple(fact for fact, _ in _missing(way))


def _united(worst: Judgment, ways: list[_Way]) -> Judgment:
    """The judgment of several ways that agree: with the reasons of all of them, and all that may be lost."""
    if len(ways) == 1 or worst.verdict is Verdict.FAILS:
        return worst
    told = [_explained(way) for way in ways]
    reasons: dict[tuple[ReasonKind, str | None], Reason] = {}
    for judgment in (worst, *told):
        for reason in judgment.reasons:
            reasons.setdefault((reason.kind, reason.register), reason)
    lost = frozenset(name for judgment in told for name in judgment.lost)
    return replace(worst, reasons=tuple(reasons.values()), lost=lost)


# --- reasons and messages of one way -------------------------------------------------------------------------------------------------


def _explained(way: _Way) -> Judgment:
    verdict, stage = way.ruling
    if stage is Stage.START or way.restored is None:
        return _started(way, verdict)
    if stage is Stage.LENGTH:
        detail = (("source_registers", str(way.merged.brought)), ("destination_registers", str(way.merged.listed)))
        reasons = (Reason(kind=ReasonKind.LONGER_LIST, stage=stage, detail=detail), *_lacking(way, stage))
        from fleetplan.migration import messages  # noqa: PLC0415 - most moves print nothing

        return _failure(stage, reasons, messages.length(way.loader, way.merged.brought, way.merged.listed))
    lines = _lines(way)
    if stage is Stage.MERGE:
        return _failure(stage, tuple(_lacking(way, stage)), lines)
    if verdict is Verdict.FAILS:
        return _failure(stage, tuple(_refusal(*refused) for refused in way.refused), lines)
    match verdict:
        case Verdict.UNKNOWN:
            reasons = tuple(reason for _, reason in islice(_missing(way), MOST_UNDECIDED))
            return Judgment(verdict=verdict, stage=stage, reasons=reasons, messages=lines)
        case Verdict.STRIPS:
            harmed = (reason for reason, _ in way.refused_start)
            reasons = (*_dropped(way), *(_loss(item, way, way.restored) for item in way.lost), *harmed)
            names = frozenset(reason.register or dict(reason.detail)["key"] for reason in reasons)
            return Judgment(verdict=verdict, stage=stage, reasons=reasons, messages=lines, lost=names)
        case _:
            return Judgment(verdict=verdict, stage=stage, reasons=tuple(_changes(way, way.restored)), messages=lines)


def _failure(stage: Stage, reasons: tuple[Reason, ...], lines: tuple[str, ...]) -> Judgment:
    return Judgment(verdict=Verdict.FAILS, stage=stage, reasons=reasons, messages=lines)


def _started(way: _Way, verdict: Verdict) -> Judgment:
    """The destination does not start, or it is not known whether it does."""
    fails = verdict is Verdict.FAILS
    decisive = [refusal for refusal in way.refused_start if refusal[0].stage is Stage.START and _is_refusal(refusal[0]) == fails]
    return Judgment(verdict=verdict, stage=Stage.START, reasons=tuple(reason for reason, _ in decisive), messages=decisive[0][1])


def _lines(way: _Way) -> tuple[str, ...]:
    """What the VMM prints of a load that came as far as the merge. A destination that could not write exits before it says more."""
    refused = way.refused
    failed = way.merged.stage is Stage.MERGE and not refused
    lacking, unsent = ([], []) if way.loader.load is Load.STRICT else _named(way)
    failed = failed and way.loader.load is not Load.STRICT
    if not (lacking or unsent or failed or refused):
        return ()
    from fleetplan.migration import messages  # noqa: PLC0415 - most moves print nothing

    merging = messages.merge(way.loader, lacking, unsent, failed=failed) if lacking or unsent or failed else ()
    return (*merging, *(messages.refused(way.loader, refused) if refused else ()))


def _named(way: _Way) -> tuple[list[int], list[int]]:
    """The registers that B loads name; B1 passes over the tolerated ones in silence."""
    lacking, unsent = way.merged.lacking, way.merged.unsent
    if way.loader.load not in TOLERANT:
        return list(lacking), list(unsent)
    return [place for place in lacking if place not in way.leaving.tolerated], [place for place in unsent if place not in EITHER_SIDE]


def _lacking(way: _Way, stage: Stage) -> Iterator[Reason]:
    """Registers that the destination's kernel does not have: firmware registers first."""
    for register in sorted(way.merged.lacking, key=lambda register: (register not in fw.BY_ID, register)):
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
    return loader.load in TOLERANT and register in leaving.tolerated


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


def _missing(way: _Way) -> Iterator[tuple[Fact, Reason]]:
    """What is missing within one way, for the verdict that it has: what the destination has not stated, or what registers read."""
    stage = way.ruling[1]
    for reason, _ in way.refused_start if stage is Stage.START else ():
        if reason.kind is ReasonKind.UNDECIDED:
            detail = dict(reason.detail)
            yield Fact(kind=FactKind.EQUIPMENT, of=detail.get("whose", ""), words=detail["decided_by"]), reason
    there = {register.id: register for register in way.there.others} if stage is Stage.SET else {}
    for place in way.others.undecided if stage is Stage.SET else ():
        fact = _not_read(place, way.leaving.stream.registers[place].value is None, there[place].value is None)
        words = (("decided_by", asks(fact)),)
        yield fact, Reason(kind=ReasonKind.UNDECIDED, stage=stage, register=register_name(place), id=place, detail=words)


def _not_read(place: int, here: bool, there: bool) -> Fact:
    """What would say how a register reads on the host, or the hosts, on which that is not known."""
    what = "MIDR_EL1" if place in IMPLEMENTATION else "a probe"
    if here == there:
        return Fact(kind=FactKind.REGISTERS, of="", words=f"{what} of both hosts")
    return Fact(kind=FactKind.REGISTERS, of=Role.SOURCE.value if here else Role.DESTINATION.value, words=what)


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

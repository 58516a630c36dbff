"""What guests of a class are to every flaw, however they and their hosts may be; which restart heals it; and how many guests they are.

Where a birth is only assumed, a guest may have been born, or have looked, elsewhere: then counts are `at least` and `at most`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from fleetplan.firmware import registers as fw
from fleetplan.firmware.candidates import MOST_CANDIDATES, Choices, Fact, FactKind, Role, both, chosen, deciding
from fleetplan.firmware.guest_view import MITIGATIONS, NOT_SUPPORTED, Item, view
from fleetplan.firmware.mitigations import BY_PROBE, Affected, LevelFacts, affected, affected_of_several
from fleetplan.firmware.platforms import UNAFFECTED
from fleetplan.firmware.profile import BhbRule
from fleetplan.firmware.vcpu import Kvm
from fleetplan.migration.carry import Guests, GuestState, StartRefusedError, born, rebooted, start
from fleetplan.migration.classes import PINS, ClassTable, GuestClassId, HostClassId
from fleetplan.migration.exposure import SAFE, Exposure, Sight, exposure, kept_by_bitmap, sight
from fleetplan.migration.offers import HostOffer, Read, of_role
from fleetplan.migration.undecided import sharpened
from fleetplan.migration.vmm import knows_machine


class Restart(StrEnum):
    """The least restart that heals: a warm reboot in the same VMM process, or a cold boot in a new one."""

    WARM = "warm reboot"
    COLD = "cold boot"


class Boot(msgspec.Struct, frozen=True):
    """A cold boot that lets a guest find what its host gives.

    `pin` is the PSCI version pinned then (None: no pin, the kernel's default); `changed` says that its configuration has another.
    """

    pin: int | None = None
    changed: bool = False


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What a guest is to one flaw.

    `may` is all that it may be, as far as is known: one entry, or several of which `exposure` is the common word (UNKNOWN: there is none).
    `restart` is the least restart after which it is certainly safe where it is; None: none is needed, or none does that. `missing` are the
    facts that tell.
    """

    item: Item
    exposure: Exposure
    may: tuple[Exposure, ...]
    restart: Restart | None = None
    missing: tuple[Fact, ...] = ()

    @property
    def at_least(self) -> bool:
        """Whether the guest is exposed, however what is not known turns out."""
        return SAFE.isdisjoint(self.may)

    @property
    def at_most(self) -> bool:
        """Whether it may be exposed."""
        return not SAFE.issuperset(self.may)


class Standings(msgspec.Struct, frozen=True, kw_only=True):
    """What a guest is to all flaws. `boot` is how it would be cold booted, None if it cannot be, or not so that it finds what is there.

    `hidden_services` are those that its host gives and that cleared service bitmaps, which it carries, certainly keep from it.
    """

    items: tuple[Standing, ...]
    boot: Boot | None
    hidden_services: tuple[Item, ...] = ()

    @property
    def at_least(self) -> bool:
        """Whether it is exposed to any, however what is not known turns out."""
        return any(each.at_least for each in self.items)

    @property
    def at_most(self) -> bool:
        """Whether it may be exposed to any."""
        return any(each.at_most for each in self.items)

    @property
    def restart(self) -> Restart | None:
        """The least restart that heals all that a restart heals."""
        found = {each.restart for each in self.items}
        return next((kind for kind in (Restart.COLD, Restart.WARM) if kind in found), None)

    @property
    def healed(self) -> tuple[Item, ...]:
        """What that restart heals, or settles where it is not known."""
        return tuple(each.item for each in self.items if each.restart is not None)

    def restarted(self) -> Standings:
        """What the guest is after that restart."""
        return replace(self, items=tuple(each if each.restart is None else _safe(each.item) for each in self.items))

    @property
    def lasting(self) -> bool:
        """Whether it may be exposed even after that restart."""
        return any(each.at_most and each.restart is None for each in self.items)


def _safe(item: Item) -> Standing:
    return Standing(item=item, exposure=Exposure.PROTECTED, may=(Exposure.PROTECTED,))


# --- what may be so -----------------------------------------------------------------------------------------------------------------

PROBE = Fact(kind=FactKind.REGISTERS, of=Role.SOURCE.value, words=BY_PROBE)
BIRTH = Fact(kind=FactKind.BIRTH, of=Role.GUEST.value, words="`born.kernel` (and `born.psci`)")


def _as_it_may_be(state: GuestState) -> Iterator[tuple[GuestState, Choices]]:
    """A guest as it is taken to be; where its birth is only assumed, also as it would be if it was born, or looked, elsewhere."""
    if not state.assumed_birth:
        yield state, ()
        return
    yield state, chosen(BIRTH, "here")
    if state.assumed_promise and fw.finds_smccc(state.psci):
        yield _promised(state, 0), chosen(BIRTH, "found it")
        yield _promised(state, NOT_SUPPORTED), chosen(BIRTH, "found nothing")
    if state.pin is None and fw.finds_smccc(state.psci):
        yield replace(_promised(state, None), psci=fw.psci_value("0.2")), chosen(BIRTH, "below 1.0")


def _promised(state: GuestState, answer: int | None) -> GuestState:
    """A guest that got this answer of WORKAROUND_1 and _3. What it saw of v4 follows from its CPU, or makes no difference."""
    second = None if answer is None else state.promise.workaround_2
    return replace(state, promise=replace(state.promise, workaround_1=answer, workaround_2=second, workaround_3=answer))


class _Way(NamedTuple):
    """One way in which a guest and its host may be."""

    state: GuestState
    kvm: Kvm
    affected: Affected
    given: Choices


def _ways(guests: Guests, here: HostOffer) -> list[_Way]:
    hosts = [
        (kvm, of_role(choices, Role.SOURCE), _affected(kvm, read, here))
        for kvm, choices, read in zip(here.kvms, here.choices, here.read, strict=True)
    ]
    states = [(state, (*guest.given, *given)) for guest in guests for state, given in _as_it_may_be(guest.state)]
    pairs = [
        _Way(state, kvm, known, together)
        for state, given in states
        for kvm, choices, known in hosts
        if (together := both(given, choices)) is not None
    ]
    # Where facts contradict each other, every way at all.
    return pairs or [_Way(state, kvm, known, choices) for state, _ in states for kvm, choices, known in hosts]


def _affected(kvm: Kvm, read: Read, here: HostOffer) -> Affected:
    """Whether the CPUs are affected on which the guest may run."""
    given, read_on = read
    midrs = (here.stated.midr, *here.stated.other_midrs)
    if given.midr is not None or midrs == (None,):
        return affected(given, read_on, kvm.profile, kvm.levels)
    # Texts and levels are about all CPUs of a host together, those that a bound guest never runs on included.
    designs = (affected(LevelFacts(midr=midr, cmdline=given.cmdline), kvm.profile, kvm.profile, None) for midr in midrs)
    found = affected_of_several(designs)
    unaffected = frozenset({False})
    v2 = unaffected if kvm.levels.spectre_v2 == UNAFFECTED else found.spectre_v2
    bhb = unaffected if kvm.levels.bhb == UNAFFECTED and kvm.profile.bhb is BhbRule.NEW else found.spectre_bhb
    return Affected(v2, found.spectre_v4, bhb)


# --- judging a class ----------------------------------------------------------------------------------------------------------------


def standings(guests: Guests, here: HostOffer) -> Standings:
    """What guests of a class are to every flaw on hosts of a class (as it is for their vCPU features).

    Complexity: guests x candidates of the host, each worth some 50 µs.
    """
    if max(len(guests), len(here.kvms)) > MOST_CANDIDATES:
        return Standings(items=tuple(_anything(item) for item in MITIGATIONS), boot=None)
    ways = _ways(guests, here)
    boot = _boot(guests[0].state, here)
    sights = [_restarts(way, boot) for way in ways]
    found = []
    for place, item in enumerate(MITIGATIONS):
        cases = [(way, sights[number], is_affected) for number, way in enumerate(ways) for is_affected in sorted(way.affected[place])]
        found.append(_standing(item, cases, here))
    kept = [kept_by_bitmap(seen) for seen, _, _ in sights]
    return Standings(items=tuple(found), boot=boot, hidden_services=tuple(item for item in Item if all(item in each for each in kept)))


def _anything(item: Item) -> Standing:
    """Where more may be so than is looked at."""
    may = tuple(kind for kind in Exposure if kind is not Exposure.UNKNOWN)
    return Standing(item=item, exposure=Exposure.UNKNOWN, may=may, missing=(PROBE,))


_Sights = tuple[Sight, Sight, Sight | None]
"""What there is to see as things are, after a warm reboot, and after a cold boot (None: there is none)."""


def _restarts(way: _Way, boot: Boot | None) -> _Sights:
    warm = sight(rebooted(way.state, way.kvm), way.kvm)
    if boot is None:
        return sight(way.state, way.kvm), warm, None
    fresh = born(way.kvm, way.state.features, way.state.carried, boot.pin)
    return sight(way.state, way.kvm), warm, sight(fresh, way.kvm)


def _standing(item: Item, cases: Sequence[tuple[_Way, _Sights, bool]], here: HostOffer) -> Standing:
    told = [exposure(item, sights[0], is_affected=is_affected) for _, sights, is_affected in cases]
    may = tuple(kind for kind in Exposure if kind in told)
    shown = _called(may)
    restart = None
    if not SAFE.issuperset(may):
        restart = next((kind for place, kind in enumerate(Restart, 1) if _heals(item, cases, place)), None)
    missing = _missing(item, cases, told, here) if shown is Exposure.UNKNOWN else ()
    return Standing(item=item, exposure=shown, may=may, restart=restart, missing=missing)


def _called(may: Sequence[Exposure]) -> Exposure:
    """One word for all that may be so. A host that does not give it exposes the guest, whatever that was promised."""
    if len(may) == 1:
        return may[0]
    if SAFE.issuperset(may):
        return Exposure.PROTECTED
    return Exposure.EXPOSED if set(may) == {Exposure.EXPOSED, Exposure.STRIPPED} else Exposure.UNKNOWN


def _heals(item: Item, cases: Sequence[tuple[_Way, _Sights, bool]], place: int) -> bool:
    """Whether a guest is safe after a restart, in every way in which things may be."""
    after = ((sights[place], is_affected) for _, sights, is_affected in cases)
    return all(seen is not None and exposure(item, seen, is_affected=is_affected) in SAFE for seen, is_affected in after)


_ALIKE = {Exposure.PROTECTED: Exposure.NOT_NEEDED, Exposure.STRIPPED: Exposure.EXPOSED}
"""What need not be told apart, as one word is used for both (`_called`)."""


def _missing(item: Item, cases: Sequence[tuple[_Way, _Sights, bool]], told: Sequence[Exposure], here: HostOffer) -> tuple[Fact, ...]:
    """The first smallest set of facts that tell."""
    lies_in, place = _silicon(item, here), MITIGATIONS.index(item)
    answers: list[tuple[Choices, Hashable]] = [
        ((*way.given, *(chosen(lies_in, is_affected) if len(way.affected[place]) > 1 else ())), _ALIKE.get(kind, kind))
        for (way, _, is_affected), kind in zip(cases, told, strict=True)
    ]
    group = next(iter(deciding(answers)), ())
    return tuple(sharpened(fact, group, answers, here, here) for fact in group)


def _silicon(item: Item, here: HostOffer) -> Fact:
    """What tells whether the CPU is affected at all."""
    if not here.identity:
        words = "MIDR_EL1"
    elif item is Item.SPECTRE_V4:
        words = "the spec_store_bypass text"
    else:
        words = "a probe, on a kernel that takes unknown CPUs for affected (6.1.135, 6.12.24, 6.15 or later),"
    return Fact(kind=FactKind.REGISTERS, of=Role.SOURCE.value, words=words)


@lru_cache(maxsize=8192)
def _boot(state: GuestState, here: HostOffer) -> Boot | None:
    """The cold boot that changes least: as the guest is configured; if that is without a pin, with the newest that will do.

    A pin that hides everything gives way to the oldest that does not: it was set for old kernels, and those that know pins accept 1.0.
    """
    if state.machine is not None and any(knows_machine(vmm, state.machine) is False for vmm in here.vmms):
        return None
    newest_first = tuple(map(fw.psci_value, PINS))
    pins = (None, *newest_first) if state.pin is None else (state.pin, *reversed(newest_first), None)
    return next((Boot(pin, changed=pin != state.pin) for pin in pins if _will_do(pin, state, here)), None)


def _will_do(pin: int | None, state: GuestState, here: HostOffer) -> bool:
    """Whether a guest starts with a pin, bears the version that it has then, and finds workarounds with it; however the host may be."""
    if pin is not None and not all(vmm.knows_pin for vmm in here.vmms):
        return False
    for kvm in here.kvms:
        try:
            psci = view(start(kvm, state.features, pin), kvm).psci
        except StartRefusedError:
            return False
        if not fw.finds_smccc(psci) or (state.psci_max is not None and psci > state.psci_max):
            return False
    return True


# --- a fleet ------------------------------------------------------------------------------------------------------------------------

Pair = tuple[GuestClassId, HostClassId]


class Exposures:
    """What the classes of a fleet are to every flaw, worked out when first asked for."""

    def __init__(self, classes: ClassTable) -> None:
        self._classes = classes
        self._known: dict[Pair, Standings] = {}

    def of(self, guest: GuestClassId, host: HostClassId) -> Standings:
        """What guests of a class are on hosts of a class."""
        key = (guest, host)
        if key not in self._known:
            guests, _, here = self._classes.move(guest, host, host)
            self._known[key] = standings(guests, here)
        return self._known[key]


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How many guests are what to one flaw; `at_least` and `at_most` are exposed to it."""

    item: Item
    guests: Mapping[Exposure, int]
    at_least: int
    at_most: int


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How many of `guests` guests are exposed: to each flaw, and to any."""

    guests: int
    items: tuple[Count, ...]
    at_least: int
    at_most: int


def tally(found: Iterable[tuple[Standings, int]]) -> Tally:
    """Count guests, given how many there are of each kind. O(kinds)."""
    kinds = [(each, number) for each, number in found if number]
    return Tally(
        guests=sum(number for _, number in kinds),
        items=tuple(_count(place, kinds) for place in range(len(MITIGATIONS))),
        at_least=sum(number for each, number in kinds if each.at_least),
        at_most=sum(number for each, number in kinds if each.at_most),
    )


def _count(place: int, found: Iterable[tuple[Standings, int]]) -> Count:
    each = [(standing.items[place], number) for standing, number in found]
    return Count(
        item=MITIGATIONS[place],
        guests={kind: sum(number for one, number in each if one.exposure is kind) for kind in Exposure},
        at_least=sum(number for one, number in each if one.at_least),
        at_most=sum(number for one, number in each if one.at_most),
    )

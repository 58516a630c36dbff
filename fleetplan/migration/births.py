"""What a guest is when an inventory is read: as it was born, carried to where it is, and as it last looked.

A birth is given (a release, a PSCI pin), captured (a dump), or assumed from the guest's host. Whatever of it is not known is a set: all
that the guest may be is worked out, and all of it is judged.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

from msgspec.structs import replace

from fleetplan.firmware import registers as fw
from fleetplan.firmware.candidates import Choices, Fact, FactKind, Role, agree, both, chosen
from fleetplan.firmware.guest_view import view
from fleetplan.firmware.vcpu import Kvm
from fleetplan.fleet.model import Birth, Reboot, Release, ReleaseFacts, Workarounds
from fleetplan.migration.carry import (
    Carried,
    GuestState,
    Possible,
    StartRefusedError,
    arrived,
    born,
    firmware_of,
    rebooted,
    resumed,
    start,
)
from fleetplan.migration.offers import HostOffer, of_role, offer, offer_after, replaced_by_upgrade, suited
from fleetplan.migration.verdict import Judge

WHICH_IS_RIGHT = Fact(kind=FactKind.BIRTH, of=Role.GUEST.value, words="`born.kernel` or `born.psci` (they contradict each other)")
HAS_REBOOTED = Fact(kind=FactKind.REBOOT, of=Role.GUEST.value, words="`rebooted`")
LEVELS = (fw.WORKAROUND_1, fw.WORKAROUND_2, fw.WORKAROUND_3)


class Doubt(StrEnum):
    """Something in a birth that cannot be so."""

    PIN_REFUSED = "pin-refused"
    """No kernel that may have been there accepts the pinned PSCI version."""
    NO_PROPERTY = "no-property"
    """The VMM of the birth has no property for a PSCI pin."""
    DUMP = "dump"
    """No kernel that may have been there gives such registers."""


class Births:
    """Works out births, and remembers the places that they happened at."""

    def __init__(self, judge: Judge, releases: Sequence[ReleaseFacts]) -> None:
        self._judge = judge
        self._releases = releases
        self._places: dict[Hashable, HostOffer] = {}
        self._carried: dict[int, Carried] = {}
        self._held: list[Kvm] = []

    def possible(self, birth: Birth | None, reboot: Reboot | None, here: HostOffer, bound_to: int | None) -> list[Possible]:
        """All that a guest may be, which is on a host of a class (as it is for its vCPU features) and was born so."""
        known = birth or Birth()
        place, pin, dump = self._birth(known, here, bound_to)
        found = self.born(place, pin, dump)
        if reboot is None:
            return self._as_it_may_have_looked(self._brought(found, place, here), place, here)
        if reboot.kernel is None:
            found = self._brought(found, place, here)
            return list(self.looked(found, here)) if reboot.ever else found
        stop = self._place(Release(reboot.kernel, here.release.vmm), {}, here, bound_to)
        return self._brought(list(self.looked(self._brought(found, place, stop), stop)), stop, here)

    def doubts(self, birth: Birth, here: HostOffer, bound_to: int | None) -> tuple[Doubt, ...]:
        """What cannot be so in a birth as it is stated."""
        place, pin, dump = self._birth(birth, here, bound_to)
        found = []
        if pin is not None and not any(self.cold(place, pin)):
            found.append(Doubt.PIN_REFUSED)
        if pin is not None and birth.vmm is not None and not any(vmm.knows_pin for vmm in place.vmms):
            found.append(Doubt.NO_PROPERTY)
        if dump and not any(fits(kvm, dump) for kvm in place.kvms):
            found.append(Doubt.DUMP)
        return tuple(found)

    # --- birth --------------------------------------------------------------------------------------------------------------------

    def _birth(self, birth: Birth, here: HostOffer, bound_to: int | None) -> tuple[HostOffer, int | None, Mapping[int, int]]:
        """Where a guest was born, its pin, and its dump."""
        dump = dict(birth.registers or ())
        release = Release(birth.kernel or here.release.kernel, birth.vmm or here.release.vmm)
        pin = fw.psci_value(birth.psci) if birth.psci is not None else None
        return self._place(release, dump, here, bound_to), pin, dump

    def _place(self, release: Release, dump: Mapping[int, int], here: HostOffer, bound_to: int | None) -> HostOffer:
        """A host of the same kind on the release of the guest's birth, with the levels that a dump saw there."""
        levels = tuple(dump.get(row.id) for row in LEVELS)
        if release == here.release and levels == (None, None, None):
            return here
        key = (id(here), release, levels, bound_to)
        if key not in self._places:
            place = suited(self._offer(release, levels, here), here.features, bound_to)
            self._places[key] = here if release == here.release and place.kvms == here.kvms else place
            self._places[id(here)] = here
        return self._places[key]

    def _offer(self, release: Release, levels: tuple[int | None, ...], here: HostOffer) -> HostOffer:
        if levels == (None, None, None):
            return offer_after(release, here.stated, here.release, self._releases)
        facts = here.stated if release == here.release else replaced_by_upgrade(here.stated, here.release, release)
        return offer(release, replace(facts, workarounds=Workarounds(*levels), vulnerabilities=None))

    def born(self, place: HostOffer, pin: int | None, dump: Mapping[int, int]) -> list[Possible]:
        """A cold boot there, in all the ways in which that host may be and that the pin and the dump leave.

        A pin that is refused in every way contradicts the place: the guest booted without it, or elsewhere. A dump that no way fits is
        believed as it stands.
        """
        found = list(self.cold(place, pin))
        if not found:
            found = [
                *_with_choice(self.cold(place, None), "psci", WHICH_IS_RIGHT),
                *_with_choice(self._pinned_elsewhere(place, pin), "kernel", WHICH_IS_RIGHT),
            ]
        if not dump:
            return found
        pairs = [(possible, kvm) for possible in found for kvm, choices in _kvms(place) if agree(possible.given, choices)]
        fitting = [pair for pair in pairs if fits(pair[1], dump)] or pairs
        return [replace(possible, state=_dumped(possible.state, kvm, dump)) for possible, kvm in fitting]

    def cold(self, place: HostOffer, pin: int | None) -> Iterator[Possible]:
        """A cold boot on a host, in every way in which it comes up. Each possibility rests on what the host then is."""
        for kvm, choices in _kvms(place):
            try:
                yield Possible(state=born(kvm, place.features, self.carry(kvm), pin), given=choices)
            except StartRefusedError:
                continue

    def _pinned_elsewhere(self, place: HostOffer, pin: int | None) -> Iterator[Possible]:
        for possible in self.cold(place, None):
            yield replace(possible, state=replace(possible.state, pin=pin, psci=pin or possible.state.psci))

    def carry(self, kvm: Kvm) -> Carried:
        """The other registers of a guest that boots on a KVM; one object for one KVM."""
        if id(kvm) not in self._carried:
            self._carried[id(kvm)] = Carried(kvm.others)
            self._held.append(kvm)
        return self._carried[id(kvm)]

    # --- what happened since ------------------------------------------------------------------------------------------------------

    def _brought(self, guests: list[Possible], place: HostOffer, here: HostOffer) -> list[Possible]:
        """Guests that came from one host to another: that went well, whatever this model thinks of it."""
        if place is here:
            return guests
        return list(self._judge.arrivals(tuple(guests), place, here, left=Role.BIRTHPLACE)) or list(_forced(guests, here))

    def looked(self, guests: Iterable[Possible], here: HostOffer) -> Iterator[Possible]:
        """A warm reboot on a host: each guest sees what that host may show it."""
        for possible in guests:
            for kvm, given in _agreeing(possible.given, here):
                yield Possible(state=rebooted(possible.state, kvm), given=given)

    def _as_it_may_have_looked(self, guests: list[Possible], place: HostOffer, here: HostOffer) -> list[Possible]:
        """A guest that hopped may have rebooted where it is now, or not: then it was promised other things."""
        if place is here:
            return guests
        return [*_with_choice(guests, "no", HAS_REBOOTED), *_with_choice(self.looked(guests, here), "here", HAS_REBOOTED)]


def _kvms(place: HostOffer) -> list[tuple[Kvm, Choices]]:
    """Every kernel and level that a host may have; its VMM makes no difference to a guest that boots."""
    named = zip(place.kvms, place.choices, strict=True)
    return [(kvm, of_role(choices, Role.SOURCE)) for kvm, choices in named]


def _with_choice(guests: Iterable[Possible], option: Hashable, fact: Fact) -> Iterator[Possible]:
    return (replace(possible, given=(*possible.given, *chosen(fact, option))) for possible in guests)


def _forced(guests: Iterable[Possible], here: HostOffer) -> Iterator[Possible]:
    """Guests that are on a host which they could not have come to, with as much of what they had as that host takes."""
    for possible in guests:
        for kvm, given in _agreeing(arrived(possible.given, left=Role.BIRTHPLACE), here):
            yield Possible(state=_taken(possible.state, kvm), given=given)


def _agreeing(given: Choices, here: HostOffer) -> list[tuple[Kvm, Choices]]:
    """All that a host may be for a guest that rests on this; where facts contradict each other, all that it may be at all."""
    found = [(kvm, together) for kvm, choices in _kvms(here) if (together := both(given, choices)) is not None]
    return found or _kvms(here)


def _taken(state: GuestState, kvm: Kvm) -> GuestState:
    machine = start(kvm, state.features, None)
    for register, value in ((fw.PSCI_VERSION.id, state.psci), *((fw.BY_NAME[name].id, value) for name, value in state.bitmaps)):
        machine.set(0, register, value)
    psci, bitmaps = firmware_of(machine, kvm)
    return replace(state, psci=psci, bitmaps=bitmaps)


# --- dumps ----------------------------------------------------------------------------------------------------------------------------


def fits(kvm: Kvm, dump: Mapping[int, int]) -> bool:
    """Whether a guest of this kernel can have had such firmware registers: none that it lacks, and no value that it refuses.

    A dump that has any other register is taken to be whole; service bitmaps may be missing even so, as some VMMs leave them out.
    """
    firmware = {register: value for register, value in dump.items() if fw.is_firmware(register)}
    listed = {fw.BY_NAME[name].id: fw.BY_NAME[name] for name in kvm.profile.registers}
    if not firmware.keys() <= listed.keys():
        return False
    if len(dump) > len(firmware) and any(row.kind is not fw.Kind.BITMAP and place not in firmware for place, row in listed.items()):
        return False
    machine = start(Kvm(profile=kvm.profile, levels=kvm.levels), frozenset({"psci_0_2"}), None)
    carried = ((place, value) for place, value in firmware.items() if listed[place].travels)
    return all(machine.set(0, place, value).errno is None for place, value in carried)


def _dumped(state: GuestState, kvm: Kvm, dump: Mapping[int, int]) -> GuestState:
    """A guest whose registers at birth are known: they take the place of what was derived, and it was promised what they say."""
    derived = dict(state.bitmaps)
    rows = (row for row in fw.REGISTERS if row.kind is fw.Kind.BITMAP)
    bitmaps = tuple((row.name, dump.get(row.id, derived.get(row.name, 0))) for row in rows if row.name in derived or row.id in dump)
    registers = tuple(replace(register, value=dump.get(register.id, register.value)) for register in state.carried.registers.values())
    had = replace(state, psci=dump.get(fw.PSCI_VERSION.id, state.psci), bitmaps=bitmaps, carried=Carried(registers))
    return replace(had, promise=view(resumed(had, kvm), kvm))

"""Hosts -> host classes, guests -> guest classes, and every move between them judged once."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import repeat

import msgspec
from msgspec.structs import replace

from fleetplan.firmware.candidates import MOST_CANDIDATES, Fact, FactKind
from fleetplan.firmware.registers import psci_value
from fleetplan.fleet.model import Equipment, Fleet, Guest, HostFacts, Release
from fleetplan.migration.births import Births, Doubt
from fleetplan.migration.carry import Carried, Guests, GuestState, Possible, distinct
from fleetplan.migration.offers import HostOffer, features_of, offer, offer_after, suited
from fleetplan.migration.reasons import Judgment, ReasonKind, Verdict
from fleetplan.migration.twins import twins
from fleetplan.migration.verdict import Judge, Ruling
from fleetplan.migration.vmm import VmmProfile, knows_machine
from fleetplan.migration.vmm import parse as parse_vmm
from fleetplan.migration.vmm import profiles as vmm_profiles

HostClassId = int
GuestClassId = int

PINS = ("1.3", "1.2", "1.1", "1.0", "0.2")
"""PSCI versions that a pin may have, newest first: a pin takes no more from the guest than it must."""


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """A move of a guest class from one host class to another.

    Its verdict, whether policy allows a plan to use it, and what the guest is afterwards (its own class again where it stays behind).
    """

    verdict: Verdict
    allowed: bool
    after: GuestClassId


class GuestStates(msgspec.Struct, frozen=True, kw_only=True):
    """What each guest of a fleet is, known from what became of it: guest `j` is `kinds[of[j]]`."""

    kinds: tuple[Guests, ...]
    of: array[int]


class ClassTable:
    """The classes of a fleet.

    `hosts_now[i]` and `hosts_then[i]` are the classes of `fleet.hosts[i]` as it is, and once upgraded to the target (equal where it
    already is there); `guests[j]` that of `fleet.guests[j]` as it is now, on the host it is on. `twins` say whose probe speaks for whom.
    Ids are small integers that are stable for one inventory; new guest classes appear as guests hop and restart (a closure, not computed
    per guest). A class of guests is all that they may be, where their births or boots are not known.

    Guests are what `states` says; without, what follows from their birth and where they are.

    Making the table is O(hosts + guests), with work worth milliseconds only per class; a hop that was asked for is a look-up.
    """

    def __init__(self, fleet: Fleet, states: GuestStates | None = None) -> None:
        self._fleet = fleet
        self._states = states
        self._offers: list[HostOffer] = []
        self._by_nature: dict[Hashable, HostClassId] = {}
        self._guests: list[Guests] = []
        self._guest_ids: dict[frozenset[Possible], GuestClassId] = {}
        self._carried: dict[Hashable, Carried] = {}
        self._judge = Judge()
        self._births = Births(self._judge, fleet.releases)
        self._judgments: dict[tuple[GuestClassId, HostClassId, HostClassId], Judgment] = {}
        self._hops: dict[tuple[GuestClassId, HostClassId, HostClassId], Hop] = {}
        self._on_release: dict[tuple[HostClassId, Release], HostClassId] = {}
        self._boots: dict[tuple[GuestClassId, HostClassId, str | None], GuestClassId | None] = {}
        self.twins = twins(fleet.hosts, speak=fleet.policy.probe_twins)
        self._machines: dict[tuple[Release, _Facts], int] = {}
        hosts = zip(fleet.hosts, self.twins.facts, strict=True)
        self._alike = [self._machines.setdefault((host.facts_of, _Facts(facts)), len(self._machines)) for host, facts in hosts]
        self._running: dict[Release, list[HostClassId]] = {}
        self.hosts_now = self._running_now()
        self.hosts_then: list[HostClassId] = self.hosts_on(fleet.target)
        self.guests: Sequence[GuestClassId] = self._classify_guests() if states is None else self._take(states)

    def beside(self, fleet: Fleet, guests: Sequence[int] | None = None) -> ClassTable:
        """The table of another fleet with the same guests, or with those of these numbers, who are what they are here."""
        states = self._states
        if states is not None and guests is not None:
            states = replace(states, of=array("i", (states.of[guest] for guest in guests)))
        return ClassTable(fleet, states)

    # --- making -------------------------------------------------------------------------------------------------------------------

    def hosts_on(self, release: Release) -> list[HostClassId]:
        """The classes that hosts have, or would have, on a release. O(hosts), with work only per distinct facts."""
        if release not in self._running:
            classes = [self._class_of(read_on, facts.facts, release) for read_on, facts in self._machines]
            self._running[release] = list(map(classes.__getitem__, self._alike))
        return self._running[release]

    def _running_now(self) -> list[HostClassId]:
        """The classes that hosts have."""
        machines, known = list(self._machines), dict[tuple[int, Release], HostClassId]()
        now = [(machine, host.release) for machine, host in zip(self._alike, self._fleet.hosts, strict=True)]
        for machine, release in dict.fromkeys(now):
            read_on, facts = machines[machine]
            known[machine, release] = self._class_of(read_on, facts.facts, release)
        return list(map(known.__getitem__, now))

    def _class_of(self, read_on: Release, facts: HostFacts, release: Release) -> HostClassId:
        """By the host's own facts, not by its class: hosts that are alike on one release may differ on another."""
        read = release == read_on
        return self._add(offer(release, facts) if read else offer_after(release, facts, read_on, self._fleet.releases))

    def _add(self, offered: HostOffer) -> HostClassId:
        """A class of hosts: an equal one that is there already, or a new one."""
        number = self._by_nature.setdefault(_nature(offered), len(self._offers))
        if number == len(self._offers):
            self._offers.append(offered)
        return number

    def _classify_guests(self) -> array[GuestClassId]:
        """Guests by what decides their class: the class of their host, their template, their waivers. Each such case is worked out once."""
        guests = self._fleet.guests
        cases = _Cases(lambda case: self._born(guests.templates[case[1]], case[0], case[2]))
        return array("i", map(cases.__getitem__, zip(self._host_of_guests(), guests.template, self._waived(), strict=True)))

    def _take(self, states: GuestStates) -> array[GuestClassId]:
        """Guests as they are said to be, with what their records say of how they are used: the newest PSCI version, and waivers."""
        guests = self._fleet.guests

        def known(case: _Case) -> GuestClassId:
            kinds, psci_max = states.kinds[case[0]], _psci_max(guests.templates[case[1]])
            found = (replace(possible, state=replace(possible.state, psci_max=psci_max, waived=case[2])) for possible in kinds)
            return self._intern(found, {fact for possible in kinds for fact, _ in possible.given})

        cases = _Cases(known)
        return array("i", map(cases.__getitem__, zip(states.of, guests.template, self._waived(), strict=True)))

    def _host_of_guests(self) -> Iterator[HostClassId]:
        """For each guest, the class of the host it is on."""
        place = {host.name: number for host, number in zip(self._fleet.hosts, self.hosts_now, strict=True)}
        hosts = [place[name] for name in self._fleet.guests.host_names]
        return map(hosts.__getitem__, self._fleet.guests.on)

    def _waived(self) -> Iterator[frozenset[str]]:
        """For each guest, the registers whose loss a waiver accepts."""
        waivers = [(waiver.register, waiver.scope) for waiver in self._fleet.waivers if waiver.register is not None]
        if not waivers:
            return repeat(frozenset(), len(self._fleet.guests))
        return (
            frozenset(register for register, scope in waivers if any(fnmatchcase(name, pattern) for pattern in scope))
            for name in self._fleet.guests.names
        )

    def _born(self, guest: Guest, host: HostClassId, waived: frozenset[str]) -> GuestClassId:
        """The class of a guest as it is now. A pin or a dump may tell which kernel it is on, so what it says of kernels is kept."""
        found = list(self._initial(guest, host, waived))
        return self._intern(found, {fact for possible in found for fact, _ in possible.given if fact.kind is FactKind.KERNEL})

    def _initial(self, guest: Guest, host: HostClassId, waived: frozenset[str]) -> Iterator[Possible]:
        """All that the guest may be now: as it was born, carried to where it is if it was born elsewhere."""
        equipment = guest.equipment
        here = suited(self._offers[host], features_of(equipment, self._offers[host]), equipment.bound_to)
        assumed = guest.born is None or (guest.born.kernel is None and guest.born.registers is None)
        own = {
            "machine": guest.machine,
            "equipment": equipment,
            "process": guest.vmm,
            "psci_max": _psci_max(guest),
            "waived": waived,
            "assumed_birth": assumed,
            "assumed_promise": assumed and (guest.rebooted is None or not guest.rebooted.ever),
        }
        for possible in self._births.possible(guest.born, guest.rebooted, here, equipment.bound_to):
            yield replace(possible, state=replace(possible.state, **own))

    def _intern(self, found: Iterable[Possible], kept: Container[Fact] = ()) -> GuestClassId:
        """The class of guests that may be any of these; equal carried registers become one object, so that equal states are equal.

        What they rest on is left out where it makes no difference between them, save the facts that are to be `kept`.
        """
        guests = distinct((replace(possible, state=self._with_own_carried(possible.state)) for possible in found), kept)
        guests = guests[: MOST_CANDIDATES + 1]
        number = self._guest_ids.setdefault(frozenset(guests), len(self._guests))
        if number == len(self._guests):
            self._guests.append(guests)
        return number

    def _with_own_carried(self, state: GuestState) -> GuestState:
        carried = self._carried.setdefault(tuple(state.carried.registers.values()), state.carried)
        return state if carried is state.carried else replace(state, carried=carried)

    # --- asking -------------------------------------------------------------------------------------------------------------------

    def host_class(self, host: HostClassId) -> HostOffer:
        """What hosts of a class offer."""
        return self._offers[host]

    def guest_class(self, guest: GuestClassId) -> GuestState:
        """What guests of a class are; where that is not known, the first thing that they may be (see `possible`)."""
        return self._guests[guest][0].state

    def possible(self, guest: GuestClassId) -> Guests:
        """All that guests of a class may be. They have one configuration: pin, machine type, equipment, waivers."""
        return self._guests[guest]

    def newest_psci(self, guest: GuestClassId) -> int:
        """The newest PSCI version that guests of a class may have."""
        return max(possible.state.psci for possible in self._guests[guest])

    def doubts(self) -> Mapping[tuple[HostClassId, int], tuple[Doubt, ...]]:
        """What cannot be so in a birth, by the class of a guest's host and the guest's template. O(guests)."""
        guests = self._fleet.guests
        found = {}
        for host, template in dict.fromkeys(zip(self._host_of_guests(), guests.template, strict=True)):
            guest = guests.templates[template]
            if guest.born is not None:
                here = self._offers[host]
                place = suited(here, features_of(guest.equipment, here), guest.equipment.bound_to)
                found[host, template] = self._births.doubts(guest.born, place, guest.equipment.bound_to)
        return found

    def states_now(self) -> Iterator[tuple[GuestClassId, HostClassId]]:
        """Every pair of guest class and host class that the fleet has now, once each."""
        return iter(dict.fromkeys(zip(self.guests, self._host_of_guests(), strict=True)))

    @property
    def host_classes(self) -> range:
        """All ids of host classes."""
        return range(len(self._offers))

    def on_release(self, host: HostClassId, release: Release) -> HostClassId:
        """What hosts of a class become on another release (its own class where they run it): a new class if none is like it."""
        offered = self._offers[host]
        if release == offered.release:
            return host
        key = (host, release)
        if key not in self._on_release:
            self._on_release[key] = self._add(offer_after(release, offered.stated, offered.release, self._fleet.releases))
        return self._on_release[key]

    def judgment(self, guest: GuestClassId, source: HostClassId, destination: HostClassId) -> Judgment:
        """Judge a move, with all reasons (remembered)."""
        key = (guest, source, destination)
        if key not in self._judgments:
            self._judgments[key] = self._judge.judgment(*self.move(*key))
        return self._judgments[key]

    def ruling(self, guest: GuestClassId, source: HostClassId, destination: HostClassId) -> Ruling:
        """The verdict on a move and its stage: what `judgment` says, without its reasons, some hundred times faster."""
        return self._judge.ruling(*self.move(guest, source, destination))

    def rulings(self, guest: GuestClassId, source: HostClassId, destinations: Iterable[HostClassId]) -> list[Ruling]:
        """The rulings on moves to many host classes: O(destinations), with one judgment for each kind of them."""
        known: dict[int, Ruling] = {}
        found = []
        for destination in destinations:
            guests, here, there = self.move(guest, source, destination)
            kind = self._judge.kind(there)
            ruling = known.get(kind)
            if ruling is None:
                ruling = known[kind] = self._judge.ruling(guests, here, there)
            found.append(ruling)
        return found

    def move(self, guest: GuestClassId, source: HostClassId, destination: HostClassId) -> tuple[Guests, HostOffer, HostOffer]:
        """A guest and its two hosts, as they are for a guest with its vCPU features."""
        guests = self._guests[guest]
        state = guests[0].state
        here, there = self._suited(source, state), self._suited(destination, state)
        return guests, (here if state.process is None else _with_process(here, state.process)), there

    def _suited(self, host: HostClassId, state: GuestState) -> HostOffer:
        offered, bound_to = self._offers[host], state.equipment.bound_to
        return offered if state.features == offered.features and bound_to is None else suited(offered, state.features, bound_to)

    def hop(self, guest: GuestClassId, source: HostClassId, destination: HostClassId) -> Hop:
        """Judge a move (remembered)."""
        key = (guest, source, destination)
        hop = self._hops.get(key)
        if hop is None:
            hop = self._hops[key] = self._hop(*key)
        return hop

    def _hop(self, guest: GuestClassId, source: HostClassId, destination: HostClassId) -> Hop:
        judgment = self.judgment(guest, source, destination)
        known = {fact for possible in self._guests[guest] for fact, _ in possible.given}
        after = self._intern(judgment.arrivals, known) if judgment.arrivals else guest
        allowed = bool(judgment.arrivals) and self._allows(judgment, self._guests[guest][0].state)
        return Hop(verdict=judgment.verdict, allowed=allowed, after=after)

    def _allows(self, judgment: Judgment, state: GuestState) -> bool:
        policy = self._fleet.policy
        match judgment.verdict:
            case Verdict.SAFE:
                return True
            case Verdict.CHANGES:
                changes = any(reason.kind is ReasonKind.PSCI_CHANGES for reason in judgment.reasons)
                return not (policy.forbid_psci_change and changes)
            case Verdict.STRIPS:
                return judgment.lost <= state.waived
            case Verdict.UNKNOWN:
                return policy.accept_unknown
            case Verdict.FAILS:
                return False

    def cold_boot(self, guest: GuestClassId, host: HostClassId, psci: str | None = None) -> GuestClassId | None:
        """The class after a cold boot on a host, with a PSCI pin or (None) with the pin that its configuration already has.

        None: the guest does not start there with that pin (property not known to the VMM, version refused by the kernel).
        """
        key = (guest, host, psci)
        if key not in self._boots:
            self._boots[key] = self._cold_boot(*key)
        return self._boots[key]

    def birth(self, host: HostClassId, psci: str | None = None) -> GuestClassId | None:
        """The class of a plain guest that is started on a host for the first time, with a PSCI pin or without. None: it does not start."""
        offered = self._offers[host]
        place = suited(offered, features_of(Equipment(), offered), None)
        if psci is not None and not all(vmm.knows_pin for vmm in place.vmms):
            return None
        found = list(self._births.cold(place, None if psci is None else psci_value(psci)))
        return None if len(found) < len(place.kvms) else self._intern(found)

    def _cold_boot(self, guest: GuestClassId, host: HostClassId, psci: str | None) -> GuestClassId | None:
        state = self._guests[guest][0].state
        place = self._suited(host, state)
        pin = psci_value(psci) if psci is not None else state.pin
        if pin is not None and not all(vmm.knows_pin for vmm in place.vmms):
            return None
        if state.machine is not None and any(knows_machine(vmm, state.machine) is False for vmm in place.vmms):
            return None
        found = list(self._births.cold(place, pin))
        if len(found) < len(place.kvms):
            # A pin that any of the kernels which may be there refuses is not to be relied on.
            return None
        kept = {name: getattr(state, name) for name in ("machine", "equipment", "psci_max", "waived")}
        return self._intern(replace(possible, state=replace(possible.state, **kept)) for possible in found)

    def bears(self, guest: GuestClassId, host: HostClassId, psci: str | None = None) -> bool:
        """Whether a guest comes up on a host, with a PSCI pin or (None) as it is configured, and bears the version that it then has."""
        fresh = self.cold_boot(guest, host, psci)
        if fresh is None:
            return False
        most = self.guest_class(fresh).psci_max
        return most is None or self.newest_psci(fresh) <= most

    def restarts(self, guest: GuestClassId, host: HostClassId) -> bool:
        """Whether a guest comes up on a host in any way: as it is configured, or with some PSCI pin."""
        return any(self.bears(guest, host, psci) for psci in (None, *PINS))

    def warm_reboot(self, guest: GuestClassId, host: HostClassId) -> GuestClassId:
        """The class after a warm reboot on a host."""
        guests = self._guests[guest]
        return self._intern(self._births.looked(guests, self._suited(host, guests[0].state)))


def _psci_max(guest: Guest) -> int | None:
    return psci_value(guest.psci_max) if guest.psci_max is not None else None


_Case = tuple[int, int, frozenset[str]]
"""The class of its host, or the number of what it is known to be; the number of its template; registers waived."""


class _Cases(dict[_Case, GuestClassId]):
    """Guest classes by case: worked out when it is first asked for."""

    def __init__(self, work_out: Callable[[_Case], GuestClassId]) -> None:
        super().__init__()
        self._work_out = work_out

    def __missing__(self, case: _Case) -> GuestClassId:
        """The class of a case that was not met before."""
        number = self[case] = self._work_out(case)
        return number


class _Facts:
    """Facts that compare by value."""

    __slots__ = ("_hash", "facts")

    def __init__(self, facts: HostFacts) -> None:
        self.facts = facts
        scalars = (facts.cpu, facts.midr, facts.revidr, facts.cmdline, facts.workarounds, len(facts.registers or ()))
        self._hash = hash(scalars)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Facts) and (self.facts is other.facts or self.facts == other.facts)


def _nature(offered: HostOffer) -> Hashable:
    """Equal for hosts that no migrating guest can tell apart, which run one release (an operator does tell them apart by that)."""
    return (offered.release, offered.kvms, offered.vmms, offered.identity, offered.features, offered.stated.platform)


@lru_cache(maxsize=1024)
def _with_process(source: HostOffer, process: str | None) -> HostOffer:
    """The source as the guest's own process sees it, where that is another VMM than the host's."""
    if process is None:
        return source
    vmms: tuple[VmmProfile, ...] = tuple(vmm_profiles(parse_vmm(process)))
    return source if vmms == source.vmms else replace(source, vmms=vmms, release=Release(source.release.kernel, process))


__all__ = ["ClassTable", "GuestClassId", "Hop", "HostClassId", "HostOffer", "Judgment"]

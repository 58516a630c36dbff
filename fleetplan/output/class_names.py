"""Short names for classes, and the key that says what they stand for."""

from __future__ import annotations

from collections.abc import Iterable
from string import ascii_uppercase

from fleetplan.firmware.cpus import by_midr, by_name, parts
from fleetplan.firmware.registers import psci_text
from fleetplan.fleet.model import Fleet, Guest, HostFacts
from fleetplan.migration.classes import ClassTable, GuestClassId, HostClassId
from fleetplan.output.sentences import counted, listed

MOST_NAMED = 3
"""Hosts or guests that a line of the key names."""


class ClassNames:
    """Names the classes of a fleet: hosts `A`, `B`, ..., guests `g1`, `g2`, ..., in the order of their ids and of first use."""

    def __init__(self, fleet: Fleet, classes: ClassTable) -> None:
        self._classes = classes
        self._letters: dict[HostClassId, str] = {}
        self._tags: dict[GuestClassId, str] = {}
        self.now: dict[HostClassId, list[str]] = {}
        """Hosts of a class, as they are."""
        self.then: dict[HostClassId, list[str]] = {}
        """Hosts that come into a class by their upgrade."""
        self.members: dict[GuestClassId, list[Guest]] = {}
        for record, now, then in zip(fleet.hosts, classes.hosts_now, classes.hosts_then, strict=True):
            self.now.setdefault(now, []).append(record.name)
            if then != now:
                self.then.setdefault(then, []).append(record.name)
        for guest, kind in zip(fleet.guests, classes.guests, strict=True):
            self.members.setdefault(kind, []).append(guest)
        for host in sorted({*classes.hosts_now, *classes.hosts_then}):
            self.host(host)
        for kind in classes.guests:
            self.guest(kind)

    @property
    def hosts(self) -> tuple[HostClassId, ...]:
        """All host classes that were named so far."""
        return tuple(self._letters)

    @property
    def guests(self) -> tuple[GuestClassId, ...]:
        """All guest classes that were named so far."""
        return tuple(self._tags)

    def host(self, host: HostClassId) -> str:
        """`A`; after `Z` comes `AA`."""
        return self._letters.setdefault(host, _letters(len(self._letters)))

    def guest(self, guest: GuestClassId) -> str:
        """`g1`."""
        return self._tags.setdefault(guest, f"g{len(self._tags) + 1}")

    def state(self, state: tuple[GuestClassId, HostClassId]) -> str:
        """`g1 on A`."""
        return f"{self.guest(state[0])} on {self.host(state[1])}"

    def path(self, states: Iterable[tuple[GuestClassId, HostClassId]]) -> str:
        """`g1 on A, g1 on B, g3 on C`: a chain of states."""
        return ", then ".join(self.state(state) for state in states)

    def software(self, host: HostClassId) -> str:
        """`6.12.117 qemu-11.1.3 neoverse-n1 r3p1`."""
        offered = self._classes.host_class(host)
        return f"{offered.release.kernel} {offered.release.vmm} {cpu_words(offered.stated)}"

    def host_line(self, host: HostClassId) -> str:
        """`A 6.12.117 qemu-11.1.3 neoverse-n1 r3p1 (5 hosts: n1-01, n1-02, n1-03 and 2 more)`."""
        now, then = self.now.get(host, []), self.then.get(host, [])
        told = [f"{counted(len(now), 'host')}: {listed(now, MOST_NAMED)}"] if now else []
        told += [f"{counted(len(then), 'host')} once upgraded: {listed(then, MOST_NAMED)}"] if then else []
        return f"{self.host(host)} {self.software(host)} ({'; '.join(told) or 'no host yet'})"

    def guest_words(self, guest: GuestClassId) -> str:
        """`PSCI 1.1, pinned`: what tells guest classes apart, in short."""
        state, several = self._classes.guest_class(guest), self._classes.possible(guest)
        versions = " or ".join(psci_text(value) for value in sorted({possible.state.psci for possible in several}))
        extras = [f"pinned to {psci_text(state.pin)}"] if state.pin is not None else []
        extras += [f"machine {state.machine}"] if state.machine is not None else []
        extras += [f"run by {state.process}"] if state.process is not None else []
        extras += [f"bears no PSCI above {psci_text(state.psci_max)}"] if state.psci_max is not None else []
        extras += [f"may be any of {len(several)} things"] if len(several) > 1 else []
        return ", ".join([f"PSCI {versions}", *extras])

    def guest_line(self, guest: GuestClassId) -> str:
        """`g1 born 6.12.117, PSCI 1.1 (20 guests: api-02, api-06, api-10 and 17 more)`."""
        members = self.members.get(guest, [])
        births = list(dict.fromkeys(_birth(member) for member in members))
        born = f"born {listed(births, MOST_NAMED)}, " if births else ""
        names = [member.name for member in members]
        who = f"{counted(len(members), 'guest')}: {listed(names, MOST_NAMED)}" if members else "none now"
        return f"{self.guest(guest)} {born}{self.guest_words(guest)} ({who})"


def _letters(number: int) -> str:
    text = ascii_uppercase[number % 26]
    while number >= 26:
        number = number // 26 - 1
        text = ascii_uppercase[number % 26] + text
    return text


def _birth(guest: Guest) -> str:
    born = guest.born
    if born is None:
        return "where it is (assumed)"
    return born.kernel or "where it is"


def cpu_words(facts: HostFacts) -> str:
    """`neoverse-n1 r3p1`, the MIDR where the CPU has no name, or that it is not known."""
    if facts.midr is None:
        known = by_name(facts.cpu) if facts.cpu is not None else None
        return known.name if known is not None else facts.cpu or "CPU not known"
    cpu, midr = by_midr(facts.midr), parts(facts.midr)
    named = f"{cpu.name} r{midr.variant}p{midr.revision}" if cpu is not None else f"MIDR {facts.midr:#x}"
    return f"{named} and others" if facts.other_midrs else named

"""The fleet as it is after a wave of a plan, and what every guest is by then.

Hosts of the waves so far run the target release, guests are where they landed. What a guest is, it became by its hops and boots: it is
said (`GuestStates`), not worked out anew from a record of its birth. Records say as much of it as records can: where a guest has been
between its birth and now, they do not tell.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace

from fleetplan.fleet.model import Birth, Fleet, Guest, Host, HostState, Reboot, Release
from fleetplan.fleet.policy import Policy
from fleetplan.fleet.table import GuestTable
from fleetplan.migration.classes import ClassTable, GuestStates
from fleetplan.rollout.columns import Flags, FleetColumns, Numbers, Places, fleet_columns
from fleetplan.rollout.history import History, history
from fleetplan.rollout.plan import Plan


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """A fleet, and what its guests are."""

    fleet: Fleet
    states: GuestStates

    def classes(self) -> ClassTable:
        """The classes of the fleet."""
        return ClassTable(self.fleet, self.states)


def after_wave(fleet: Fleet, classes: ClassTable, plan: Plan, wave: int) -> State:
    """The fleet once all steps of the first waves of a plan have ended (0: as it is), and no other has begun.

    The plan must hold for the fleet. Its target stays the target. O(hosts + guests + steps).
    """
    columns = fleet_columns(fleet, classes)
    past = history(columns, classes, plan)
    entries = past.last(wave)
    on, kind = columns.guests.on.copy(), columns.guests.kind.copy()
    on[past.guest[entries]], kind[past.guest[entries]] = past.host[entries], past.kind[entries]
    hosts = tuple(_host(host, done, fleet.target) for host, done in zip(fleet.hosts, _upgraded(past, wave).tolist(), strict=True))
    guests = _guests(fleet, columns, past, wave, on)
    return State(replace(fleet, hosts=hosts, guests=guests), _states(classes, kind))


def as_it_is(fleet: Fleet, classes: ClassTable) -> State:
    """The fleet as it is, with what its guests are. O(guests)."""
    return State(fleet, _states(classes, np.asarray(classes.guests, np.int32)))


def gates_left(policy: Policy, waves: int) -> Policy:
    """The policy of who goes on with a rollout after so many waves: gates that were passed are gone, others come so much sooner."""
    left = (gate for gate in policy.gates if gate.after is None or gate.after > waves)
    return replace(policy, gates=tuple(gate if gate.after is None else replace(gate, after=gate.after - waves) for gate in left))


def _upgraded(past: History, wave: int) -> Flags:
    """Hosts that the plan has upgraded by the end of a wave."""
    done: Flags = (past.upgraded_in >= 1) & (past.upgraded_in <= wave)
    return done


def _host(host: Host, done: bool, target: Release) -> Host:
    """A host after its upgrade: what was read of it before is kept, with the release on which it was read."""
    if not done:
        return host
    return replace(host, release=target, state=HostState.UP, read_on=None if host.facts_of == target else host.facts_of)


def _states(classes: ClassTable, kind: Places) -> GuestStates:
    numbers, which = np.unique(kind, return_inverse=True)
    return GuestStates(
        kinds=tuple(classes.possible(number) for number in numbers.tolist()), of=array("i", which.astype(np.int32).tobytes())
    )


# --- records -------------------------------------------------------------------------------------------------------------------------


def _guests(fleet: Fleet, columns: FleetColumns, past: History, wave: int, on: Places) -> GuestTable:
    """The guests' records: where they are, and how they were born there, or came there."""
    guests, names = fleet.guests, columns.hosts.names
    entries = np.flatnonzero(past.wave <= wave)
    touched = np.unique(past.guest[entries])
    boot = np.full(len(on), -1, np.int64)
    boots = entries[past.boots[entries]]
    boot[past.guest[boots]] = boots
    template = np.array(guests.template, np.int32)
    cases, which = _cases(columns, past, boot, template, touched)
    templates = list(guests.templates)
    numbers = []
    for guest in cases:
        before = templates[template[guest]]
        numbers.append(len(templates))
        templates.append(_lived(fleet, past, before, int(columns.guests.on[guest]), int(boot[guest])))
    if numbers:
        template[touched] = np.array(numbers, np.int32)[which]
    return GuestTable(
        names=guests.names,
        on=array("i", on.astype(np.int32).tobytes()),
        host_names=tuple(names),
        sizes=guests.sizes,
        group=guests.group,
        group_names=guests.group_names,
        dirty_rate_mib_s=guests.dirty_rate_mib_s,
        template=array("i", template.tobytes()),
        templates=tuple(templates),
        places=guests.places,
    )


def _cases(columns: FleetColumns, past: History, boot: Numbers, template: Places, touched: Places) -> tuple[list[int], Numbers]:
    """Of guests to which something happened, one of each case, and the case of each: by template, release at first, and last boot."""
    booted, hosts = boot[touched], columns.hosts
    never = booted < 0
    parts = (
        hosts.now[columns.guests.on[touched]],
        np.where(never, 0, 1 + past.pin[booted]),
        np.where(never, 0, 1 + hosts.now[past.host[booted]]),
        np.where(never, 0, past.upgraded_in[past.host[booted]] <= past.wave[booted]),
    )
    key = template[touched].astype(np.int64)
    for part in parts:
        key = key * (int(part.max(initial=0)) + 1) + part
    _, first, which = np.unique(key, return_index=True, return_inverse=True)
    return touched[first].tolist(), which


def _lived(fleet: Fleet, past: History, guest: Guest, origin: int, boot: int) -> Guest:
    """A record after what happened: born anew at its last cold boot, or born before and gone from the host on which it was."""
    if boot >= 0:
        host, pin = fleet.hosts[past.host[boot]], int(past.pin[boot])
        release = fleet.target if past.upgraded_in[past.host[boot]] <= past.wave[boot] else host.release
        kept = guest.born.psci if guest.born is not None else None
        born = Birth(kernel=release.kernel, vmm=release.vmm, psci=past.pins[pin - 1] if pin else kept)
        return replace(guest, born=born, rebooted=Reboot(ever=False), vmm=None)
    here = fleet.hosts[origin].release
    return replace(guest, born=_born(guest, here), rebooted=_looked(guest, here), vmm=None)


def _born(guest: Guest, here: Release) -> Birth:
    known = guest.born or Birth()
    return replace(known, kernel=known.kernel or here.kernel, vmm=known.vmm or here.vmm)


def _looked(guest: Guest, here: Release) -> Reboot | None:
    """Where it rebooted last. What was open stays open, save that a guest born where it was has seen nothing else."""
    if guest.rebooted is None:
        return Reboot(ever=False) if _born(guest, here).kernel == here.kernel else None
    return replace(guest.rebooted, kernel=here.kernel) if guest.rebooted.ever and guest.rebooted.kernel is None else guest.rebooted

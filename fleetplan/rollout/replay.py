"""Plays a plan step by step on a state and says what goes wrong: slow, obvious, the reference that the judge is held against.

It plays what happens to hosts and guests; the plan as a document is looked at in `proofread`. That `after` alone keeps a plan safe is seen
by playing it with other durations (`execute`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from fleetplan.firmware.registers import psci_value
from fleetplan.fleet.model import Fleet, GroupName, Guest, GuestName, Host, HostName, HostState, Release, Scope
from fleetplan.fleet.policy import Immovable
from fleetplan.migration.classes import PINS, ClassTable, GuestClassId
from fleetplan.rollout.copying import copy_ends
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import Plan, Step, StepKind

ENDS, STARTS = 0, 1
SERVING = frozenset({HostState.UP, HostState.CORDONED})
VERSIONS = frozenset({"0.2", "1.0", "1.1", "1.2", "1.3"})
"""PSCI versions that any kernel knows."""
SEQUENCE = (StepKind.CORDON, StepKind.UPGRADE, StepKind.CHECK, StepKind.UNCORDON)


def replay(fleet: Fleet, classes: ClassTable, plan: Plan) -> list[Violation]:
    """Play a plan whose steps name hosts and guests that exist. O(events x hosts)."""
    return sorted(set(_Play(fleet, classes, plan).run()))


class End(NamedTuple):
    """What a plan comes to: where guests are, what they are, and the hosts that run the target release."""

    at: dict[GuestName, HostName]
    kind: dict[GuestName, GuestClassId]
    done: set[HostName]


def end(fleet: Fleet, classes: ClassTable, plan: Plan) -> End:
    """Play a plan, whatever goes wrong, and say what it comes to. O(events x hosts)."""
    play = _Play(fleet, classes, plan)
    for _ in play.run():
        pass
    return End(play.at, play.kind, play.done)


class _Play:
    """The state of everything at one moment."""

    def __init__(self, fleet: Fleet, classes: ClassTable, plan: Plan) -> None:
        self.fleet, self.classes, self.plan = fleet, classes, plan
        self.hosts: dict[HostName, Host] = {host.name: host for host in fleet.hosts}
        self.guests: dict[GuestName, Guest] = {guest.name: guest for guest in fleet.guests}
        self.number = {host.name: number for number, host in enumerate(fleet.hosts)}
        self.at = {guest.name: guest.on for guest in fleet.guests}
        self.arriving: dict[GuestName, HostName] = {}
        self.kind = {guest.name: classes.guests[number] for number, guest in enumerate(fleet.guests)}
        self.acting: dict[GuestName, Step] = {}
        """Guests that something is being done to."""
        self.stopped: dict[GuestName, Step] = {}
        self.pinned: dict[GuestName, str] = {}
        self.counted: set[tuple[str, GuestName, str | None]] = set()
        """Cold boots that happened: the step, the guest, and the pin that counted."""
        self.away = {host.name for host in fleet.hosts if host.state is not HostState.UP}
        self.done = {host.name for host in fleet.hosts if host.release == fleet.target}
        self.busy: dict[HostName, Step] = {}
        self.progress: dict[HostName, list[StepKind]] = {host.name: [] for host in fleet.hosts}
        self.upgraded_in: dict[HostName, int] = {}
        self.lives = {name: [(0, self.at[name], self.kind[name])] for name in self.guests}
        """By guest, where it was and what it was: at first, and from which wave on."""
        self.wave = {step.id: number for number, wave in enumerate(plan.waves, 1) for step in wave.steps}
        self.page_sizes: set[int | None] = {None, *(guest.equipment.hugepages_kib for guest in fleet.guests)}
        """Sizes of pages that guests are backed by; None: no reserved ones."""
        self.sending: Counter[HostName] = Counter()
        self.receiving: Counter[HostName] = Counter()

    def run(self) -> Iterator[Violation]:
        """Every event in the order of time; at equal times ends come before starts, in the order of the plan."""
        steps = [step for wave in self.plan.waves for step in wave.steps if step.kind is not StepKind.GATE]
        events = [(step.start_s, STARTS, place, step) for place, step in enumerate(steps)]
        events += [(step.end_s, ENDS if step.duration_s else STARTS + 1, place, step) for place, step in enumerate(steps)]
        # A step that takes no time ends right after its own start, before whatever comes later in the plan.
        for when, kind, _, step in sorted(events, key=_order):
            if kind == STARTS:
                yield from self._starts(step, when)
            else:
                yield from self._ends(step, when)
        yield from self._final()

    # --- starts -------------------------------------------------------------------------------------------------------------------

    def _starts(self, step: Step, when: int) -> Iterator[Violation]:
        if step.guest is not None:
            if step.guest in self.acting:
                yield _broken(InvariantId.PLACEMENT, f"guest {step.guest}", step, when)
            self.acting[step.guest] = step
            if step.kind in {StepKind.MIGRATE, StepKind.STOP}:
                yield from self._too_many_disrupted(step.guest, step, when)
        if step.kind is StepKind.MIGRATE:
            yield from self._migration_starts(step, when)
        elif step.kind in SEQUENCE and step.host is not None:
            yield from self._host_step_starts(step, step.host, when)
        elif step.guest is not None and step.host is not None:
            yield from self._guest_step_starts(step, step.guest, step.host, when)

    def _migration_starts(self, step: Step, when: int) -> Iterator[Violation]:
        assert step.guest is not None  # noqa: S101 - replay is for plans whose steps name what they need
        assert step.source is not None  # noqa: S101 - as above
        assert step.destination is not None  # noqa: S101 - as above
        guest, source, there = self.guests[step.guest], self.hosts[step.source], self.hosts[step.destination]
        if self.at[guest.name] != source.name or guest.name in self.arriving or guest.name in self.stopped or source is there:
            yield _broken(InvariantId.PLACEMENT, f"guest {guest.name}", step, when)
        if source.pool != there.pool:
            yield _broken(InvariantId.POOL, step.id, step, when)
        if not _admits(guest, there.name):
            yield _broken(InvariantId.ALLOWED, step.id, step, when)
        if not guest.migratable:
            yield _broken(InvariantId.MIGRATABLE, f"guest {guest.name}", step, when)
        if source.state not in SERVING or there.name in self.away:
            yield _broken(InvariantId.LANDING, step.id, step, when)
        if self.progress[source.name] == [] and self._is_upgraded_in_plan(source.name):
            yield _broken(InvariantId.CORDONED, f"host {source.name}", step, when)
        if there.name in self.busy:
            yield _broken(InvariantId.DRAINED, f"host {there.name}", self.busy[there.name], when)
        hop = self.classes.hop(self.kind[guest.name], self._class_of(source.name), self._class_of(there.name))
        if not hop.allowed or hop.verdict.value != step.verdict:
            yield _broken(InvariantId.VERDICT, f"guest {guest.name}", step, when)
        self.kind[guest.name] = hop.after
        if not copy_ends(guest, source, there, self.fleet.policy.converge):
            yield _broken(InvariantId.CONVERGES, f"guest {guest.name}", step, when)
        yield from self._meets(guest, there, step, when)
        self.arriving[guest.name] = there.name
        self.sending[source.name] += 1
        self.receiving[there.name] += 1
        yield from self._has_room(there, step, when)
        if max(self.sending[source.name], self.receiving[there.name]) > self.fleet.policy.streams:
            yield _broken(InvariantId.STREAMS, f"host {there.name}", step, when)

    def _host_step_starts(self, step: Step, host: HostName, when: int) -> Iterator[Violation]:
        if self.progress[host] != list(SEQUENCE[: SEQUENCE.index(step.kind)]):
            yield _broken(InvariantId.CORDONED, f"host {host}", step, when)
        if step.kind is StepKind.CORDON:
            for guest in [guest for guest, there in self.arriving.items() if there == host]:
                yield _broken(InvariantId.LANDING, f"guest {guest}", step, when)
            newly = host not in self.away
            self.away.add(host)
            if newly:
                yield from self._too_many_away(host, step, when)
            if self.fleet.goes_last(self.hosts[host]) and self._others_are_left():
                yield _broken(InvariantId.LAST, f"host {host}", step, when)
        if step.kind is StepKind.UPGRADE:
            self.busy[host] = step
            if any(resident.name not in self.stopped for resident in self._present(host)):
                yield _broken(InvariantId.DRAINED, f"host {host}", step, when)
            if any(other.kind is StepKind.PIN and other.host == host for other in self.acting.values()):
                yield _broken(InvariantId.PINS, f"host {host}", step, when)

    def _guest_step_starts(self, step: Step, guest: GuestName, host: HostName, when: int) -> Iterator[Violation]:
        if self.at[guest] != host or guest in self.arriving:
            yield _broken(InvariantId.PLACEMENT, f"guest {guest}", step, when)
        if step.kind is StepKind.STOP:
            pins = {pin.guest for pin in self.plan.pins}
            may = self.fleet.policy.immovable is Immovable.RESTART or guest in pins
            if not (self.guests[guest].restartable and may):
                yield _broken(InvariantId.RESTARTABLE, f"guest {guest}", step, when)
            if guest in self.stopped:
                yield _broken(InvariantId.RUNNING, f"guest {guest}", step, when)
        elif step.kind is StepKind.START:
            yield from self._boots(step, guest, host, when)
        elif host in self.busy:
            yield _broken(InvariantId.PINS, f"guest {guest}", step, when)

    def _boots(self, step: Step, guest: GuestName, host: HostName, when: int) -> Iterator[Violation]:
        if guest not in self.stopped:
            yield _broken(InvariantId.RUNNING, f"guest {guest}", step, when)
        begun = StepKind.UPGRADE in self.progress[host] or host in self.busy
        if begun and self.progress[host] != list(SEQUENCE):
            yield _broken(InvariantId.RUNNING, f"guest {guest}", step, when)
        if host in self.busy:
            yield _broken(InvariantId.DRAINED, f"host {host}", self.busy[host], when)
        self.stopped.pop(guest, None)
        pin = self.pinned.get(guest)
        self.counted.add((step.id, guest, pin))
        booted = self.classes.cold_boot(self.kind[guest], self._class_of(host), pin) if pin is None or pin in VERSIONS else None
        if booted is None:
            yield _broken(InvariantId.PINS, f"guest {guest}", step, when)
            return
        self.kind[guest] = booted
        most = self.guests[guest].psci_max
        if most is not None and self.classes.newest_psci(booted) > psci_value(most):
            yield _broken(InvariantId.PSCI_MAX, f"guest {guest}", step, when)

    def _others_are_left(self) -> bool:
        """Whether any host that does not go last is still to be uncordoned by the plan."""
        return any(
            step.kind is StepKind.UNCORDON
            and step.host is not None
            and StepKind.UNCORDON not in self.progress[step.host]
            and not self.fleet.goes_last(self.hosts[step.host])
            for wave in self.plan.waves
            for step in wave.steps
        )

    def _too_many_disrupted(self, name: GuestName, step: Step, when: int) -> Iterator[Violation]:
        """Members that migrate, or are stopped, stopping or starting, the guest with this name included."""
        group = self.fleet.groups.get(self.guests[name].group or GroupName(""))
        if group is None or group.max_disrupted is None:
            return
        members = [guest.name for guest in self.guests.values() if guest.group == group.name]
        disrupted = sum(self._is_disrupted(member) for member in members)
        if disrupted > group.max_disrupted.of(len(members)):
            yield _broken(InvariantId.DISRUPTED, f"group {group.name}", step, when)

    def _is_disrupted(self, name: GuestName) -> bool:
        acting = self.acting.get(name)
        return name in self.stopped or (acting is not None and acting.kind is not StepKind.PIN)

    # --- ends ---------------------------------------------------------------------------------------------------------------------

    def _ends(self, step: Step, when: int) -> Iterator[Violation]:
        if step.guest is not None:
            self.acting.pop(step.guest, None)
        if step.kind is StepKind.MIGRATE and step.guest is not None and step.source is not None and step.destination is not None:
            self.arriving.pop(step.guest, None)
            self.at[step.guest] = step.destination
            self.lives[step.guest].append((self.wave[step.id], step.destination, self.kind[step.guest]))
            self.sending[step.source] -= 1
            self.receiving[step.destination] -= 1
        elif step.kind in SEQUENCE and step.host is not None:
            self.progress[step.host].append(step.kind)
            if step.kind is StepKind.UPGRADE:
                self.done.add(step.host)
                self.upgraded_in[step.host] = self.wave[step.id]
            elif step.kind is StepKind.CHECK:
                self.busy.pop(step.host, None)
            elif step.kind is StepKind.UNCORDON:
                self.away.discard(step.host)
        elif step.guest is not None:
            yield from self._guest_step_ends(step, step.guest, when)

    def _guest_step_ends(self, step: Step, guest: GuestName, when: int) -> Iterator[Violation]:
        if step.kind is StepKind.STOP:
            self.stopped[guest] = step
        elif step.kind is StepKind.START and step.host is not None:
            self.lives[guest].append((self.wave[step.id], step.host, self.kind[guest]))
        elif step.kind is StepKind.PIN:
            listed = {pin.guest: pin.psci for pin in self.plan.pins}
            if guest not in listed:
                yield _broken(InvariantId.PINS, f"guest {guest}", step, when)
            else:
                self.pinned[guest] = listed[guest]

    def _final(self) -> Iterator[Violation]:
        may_skip = self.fleet.policy.immovable is Immovable.SKIP
        for stranger in set(self.plan.later) - self.hosts.keys():
            yield _broken(InvariantId.UPGRADED, f"host {stranger}", None, 0)
        for host in self.fleet.hosts:
            needed = host.release != self.fleet.target and host.state in SERVING
            later = host.name in self.plan.later
            if later and (not needed or host.name in self.done or host.name in self.plan.skipped):
                yield _broken(InvariantId.UPGRADED, f"host {host.name}", None, 0)
            if needed and host.name not in self.done and not later and not (may_skip and host.name in self.plan.skipped):
                yield _broken(InvariantId.UPGRADED, f"host {host.name}", None, 0)
            touched = bool(self.progress[host.name])
            if touched and (not needed or host.name in self.plan.skipped):
                yield _broken(InvariantId.UPGRADED, f"host {host.name}", None, 0)
            if touched and self.progress[host.name] != list(SEQUENCE):
                yield _broken(InvariantId.CORDONED, f"host {host.name}", None, 0)
        for guest, stop in self.stopped.items():
            yield _broken(InvariantId.RUNNING, f"guest {guest}", stop, 0)
        if len({pin.guest for pin in self.plan.pins}) < len(self.plan.pins):
            yield _broken(InvariantId.PINS, "plan", None, 0)
        yield from self._no_return()
        yield from self._parted()
        for pin in self.plan.pins:
            if (pin.effective, pin.guest, pin.psci) not in self.counted:
                yield _broken(InvariantId.PINS, f"guest {pin.guest}", None, 0)

    def _parted(self) -> Iterator[Violation]:
        """Members of a group kept together that shared a place at the start and do not after a wave."""
        for name, group in self.fleet.groups.items():
            if group.together is None:
                continue
            clusters: dict[str, list[GuestName]] = {}
            for guest in self.fleet.guests:
                if guest.group == name:
                    clusters.setdefault(_place(self.hosts[guest.on], group.together), []).append(guest.name)
            for members in clusters.values():
                for wave in range(1, len(self.plan.waves) + 1):
                    where = [[on for number, on, _ in self.lives[member] if number <= wave][-1] for member in members]
                    if len({_place(self.hosts[on], group.together) for on in where}) > 1:
                        yield _broken(InvariantId.TOGETHER, f"group {name}", None, 0)

    def _no_return(self) -> Iterator[Violation]:
        """Guests that cannot go back, after each wave, and what the plan says of it."""
        old = self._old_release()
        if self.plan.back_to != old:
            yield _broken(InvariantId.CLAIMS, "way back", None, 0)
        for wave in range(len(self.plan.waves) + 1):
            claimed = {name for point in self.plan.points_of_no_return if point.closed_after(wave) for name in point.guests}
            closed = {name for name in self.guests if old is not None and self._is_closed(name, wave, old)}
            for name in claimed ^ closed:
                yield _broken(InvariantId.CLAIMS, f"guest {name}", None, 0)
        births = {(birth.wave, birth.pool, birth.like, birth.hosts, birth.pin) for birth in self.plan.closed_births}
        if births != (set() if old is None else set(self._closed_births(old))):
            yield _broken(InvariantId.CLAIMS, "births", None, 0)

    def _closed_births(self, old: Release) -> Iterator[tuple[int, str, HostName, int, str | None]]:
        """Of each pool, the kinds of hosts on the target on which a plain guest could be born and not move back."""
        last = len(self.plan.waves)
        there = [host for host in self.fleet.hosts if host.state in SERVING and self._has_been_upgraded(host, last)]
        kinds: dict[tuple[str, int], list[Host]] = {}
        for host in there:
            kinds.setdefault((host.pool, self.classes.hosts_then[self.number[host.name]]), []).append(host)
        for (pool, kind), hosts in kinds.items():
            takers = {host.name for host in self.fleet.hosts if host.pool == pool and self._could_take(host, last, old)}
            pins = (None, *PINS) if any(takers - {host.name} for host in hosts) else ()
            ways = [psci for psci in pins if self._birth_returns(pool, kind, psci, old)]
            if self.classes.birth(kind) is not None and None not in ways:
                wave = min(self.upgraded_in.get(host.name, 0) for host in hosts)
                yield wave, pool, min(host.name for host in hosts), len(hosts), ways[0] if ways else None

    def _birth_returns(self, pool: str, kind: int, psci: str | None, old: Release) -> bool:
        born = self.classes.birth(kind, psci)
        on_old = zip(self.fleet.hosts, self.classes.hosts_on(old), strict=True)
        goals = {goal for host, goal in on_old if host.pool == pool and host.state in SERVING}
        return born is not None and any(self.classes.hop(born, kind, goal).allowed for goal in goals)

    def _old_release(self) -> Release | None:
        """What most of the upgraded hosts had before; of several such releases, that of the first host."""
        upgraded = [host for host in self.fleet.hosts if StepKind.UPGRADE in self.progress[host.name]]
        had = Counter(host.release for host in upgraded)
        return max(had, key=had.__getitem__, default=None)

    def _is_closed(self, name: GuestName, wave: int, old: Release) -> bool:
        """Whether a guest is on the target release after a wave, and neither a hop nor a restart in place takes it back."""
        guest, (_, on, kind) = self.guests[name], [life for life in self.lives[name] if life[0] <= wave][-1]
        here, table = self.hosts[on], self.classes
        if not self._has_been_upgraded(here, wave) or here.state not in SERVING:
            return False
        on_old = dict(zip(self.number, table.hosts_on(old), strict=True))
        restarts = guest.restartable and self.fleet.policy.immovable is Immovable.RESTART and table.restarts(kind, on_old[on])
        takers = [host.name for host in self.fleet.hosts if host.pool == here.pool and self._could_take(host, wave, old)]
        then = table.hosts_then[self.number[on]]
        others = [host for host in self.fleet.hosts if host.pool == here.pool and host.state in SERVING]
        moves = guest.migratable and any(copy_ends(guest, here, host, self.fleet.policy.converge) for host in others)
        hops = takers != [on] and any(table.hop(kind, then, on_old[name]).allowed for name in takers)
        return not restarts and not (moves and hops)

    def _could_take(self, host: Host, wave: int, old: Release) -> bool:
        """Whether a host lives, and is not cordoned on the old release after a wave."""
        shut = host.state is HostState.CORDONED and host.release == old and not self._has_been_upgraded(host, wave)
        return host.state in SERVING and not shut

    def _has_been_upgraded(self, host: Host, wave: int) -> bool:
        number = self.upgraded_in.get(host.name)
        return host.release == self.fleet.target or (number is not None and number <= wave)

    # --- looks --------------------------------------------------------------------------------------------------------------------

    def _is_upgraded_in_plan(self, host: HostName) -> bool:
        return any(host in wave.hosts for wave in self.plan.waves)

    def _class_of(self, host: HostName) -> int:
        number = self.number[host]
        return self.classes.hosts_then[number] if host in self.done else self.classes.hosts_now[number]

    def _present(self, host: HostName) -> list[Guest]:
        """Guests that take room on a host: those there, leaving ones included, and those arriving."""
        return [guest for name, guest in self.guests.items() if self.at[name] == host or self.arriving.get(name) == host]

    def _has_room(self, host: Host, step: Step, when: int) -> Iterator[Violation]:
        policy = self.fleet.policy
        present = self._present(host.name)
        used = [sum(guest.vcpus for guest in present), sum(guest.memory_mib for guest in present)]
        room = [host.vcpus * policy.overcommit_vcpus_per_mille // 1000, host.memory_mib * policy.overcommit_memory_per_mille // 1000]
        reserved = host.reserved_mib
        for size in self.page_sizes if reserved is not None else ():
            used.append(sum(guest.memory_mib for guest in present if guest.equipment.hugepages_kib == size))
            room.append(_pages_mib(host.memory_mib, reserved or {}, size, policy.overcommit_memory_per_mille))
        keep = 1000 - policy.reserve_per_mille
        if any(need > there for need, there in zip(used, room, strict=True)):
            yield _broken(InvariantId.CAPACITY, f"host {host.name}", step, when)
        if policy.reserve_per_mille and any(need > there * keep // 1000 for need, there in zip(used, room, strict=True)):
            yield _broken(InvariantId.RESERVE, f"host {host.name}", step, when)

    def _meets(self, guest: Guest, there: Host, step: Step, when: int) -> Iterator[Violation]:
        group = self.fleet.groups.get(guest.group) if guest.group is not None else None
        if group is None or group.apart is None:
            return
        place = _place(there, group.apart)
        if _place(self.hosts[self.at[guest.name]], group.apart) == place:
            return
        for name, other in self.guests.items():
            if other.group == guest.group and name != guest.name:
                places = [_place(self.hosts[host], group.apart) for host in (self.at[name], self.arriving.get(name)) if host is not None]
                if place in places:
                    yield _broken(InvariantId.APART, f"group {group.name}", step, when)

    def _too_many_away(self, host: HostName, step: Step, when: int) -> Iterator[Violation]:
        record, limits = self.hosts[host], self.fleet.policy.max_unavailable
        for scope, limit in (("fleet", limits.fleet), ("zone", limits.zone), ("rack", limits.rack)):
            if limit is not None:
                peers = [other for other in self.fleet.hosts if scope == "fleet" or getattr(other, scope) == getattr(record, scope)]
                if sum(peer.name in self.away for peer in peers) > limit.of(len(peers)):
                    yield _broken(InvariantId.UNAVAILABLE, f"{scope}", step, when)


def _order(event: tuple[int, int, int, Step]) -> tuple[int, int, int, int]:
    """Ends of steps that took time; then starts, each with its end if it takes none, in the order of the plan."""
    when, kind, place, step = event
    ended = kind != STARTS and step.duration_s > 0
    return (when, 0 if ended else 1, place, kind)


def _pages_mib(memory_mib: int, reserved_mib: Mapping[int, int], size: int | None, overcommit_per_mille: int) -> int:
    """What there is in pages of a size; of the rest of the memory (None) with overcommit."""
    if size is not None:
        return reserved_mib.get(size, 0)
    return max(memory_mib - sum(reserved_mib.values()), 0) * overcommit_per_mille // 1000


def _place(host: Host, scope: Scope) -> str:
    return {Scope.HOST: host.name, Scope.RACK: host.rack, Scope.ZONE: host.zone}[scope]


def _admits(guest: Guest, host: HostName) -> bool:
    wanted = not guest.allow or any(fnmatchcase(host, pattern) for pattern in guest.allow)
    return wanted and not any(fnmatchcase(host, pattern) for pattern in guest.deny)


def _broken(invariant: InvariantId, subject: str, step: Step | None, when: int) -> Violation:
    return Violation(invariant=invariant, subject=subject, at_s=when, steps=() if step is None else (step.id,))

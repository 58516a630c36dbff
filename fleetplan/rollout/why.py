"""Why a plan does with a host or a guest what it does: its moves, its wave, its time; each as a path with a reason at every link."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec
import numpy as np

from fleetplan.fleet.model import Fleet, GuestName, HostName, HostState
from fleetplan.migration.classes import ClassTable
from fleetplan.rollout.columns import KIND_CODE, STATE_CODE, Numbers, Places, fleet_columns
from fleetplan.rollout.plan import Plan, StepId, StepKind
from fleetplan.rollout.waits import Stretch, Waits


class Because(StrEnum):
    """Why a host is in no earlier wave."""

    FIRST = "first"
    """It is in the first."""
    LANDING = "landing"
    """Its guests land on a host of the wave before."""
    SEEDED = "seeded"
    """A seed brings it guests in an earlier wave: it makes room for the first host of its pool."""
    SLOTS = "slots"
    """The wave before has as many hosts of a place as that has slots."""
    CANARY = "canary"
    """A gate lets no more hosts into the wave before."""
    ROOM = "room"
    """Once those of the wave before had landed, upgraded hosts of its pool had no room for its guests."""
    TURN = "turn"
    """Nothing forbids it: other hosts made more room, or take longer, and went before it."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A host in its wave, and why it is not in the waves from `since` to the one before its own (the same if it is in the first).

    `on` is the host that it waits for: where its guests land, or that sends it guests. `facts` are named as those of a cause.
    """

    host: HostName
    wave: int
    since: int
    because: Because
    on: HostName | None = None
    guests: tuple[GuestName, ...] = ()
    facts: Mapping[str, str] = {}


class MoveWhy(StrEnum):
    """Why a guest moves."""

    DRAIN = "drain"
    """Its host is upgraded; it lands on an upgraded host and stays."""
    SEED = "seed"
    """Its host is upgraded first, and it lands on an old host: there was no upgraded room for it."""
    AGAIN = "again"
    """A seed brought it to this host, which is upgraded now."""


class MoveStory(msgspec.Struct, frozen=True, kw_only=True):
    """One move of a guest. For a seed, what upgraded hosts of the pool had free when its wave began, and what the host's guests need."""

    step: StepId
    wave: int
    source: HostName
    destination: HostName
    start_s: int
    why: MoveWhy
    facts: Mapping[str, str] = {}


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan does with one guest or host, and why.

    `chain` is the path in the step graph that its (last) cordon or move ends; `waves` the path in the host graph from its wave down to the
    first. `skipped`: why its host is not upgraded. `restart`: the step that stops it in place.
    """

    host: HostName
    guest: GuestName | None = None
    wave: int = 0
    skipped: str | None = None
    moves: tuple[MoveStory, ...] = ()
    restart: StepId | None = None
    waves: tuple[Place, ...] = ()
    chain: tuple[Stretch, ...] = ()
    last: bool = False


class Why:
    """Answers about one plan. The judge must have passed it: a chain of waits has an end then. O(steps) a question, in numpy steps."""

    def __init__(self, fleet: Fleet, classes: ClassTable, plan: Plan) -> None:
        self.fleet, self.plan = fleet, plan
        self.waits = Waits(fleet, plan)
        self._columns = fleet_columns(fleet, classes)
        steps = self.waits.steps
        upgrades = np.flatnonzero(steps.kind == KIND_CODE[StepKind.UPGRADE])
        self._wave: Places = np.zeros(len(fleet.hosts), np.int32)
        self._wave[steps.host[upgrades]] = steps.wave[upgrades]

    # --- questions ----------------------------------------------------------------------------------------------------------------

    def host(self, host: int) -> Story:
        """Why a host is in its wave, and goes when it goes."""
        name, wave = self.fleet.hosts[host].name, int(self._wave[host])
        if not wave:
            return Story(host=name, skipped=self.plan.skipped.get(name))
        cordon, uncordon = self._step_of(StepKind.CORDON, host), self._step_of(StepKind.UNCORDON, host)
        steps = self.waits.steps
        ends = steps.end_s[steps.kind == KIND_CODE[StepKind.UNCORDON]]
        last = bool(steps.end_s[uncordon] == ends.max())
        return Story(host=name, wave=wave, waves=self._waves(host), chain=self.waits.stretches(cordon), last=last)

    def guest(self, guest: int) -> Story:
        """Why a guest moves, how often, and when."""
        steps = self.waits.steps
        own = np.flatnonzero(steps.guest == guest)
        moves = own[steps.kind[own] == KIND_CODE[StepKind.MIGRATE]]
        stops = own[steps.kind[own] == KIND_CODE[StepKind.STOP]]
        host = int(self._columns.guests.on[guest])
        name, wave = self.fleet.hosts[host].name, int(self._wave[host])
        last = moves[-1] if len(moves) else stops[-1] if len(stops) else None
        return Story(
            host=name,
            guest=self.fleet.guests[guest].name,
            wave=wave,
            skipped=self.plan.skipped.get(name),
            moves=tuple(self._move(int(step)) for step in moves),
            restart=steps.id(int(stops[0])) if len(stops) else None,
            chain=self.waits.stretches(int(last)) if last is not None else (),
        )

    def _step_of(self, kind: StepKind, host: int) -> int:
        steps = self.waits.steps
        return int(np.flatnonzero((steps.kind == KIND_CODE[kind]) & (steps.host == host))[0])

    # --- moves --------------------------------------------------------------------------------------------------------------------

    def _move(self, step: int) -> MoveStory:
        steps, names = self.waits.steps, self.waits.host_names
        source, goal, wave = int(steps.source[step]), int(steps.destination[step]), int(steps.wave[step])
        seed = self._wave[goal] >= wave
        again = not seed and source != self._columns.guests.on[steps.guest[step]]
        return MoveStory(
            step=steps.id(step),
            wave=wave,
            source=names[source],
            destination=names[goal],
            start_s=int(steps.start_s[step]),
            why=MoveWhy.SEED if seed else MoveWhy.AGAIN if again else MoveWhy.DRAIN,
            facts=self._room_facts(source, wave) if seed else {},
        )

    # --- waves --------------------------------------------------------------------------------------------------------------------

    def _waves(self, host: int) -> tuple[Place, ...]:
        """From a host's wave down to the first, one place for each host and reason; ends where nothing forbids an earlier wave."""
        path: list[Place] = []
        wave = int(self._wave[host])
        while True:
            place, before = self._place(host, wave)
            merged = path and path[-1].host == place.host and path[-1].because is place.because and place.on is None
            if merged:
                path[-1] = msgspec.structs.replace(path[-1], since=place.since)
            else:
                path.append(place)
            if place.because in {Because.FIRST, Because.TURN}:
                return tuple(path[:-1] if place.because is Because.FIRST and len(path) > 1 and path[-2].host == place.host else path)
            host, wave = before, wave - 1

    def _place(self, host: int, wave: int) -> tuple[Place, int]:
        """Why a host is in a wave and not in the one before; and which host to ask about next."""
        name, names = self.fleet.hosts[host].name, self.waits.host_names
        if wave == 1:
            return Place(host=name, wave=1, since=1, because=Because.FIRST), host
        for because, (other, guests) in (
            (Because.LANDING, self._between(host, wave, leaving=True)),
            (Because.SEEDED, self._between(host, wave, leaving=False)),
        ):
            if guests:
                return Place(host=name, wave=wave, since=wave - 1, because=because, on=names[other], guests=guests), other
        found = self._slots(host, wave - 1) or self._canary(wave - 1) or self._no_room(host, wave - 1) or (Because.TURN, {})
        return Place(host=name, wave=wave, since=wave - 1, because=found[0], facts=found[1]), host

    def _between(self, host: int, wave: int, *, leaving: bool) -> tuple[int, tuple[GuestName, ...]]:
        """The host of the wave before that takes most of this one's guests (or sends it some, in that wave), and those guests."""
        steps, moves = self.waits.steps, self.waits.moves
        mine, theirs = (steps.source, steps.destination) if leaving else (steps.destination, steps.source)
        own = moves[mine[moves] == host]
        other = theirs[own]
        some = self._wave[other] == wave - 1
        own, other = own[some], other[some]
        if not leaving:
            own, other = own[steps.wave[own] == wave - 1], other[steps.wave[own] == wave - 1]
        if not len(own):
            return host, ()
        most = int(np.bincount(other).argmax())
        return most, tuple(steps.guest_names[guest] for guest in steps.guest[own[other == most]].tolist())

    def _slots(self, host: int, wave: int) -> tuple[Because, Mapping[str, str]] | None:
        """A place whose slots the hosts of a wave use up."""
        hosts, limits = self._columns.hosts, self.fleet.policy.max_unavailable
        if hosts.state[host] == STATE_CODE[HostState.CORDONED]:
            return None
        whole = np.zeros(len(hosts.names), np.int32)
        scopes = (
            ("fleet", limits.fleet, whole, ("",)),
            ("zone", limits.zone, hosts.zone, hosts.zone_names),
            ("rack", limits.rack, hosts.rack, hosts.rack_names),
        )
        dead = (hosts.state != STATE_CODE[HostState.UP]) & (self._wave == 0)
        for scope, share, place, names in scopes:
            inside = place == place[host]
            if share is None:
                continue
            slots = share.of(int(inside.sum())) - int((inside & dead).sum())
            taken = int((inside & (self._wave == wave)).sum())
            if taken >= slots:
                return Because.SLOTS, {"place": f"{scope} {names[place[host]]}".strip(), "slots": str(slots), "hosts": str(taken)}
        return None

    def _canary(self, wave: int) -> tuple[Because, Mapping[str, str]] | None:
        limits = [rule.hosts for rule in self.fleet.policy.gates if rule.hosts and (rule.after is None or wave <= rule.after)]
        taken = int((self._wave == wave).sum())
        return (Because.CANARY, {"hosts": str(min(limits))}) if limits and taken >= min(limits) else None

    def _no_room(self, host: int, wave: int) -> tuple[Because, Mapping[str, str]] | None:
        facts = self._room_facts(host, wave, landed=True)
        short = any(int(facts[f"needs_{what}"]) > int(facts[f"free_{what}"]) for what in ("vcpus", "memory_mib"))
        return (Because.ROOM, facts) if short else None

    def _room_facts(self, host: int, wave: int, *, landed: bool = False) -> dict[str, str]:
        """What the movers of a host need, and what upgraded hosts of its pool have free when a wave begins, or once it `landed`."""
        hosts, guests, steps = self._columns.hosts, self._columns.guests, self.waits.steps
        moves = self.waits.moves
        leaves = steps.guest[moves[(steps.source[moves] == host) & (steps.wave[moves] == self._wave[host])]]
        before = moves[steps.wave[moves] < wave + landed]
        at = guests.on.copy()
        at[steps.guest[before]] = steps.destination[before]
        up = (hosts.state == STATE_CODE[HostState.UP]) | (self._wave > 0)
        opened = np.where(self._wave > 0, self._wave < wave, hosts.on_target & up) & (hosts.pool == hosts.pool[host])
        there = np.flatnonzero(opened)
        used = np.stack([np.bincount(at, guests.size[:, each], len(opened)) for each in (0, 1)], axis=1).astype(np.int64)
        free = np.maximum(self._room()[there] - used[there], 0).sum(axis=0)
        needs = guests.size[leaves].sum(axis=0)
        return {
            "pool": hosts.pool_names[hosts.pool[host]],
            "upgraded_hosts": str(len(there)),
            "free_vcpus": str(free[0]),
            "free_memory_mib": str(free[1]),
            "needs_vcpus": str(needs[0]),
            "needs_memory_mib": str(needs[1]),
        }

    def _room(self) -> Numbers:
        """What landings may take of each host."""
        policy = self.fleet.policy
        overcommit = np.array([policy.overcommit_vcpus_per_mille, policy.overcommit_memory_per_mille])
        room: Numbers = self._columns.hosts.size * overcommit // 1000 * (1000 - policy.reserve_per_mille) // 1000
        return room

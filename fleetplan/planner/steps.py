"""The steps of a plan, in columns, and what each waits for.

`after` carries every dependency that safety needs: slots are handed over from uncordon to cordon, streams are chains, who lands waits for
the uncordon of the landing place, a gate waits for all before it and all after it wait for the gate. So steps may take what they will.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fleetplan.fleet.policy import GateRule
from fleetplan.planner.clock import Times, meetings, wave_of
from fleetplan.planner.grouping import Runs, distinct, rank_within, spans
from fleetplan.planner.legs import Legs
from fleetplan.planner.pins import Boots
from fleetplan.planner.problem import Problem
from fleetplan.planner.waves import WaveChoice
from fleetplan.rollout.columns import KIND_CODE, NO_VERDICT, NONE, Codes, Flags, Ints, Numbers, Places, StepColumns
from fleetplan.rollout.durations import CHECK_S, PIN_S, START_S, STOP_S, UNCORDON_S
from fleetplan.rollout.plan import Pin, StepId, StepKind


def gates_after(problem: Problem, waves: int) -> dict[int, list[GateRule]]:
    """The rules of the gate after each wave that has one."""
    rules = problem.fleet.policy.gates
    found = {number: [rule for rule in rules if rule.after in {None, number}] for number in range(1, waves)}
    return {number: those for number, those in found.items() if those}


def soak_s(rules: list[GateRule]) -> int:
    """How long a gate lasts."""
    return max(rule.soak_s for rule in rules)


def tail_s(problem: Problem, boots: Boots) -> Numbers:
    """For each host, how long its guests that stay take to stop, and to get their pins."""
    tail = np.zeros(len(problem.hosts.names), np.int64)
    hosts = problem.guests.on[boots.guests]
    tail[hosts] = STOP_S
    if len(hosts):
        tail[hosts[boots.pinned(boots.boot)]] = STOP_S + PIN_S
    return tail


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Where steps stand: of each host its cordon and its upgrade (check and uncordon follow), of each move and restart its own."""

    hosts: Places
    """Those of all waves, in order."""
    cordon: Numbers
    upgrade: Numbers
    move: Numbers
    stop: Numbers
    pin: Numbers
    """Of each restart its pin, or where its stop is if it has none."""
    start: Numbers
    gate: dict[int, int]
    end_of_wave: list[int]
    in_place: Numbers
    """Of each guest that boots in place its stop; pin and start follow."""


class Layout:
    """The steps in the making."""

    def __init__(self, problem: Problem, waves: list[WaveChoice], legs: Legs, times: Times, boots: Boots) -> None:
        self._problem, self._waves, self._legs, self._times, self._boots = problem, waves, legs, times, boots
        self._wave = wave_of(waves, len(problem.hosts.names))
        self._gates = gates_after(problem, len(waves))
        self._restart_host = problem.guests.on[boots.guests]
        self._pinned: Flags = boots.pinned(boots.boot) if len(boots.guests) else np.zeros(0, np.bool_)
        self._notes: dict[int, str] = {}
        self._at = self._places()

    def columns(self) -> StepColumns:
        """All steps. O(steps log steps)."""
        at, problem = self._at, self._problem
        total = at.end_of_wave[-1] if at.end_of_wave else 0
        made = _Columns.of(total)
        hosts, opens = at.hosts, self._times.open_s[at.hosts] - UNCORDON_S
        reboot = problem.hosts.reboot_s[hosts]
        wave = self._wave[hosts]
        made.put(at.cordon[hosts], StepKind.CORDON, wave, self._times.cordon_s[hosts], 0, host=hosts)
        made.put(at.upgrade[hosts], StepKind.UPGRADE, wave, opens - CHECK_S - reboot, reboot, host=hosts)
        made.put(at.upgrade[hosts] + 1, StepKind.CHECK, wave, opens - CHECK_S, CHECK_S, host=hosts)
        made.put(at.upgrade[hosts] + 2, StepKind.UNCORDON, wave, opens, UNCORDON_S, host=hosts)
        self._put_moves(made)
        self._put_boots(made)
        for number, place in at.gate.items():
            begins, ends = self._times.gate_s[number]
            made.put(np.array([place]), StepKind.GATE, number, begins, ends - begins)
            self._notes[place] = _gate_note(self._gates[number])
        after_at, after = self._after(total)
        return StepColumns(
            **{name: getattr(made, name) for name in _Columns.__slots__},
            after_at=after_at,
            after=after,
            notes=dict(sorted(self._notes.items())),
            host_names=problem.hosts.names,
            guest_names=problem.guests.names,
        )

    def wave_spans(self) -> list[tuple[int, int]]:
        """Of each wave its first step, and the first that is not its own."""
        ends = self._at.end_of_wave
        return list(pairwise([0, *ends]))

    def wave_hosts(self) -> list[Places]:
        """Of each wave its hosts, in the order in which they are cordoned."""
        hosts = self._at.hosts
        ends = np.searchsorted(self._wave[hosts], np.arange(1, len(self._waves) + 1), "right")
        return np.split(hosts, ends[:-1]) if len(ends) else []

    def pins(self) -> tuple[Pin, ...]:
        """Every pin, with the step from which it counts."""
        boots, names = self._boots, self._problem.guests.names
        found = [(guest, boot, 1) for guest, boot in zip(boots.in_place.tolist(), boots.boot_in_place.tolist(), strict=True)]
        some = np.flatnonzero(self._pinned)
        order = some[np.argsort(self._at.start[some], kind="stable")]
        found += [(int(boots.guests[place]), int(boots.boot[place]), int(self._wave[self._restart_host[place]])) for place in order]
        return tuple(
            Pin(
                guest=names[guest],
                psci=boots.boots[boot].pin or "",
                effective=StepId(f"w{wave}-{StepKind.START.value}-{names[guest]}"),
                reason=boots.boots[boot].reason,
                cost=boots.boots[boot].cost,
                without=boots.boots[boot].without,
                breaks=boots.boots[boot].breaks,
            )
            for guest, boot, wave in found
        )

    # --- where steps stand --------------------------------------------------------------------------------------------------------

    def _places(self) -> _Places:
        problem, legs, times = self._problem, self._legs, self._times
        count = len(problem.hosts.names)
        upgraded = np.flatnonzero(self._wave)
        hosts = upgraded[np.lexsort((times.turn[upgraded], self._wave[upgraded]))].astype(np.int32)
        moves = np.bincount(legs.source[legs.of_move], minlength=count)
        stops = np.bincount(self._restart_host, minlength=count)
        pins = np.bincount(self._restart_host[self._pinned], minlength=count)
        length = 4 + moves + 2 * stops + pins
        in_place = 3 * len(self._boots.in_place)
        gates_before = np.cumsum([0, *(number in self._gates for number in range(1, len(self._waves) + 1))])
        ends = np.cumsum(length[hosts])
        cordon = np.zeros(count, np.int64)
        cordon[hosts] = ends - length[hosts] + in_place + gates_before[self._wave[hosts] - 1]
        last = np.searchsorted(self._wave[hosts], np.arange(1, len(self._waves) + 1), "right")
        wave_ends = np.concatenate(([0], ends))[last] + in_place + gates_before[1:]
        upgrade = cordon + 1 + moves + stops + pins
        rank = rank_within(self._restart_host)
        stop = cordon[self._restart_host] + 1 + moves[self._restart_host] + rank
        pin = stop.copy()
        pinned_host = self._restart_host[self._pinned]
        pin[self._pinned] = cordon[pinned_host] + 1 + moves[pinned_host] + stops[pinned_host] + rank_within(pinned_host)
        return _Places(
            hosts=hosts,
            cordon=cordon,
            upgrade=upgrade,
            move=self._move_places(cordon),
            stop=stop,
            pin=pin,
            start=upgrade[self._restart_host] + 3 + rank,
            gate={number: int(wave_ends[number - 1]) - 1 for number in self._gates},
            end_of_wave=wave_ends.tolist(),
            in_place=np.arange(len(self._boots.in_place)) * 3,
        )

    def _move_places(self, cordon: Numbers) -> Numbers:
        """The moves of a host stand in the order of their legs' start."""
        legs = self._legs
        order = np.lexsort((self._times.leg_start_s, legs.source))
        count = np.diff(legs.first)[order]
        source = legs.source[order]
        before = np.cumsum(count) - count
        new = np.concatenate(([True], source[1:] != source[:-1])) if len(source) else np.zeros(0, np.bool_)
        base = np.repeat(before[new], np.diff(np.append(np.flatnonzero(new), len(source))))
        place = np.empty(len(legs.guest), np.int64)
        place[spans(legs.first[order], count)] = np.repeat(cordon[source] + 1 + before - base, count) + (
            np.arange(len(place)) - np.repeat(before, count)
        )
        return place

    # --- steps of guests ----------------------------------------------------------------------------------------------------------

    def _put_moves(self, made: _Columns) -> None:
        legs, leg = self._legs, self._legs.of_move
        totals = np.cumsum(legs.copy_s) - legs.copy_s
        begins = self._times.leg_start_s[leg] + totals - totals[legs.first[leg]] if len(leg) else totals
        place = self._at.move
        made.put(place, StepKind.MIGRATE, legs.wave[leg], begins, legs.copy_s, guest=legs.guest)
        made.source[place], made.destination[place], made.verdict[place] = legs.source[leg], legs.goal[leg], legs.verdict

    def _put_boots(self, made: _Columns) -> None:
        at, boots, host = self._at, self._boots, self._restart_host
        wave, drained, opens = self._wave[host], self._times.drained_s[host], self._times.open_s[host]
        made.put(at.stop, StepKind.STOP, wave, drained, STOP_S, host=host, guest=boots.guests)
        made.put(at.start, StepKind.START, wave, opens, START_S, host=host, guest=boots.guests)
        some = np.flatnonzero(self._pinned)
        made.put(at.pin[some], StepKind.PIN, wave[some], drained[some] + STOP_S, PIN_S, host=host[some], guest=boots.guests[some])
        self._note_pins(at.pin[some], boots.boot[some])
        there = self._problem.guests.on[boots.in_place]
        steps = ((StepKind.STOP, 0, STOP_S), (StepKind.PIN, STOP_S, PIN_S), (StepKind.START, STOP_S + PIN_S, START_S))
        for place, (kind, begins, lasts) in enumerate(steps):
            made.put(at.in_place + place, kind, 1, begins, lasts, host=there, guest=boots.in_place)
        self._note_pins(at.in_place + 1, boots.boot_in_place)

    def _note_pins(self, places: Ints, boot: Ints) -> None:
        for place, number in zip(places.tolist(), boot.tolist(), strict=True):
            self._notes[place] = f"kvm-psci-version={self._boots.boots[number].pin}"

    # --- what waits for what ------------------------------------------------------------------------------------------------------

    def _after(self, total: int) -> tuple[Numbers, Places]:
        """Pairs of steps, the second waiting for the first, gathered by the reason for it, as runs by the second."""
        pairs = [*self._cordons_wait(), *self._moves_wait(), *self._hosts_wait(), *self._boots_wait()]
        earlier = np.concatenate([first for first, _ in pairs])
        later = np.concatenate([second for _, second in pairs])
        gates = [(place, number) for number, place in self._at.gate.items()]
        more = self._gates_wait(gates, earlier, later)
        earlier = np.concatenate([earlier, *(first for first, _ in more)])
        later = np.concatenate([later, *(second for _, second in more)])
        runs = Runs.of(later.astype(np.int32), total)
        return runs.at, earlier[runs.items].astype(np.int32)

    def _uncordon(self, host: Ints) -> Numbers:
        steps: Numbers = self._at.upgrade[host] + 2
        return steps

    @property
    def _opened(self) -> Flags:
        """Of each leg, whether its goal is a host that the plan upgraded before."""
        wave = self._wave[self._legs.goal]
        flags: Flags = (wave > 0) & (wave < self._legs.wave)
        return flags

    @property
    def _awaited(self) -> Flags:
        """Of each leg, whether the cordon of its source waits for its goal already; other legs begin while their goal is away."""
        legs, times = self._legs, self._times
        flags: Flags = self._opened & (times.open_s[legs.goal] <= times.cordon_s[legs.source])
        return flags

    def _cordons_wait(self) -> list[tuple[Numbers, Numbers]]:
        """For gates, landing places, slots, guests that still arrive, and fellows that leave."""
        at, legs, wave = self._at, self._legs, self._wave
        gates = np.array([max((number for number in at.gate if number < own), default=0) for own in range(len(self._waves) + 1)])
        gate_place = np.array([at.gate.get(number, NONE) for number in gates.tolist()])
        behind = at.hosts[gate_place[wave[at.hosts]] != NONE]
        for_gates = (gate_place[wave[behind]], at.cordon[behind])
        some = np.flatnonzero(self._awaited)
        givers = self._times.givers
        host: Numbers = np.concatenate((legs.source[some].astype(np.int64), givers[:, 0]))
        other: Numbers = np.concatenate((legs.goal[some].astype(np.int64), givers[:, 1]))
        once = np.sort(distinct(host, other)[0]) if len(host) else np.zeros(0, np.int64)
        seeds = np.flatnonzero((wave[legs.goal] > legs.wave)[legs.of_move])
        arriving = (at.move[seeds], at.cordon[legs.goal[legs.of_move[seeds]]])
        return [for_gates, (self._uncordon(other[once]), at.cordon[host[once]]), arriving, self._fellows_leave()]

    def _fellows_leave(self) -> tuple[Numbers, Numbers]:
        """Where a guest goes to a rack or zone that a fellow left: the last of those who left the fellow's host, and the guest's cordon."""
        at, legs = self._at, self._legs
        left, came = (legs.source[legs.of_move[moves]] for moves in meetings(self._problem, legs))
        once = np.sort(distinct(left, came)[0]) if len(left) else np.zeros(0, np.int64)
        ends, of_host = self._drains()
        by_host = Runs.of(of_host, len(at.cordon))
        return ends[by_host.many(left[once])], np.repeat(at.cordon[came[once]], by_host.count(left[once]))

    def _moves_wait(self) -> list[tuple[Numbers, Numbers]]:
        """For the cordon, for the one before on each stream, for landing places that open late."""
        at, legs, times = self._at, self._legs, self._times
        head, last = legs.first[:-1], legs.first[1:] - 1
        begins = np.ones(len(legs.guest), np.bool_)
        begins[head] = False
        inside = np.flatnonzero(begins)
        sends = np.flatnonzero(times.sends_after != NONE)
        first = np.flatnonzero(times.sends_after == NONE)
        receives = np.flatnonzero((times.receives_after != NONE) & (times.receives_after != times.sends_after))
        late = np.flatnonzero((self._opened & ~self._awaited)[legs.of_move])
        return [
            (at.cordon[legs.source[first]], at.move[head[first]]),
            (at.move[last[times.sends_after[sends]]], at.move[head[sends]]),
            (at.move[inside - 1], at.move[inside]),
            (at.move[last[times.receives_after[receives]]], at.move[head[receives]]),
            (self._uncordon(legs.goal[legs.of_move[late]]), at.move[late]),
        ]

    def _hosts_wait(self) -> list[tuple[Numbers, Numbers]]:
        """Upgrades for the last guests, or for stops and pins; check and uncordon for the step before."""
        at = self._at
        stops = np.zeros(len(at.cordon), np.bool_)
        stops[self._restart_host] = True
        ends, host = self._drains()
        plain = ~stops[host]
        return [
            (ends[plain], at.upgrade[host[plain]]),
            (at.pin, at.upgrade[self._restart_host]),
            (at.upgrade[at.hosts], at.upgrade[at.hosts] + 1),
            (at.upgrade[at.hosts] + 1, at.upgrade[at.hosts] + 2),
        ]

    def _drains(self) -> tuple[Numbers, Places]:
        """The last step of each stream of each host, or its cordon if no guest leaves it; and the host."""
        at, legs = self._at, self._legs
        goes_on = np.zeros(len(legs), np.bool_)
        goes_on[self._times.sends_after[self._times.sends_after != NONE]] = True
        ends = np.flatnonzero(~goes_on)
        idle = np.ones(len(at.cordon), np.bool_)
        idle[legs.source] = False
        still = at.hosts[idle[at.hosts]]
        steps = np.concatenate((at.move[legs.first[1:][ends] - 1], at.cordon[still]))
        return steps, np.concatenate((legs.source[ends], still))

    def _boots_wait(self) -> list[tuple[Numbers, Numbers]]:
        """Stops for the last guest that leaves, pins for stops, starts for the uncordon."""
        at, host = self._at, self._restart_host
        ends, of_host = self._drains()
        by_host = Runs.of(of_host, len(at.cordon))
        count = by_host.count(host)
        some = np.flatnonzero(self._pinned)
        return [
            (ends[by_host.many(host)], np.repeat(at.stop, count)),
            (at.stop[some], at.pin[some]),
            (self._uncordon(host), at.start),
            (at.in_place, at.in_place + 1),
            (at.in_place + 1, at.in_place + 2),
        ]

    def _gates_wait(self, gates: list[tuple[int, int]], waited: Numbers, waiting: Numbers) -> list[tuple[Numbers, Numbers]]:
        """A gate waits for every step since the last gate for which no other of them waits."""
        found = []
        begin = 0
        for place, _ in sorted(gates):
            free = np.ones(place - begin, np.bool_)
            free[waited[(waited >= begin) & (waiting < place)] - begin] = False
            ends = np.flatnonzero(free) + begin
            found.append((ends, np.full(len(ends), place)))
            begin = place + 1
        return found


def _gate_note(rules: list[GateRule]) -> str:
    soak, approval = soak_s(rules), any(rule.approval for rule in rules)
    words = [f"soak {soak} s"] if soak else []
    words += ["approval"] if approval else []
    return ", ".join(words) or "all steps so far have ended"


@dataclass(slots=True, eq=False)
class _Columns:
    """The columns of `StepColumns` that have one entry per step."""

    kind: Codes
    wave: Places
    host: Places
    guest: Places
    source: Places
    destination: Places
    start_s: Numbers
    duration_s: Numbers
    verdict: Codes

    @classmethod
    def of(cls, total: int) -> _Columns:
        """So many steps that name nothing."""
        host, guest, source, destination = (np.full(total, NONE, np.int32) for _ in range(4))
        return cls(
            kind=np.zeros(total, np.uint8),
            wave=np.zeros(total, np.int32),
            host=host,
            guest=guest,
            source=source,
            destination=destination,
            start_s=np.zeros(total, np.int64),
            duration_s=np.zeros(total, np.int64),
            verdict=np.full(total, NO_VERDICT, np.uint8),
        )

    def put(
        self,
        place: Numbers,
        kind: StepKind,
        wave: Ints | int,
        start_s: Ints | int,
        duration_s: Ints | int,
        *,
        host: Ints | int = NONE,
        guest: Ints | int = NONE,
    ) -> None:
        """Steps of one kind, each at its place."""
        self.kind[place] = KIND_CODE[kind]
        self.wave[place] = wave
        self.start_s[place] = start_s
        self.duration_s[place] = duration_s
        self.host[place] = host
        self.guest[place] = guest


def critical_path(columns: StepColumns) -> tuple[StepId, ...]:
    """From the step that ends last back along what each step waited for longest."""
    if not len(columns):
        return ()
    step = int(np.argmax(columns.end_s))
    path = [step]
    while columns.after_at[step] < columns.after_at[step + 1]:
        earlier = columns.after[columns.after_at[step] : columns.after_at[step + 1]]
        step = int(earlier[np.argmax(columns.end_s[earlier])])
        path.append(step)
    return tuple(columns.id(step) for step in reversed(path))

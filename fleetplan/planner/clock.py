"""When hosts go and guests move: one walk through time, without barriers but gates.

A host is cordoned as soon as a slot is free in every scope of max-unavailable and its landing places are open, or will be by the time
that it needs them. Of several that could go, the one of the first wave goes, and of that the one behind which the longest chain of hosts
comes. A host sends as many legs at a time as policy has streams, always the longest whose receiver is free.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from fleetplan.planner.desk import Desk, Entry
from fleetplan.planner.grouping import Runs, distinct
from fleetplan.planner.legs import Legs
from fleetplan.planner.problem import Problem
from fleetplan.planner.waves import WaveChoice
from fleetplan.rollout.columns import NONE, Numbers, Places
from fleetplan.rollout.durations import BACK_S, START_S

UNCORDON, ELIGIBLE, SEND = range(3)
"""Events, in the order in which they happen at one time."""

NEVER = 1 << 60


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """What the walk found, by host (those that are upgraded) and by leg.

    `turn` numbers hosts in the order in which they are cordoned. `sends_after` and `receives_after` name the leg before on the same
    stream of the source and of the goal. `givers` are pairs of a host and one whose slot it got. `gate_s` has, for the wave before each
    gate, when the gate begins and when it ends.
    """

    cordon_s: Numbers
    drained_s: Numbers
    open_s: Numbers
    turn: Numbers
    leg_start_s: Numbers
    sends_after: Places
    receives_after: Places
    givers: list[tuple[int, int]]
    gate_s: dict[int, tuple[int, int]]
    end_s: int


class Clock:
    """The walk, with its state. Lists instead of arrays, because single entries are read and written."""

    def __init__(self, problem: Problem, waves: list[WaveChoice], legs: Legs, tail_s: Numbers) -> None:
        hosts = len(problem.hosts.names)
        self._waves, self._legs, self._streams = waves, legs, problem.fleet.policy.streams
        self._wave = wave_of(waves, hosts)
        self._left, self._came = (legs.source[legs.of_move[moves]] for moves in meetings(problem, legs))
        self._meets: dict[int, list[int]] = {}
        for left, came in zip(self._left.tolist(), self._came.tolist(), strict=True):
            self._meets.setdefault(left, []).append(came)
        self._rank: list[int] = (-_urgencies(problem, waves, legs, tail_s)).tolist()
        self._wave_of: list[int] = self._wave.tolist()
        self._back_s: list[int] = (tail_s + problem.hosts.reboot_s + BACK_S).tolist()
        self._restarts: list[bool] = (tail_s > 0).tolist()
        self._held: list[bool] = problem.held.tolist()
        self._goal: list[int] = legs.goal.tolist()
        self._lasts: list[int] = legs.duration_s.tolist()
        self._is_seed: list[bool] = (self._wave[legs.goal] > legs.wave).tolist()
        by_source = Runs.of(legs.source, hosts)
        self._legs_at: list[int] = by_source.at.tolist()
        self._leg_items: list[int] = by_source.items.tolist()
        self._desk = Desk.of(problem)
        self.cordon_s, self.drained_s, self.turn, self._not_before = ([0] * hosts for _ in range(4))
        self.open_s: list[int] = np.where(self._wave > 0, NEVER, 0).tolist()
        self.leg_start_s, self.sends_after, self.receives_after = ([NONE] * len(legs) for _ in range(3))
        self._events: list[tuple[int, int, int]] = []
        self._unsent: dict[int, list[int]] = {}
        self._sending: dict[int, list[tuple[int, int]]] = {}
        self._receiving: dict[int, list[tuple[int, int]]] = {}
        self._turns = self._now = self._gate_s = self._end_s = 0

    def run(self, soaks: dict[int, int], begin_s: int) -> Times:
        """Walk through all waves, with a gate and its soak after each wave of `soaks`; nothing ends before `begin_s`."""
        self._end_s = begin_s
        gate_s: dict[int, tuple[int, int]] = {}
        before = 0
        for number in [*sorted(soaks), len(self._waves)]:
            self._walk(self._waves[before:number])
            before = number
            if number in soaks:
                gate_s[number] = (self._end_s, self._end_s + soaks[number])
                self._now = self._gate_s = self._end_s = gate_s[number][1]
                self._desk.pass_gate(self._now)
                self._receiving.clear()
        return Times(
            cordon_s=np.array(self.cordon_s, np.int64),
            drained_s=np.array(self.drained_s, np.int64),
            open_s=np.array(self.open_s, np.int64),
            turn=np.array(self.turn, np.int64),
            leg_start_s=np.array(self.leg_start_s, np.int64),
            sends_after=np.array(self.sends_after, np.int32),
            receives_after=np.array(self.receives_after, np.int32),
            givers=self._desk.givers,
            gate_s=gate_s,
            end_s=self._end_s,
        )

    def _walk(self, waves: list[WaveChoice]) -> None:
        """From one gate to the next."""
        if not waves:
            return
        hosts = np.sort(np.concatenate([wave.hosts for wave in waves]))
        followers, missing = self._dependencies(hosts)
        self._followers_at: list[int] = followers.at.tolist()
        self._followers: list[int] = followers.items.tolist()
        self._missing: list[int] = missing.tolist()
        for host in hosts[missing[hosts] == 0].tolist():
            self._enlist(host)
        asking: list[Entry] = []
        while self._events:
            now, kind, host = heapq.heappop(self._events)
            self._now = now
            if kind == SEND:
                self._send(host, now)
                continue
            if kind == UNCORDON:
                self._desk.give_back(host, now)
            else:
                asking.append((self._wave_of[host], self._rank[host], host))
            if not self._events or self._events[0][0] > now or self._events[0][1] == SEND:
                self._serve(asking)
                asking = []

    def _dependencies(self, hosts: Places) -> tuple[Runs, Numbers]:
        """By host who waits for it, and for how many each waits: in this part of the plan."""
        wave = self._wave
        part = np.zeros(len(wave), np.bool_)
        part[hosts] = True
        source, goal = np.concatenate((self._legs.source, self._came)), np.concatenate((self._legs.goal, self._left))
        some = np.flatnonzero(part[source] & part[goal])
        source, goal = source[some], goal[some]
        seeds = wave[goal] > wave[source]
        first, second = np.where(seeds, source, goal), np.where(seeds, goal, source)
        once = np.sort(distinct(first, second)[0]) if len(first) else np.zeros(0, np.int64)
        runs = Runs.of(first[once], len(wave))
        return Runs(runs.at, second[once][runs.items]), np.bincount(second[once], minlength=len(wave))

    # --- hosts --------------------------------------------------------------------------------------------------------------------

    def _enlist(self, host: int) -> None:
        """It is known when all landing places open: the host may go once each is open by the time that it is needed."""
        begin = max(self._now, self._not_before[host])
        legs = self._leg_items[self._legs_at[host] : self._legs_at[host + 1]]
        if len(legs) == 1:
            begin = max(begin, 0 if self._is_seed[legs[0]] else self.open_s[self._goal[legs[0]]])
        elif legs:
            sent = 0
            for opens, lasts in sorted((self.open_s[self._goal[leg]], self._lasts[leg]) for leg in legs if not self._is_seed[leg]):
                begin = max(begin, opens - sent // self._streams)
                sent += lasts
        heapq.heappush(self._events, (begin, ELIGIBLE, host))

    def _serve(self, asking: list[Entry]) -> None:
        """Let go who can, the most urgent first."""
        desk = self._desk
        heapq.heapify(asking)
        while asking or desk.recalled:
            while desk.recalled:
                heapq.heappush(asking, desk.recalled.pop())
            entry = heapq.heappop(asking)
            since = self._gate_s if self._held[entry[2]] else desk.serve(entry)
            if since is not None:
                self._cordon(entry[2], since)

    def _cordon(self, host: int, since: int) -> None:
        """Cordon a host: as soon as its slots and the landing places that it waits for allow; those that open later its legs wait for."""
        legs = self._leg_items[self._legs_at[host] : self._legs_at[host + 1]]
        opens = (self.open_s[self._goal[leg]] for leg in legs if not self._is_seed[leg])
        now = max(since, self._gate_s, self._not_before[host], *(when for when in opens if when <= self._now), 0)
        self.cordon_s[host] = now
        self.turn[host] = self._turns
        self._turns += 1
        if legs:
            self._unsent[host] = sorted(legs, key=lambda leg: -self._lasts[leg])
            self._sending[host] = [(now, NONE)] * self._streams
            self._send(host, now)
        else:
            self._drained(host, now)

    def _drained(self, host: int, when: int) -> None:
        """The last of the guests is on its way: from now on it is known when the host is open again."""
        self.drained_s[host] = when
        opens = self.open_s[host] = when + self._back_s[host]
        self._end_s = max(self._end_s, opens + (START_S if self._restarts[host] else 0))
        heapq.heappush(self._events, (opens, UNCORDON, host))
        for other in self._meets.get(host, ()):
            self._not_before[other] = max(self._not_before[other], when)
        for other in self._followers[self._followers_at[host] : self._followers_at[host + 1]]:
            self._missing[other] -= 1
            if not self._missing[other]:
                self._enlist(other)

    # --- guests -------------------------------------------------------------------------------------------------------------------

    def _send(self, host: int, now: int) -> None:
        """Give each stream that is free by now its next leg; come back when the next stream is free."""
        unsent, lanes = self._unsent[host], self._sending[host]
        while unsent:
            lane = lanes[0] if self._streams == 1 else min(lanes)
            if lane[0] > now and lane[0] > self._now:
                heapq.heappush(self._events, (lane[0], SEND, host))
                return
            leg, when = self._next_leg(unsent, lane[0])
            unsent.remove(leg)
            self._start(leg, when, lanes, lane)
        del self._unsent[host], self._sending[host]
        self._drained(host, max(lanes)[0])

    def _next_leg(self, legs: list[int], now: int) -> tuple[int, int]:
        """The leg whose receiver is free first, the longest of those that are free by now; and when it can start."""
        best, best_s = NONE, NEVER
        for leg in legs:
            goal = self._goal[leg]
            free = now if self._is_seed[leg] else max(self.open_s[goal], now)
            receiving = self._receiving.get(goal)
            if receiving is not None:
                free = max(free, min(receiving)[0])
            if free <= now:
                return leg, now
            if free < best_s:
                best, best_s = leg, free
        return best, best_s

    def _start(self, leg: int, now: int, lanes: list[tuple[int, int]], lane: tuple[int, int]) -> None:
        goal, end = self._goal[leg], now + self._lasts[leg]
        receiving = self._receiving.setdefault(goal, [(0, NONE)] * self._streams)
        before = min(receiving)
        self.leg_start_s[leg], self.sends_after[leg], self.receives_after[leg] = now, lane[1], before[1]
        lanes[lanes.index(lane)] = receiving[receiving.index(before)] = (end, leg)
        if self._is_seed[leg]:
            self._not_before[goal] = max(self._not_before[goal], end)


def wave_of(waves: list[WaveChoice], hosts: int) -> Numbers:
    """The number of the wave of each host, 0 where it is in none."""
    found = np.zeros(hosts, np.int64)
    for number, wave in enumerate(waves, 1):
        found[wave.hosts] = number
    return found


def _urgencies(problem: Problem, waves: list[WaveChoice], legs: Legs, tail_s: Numbers) -> Numbers:
    """For each host how long the longest chain of hosts is that begins with it, in seconds. O(legs)."""
    chain = problem.away_s + START_S * (tail_s > 0)
    behind = np.zeros(len(chain), np.int64)
    ends = np.searchsorted(legs.wave, np.arange(1, len(waves) + 2))
    for number in range(len(waves), 0, -1):
        hosts = waves[number - 1].hosts
        chain[hosts] += behind[hosts]
        part = slice(ends[number - 1], ends[number])
        np.maximum.at(behind, legs.goal[part], chain[legs.source[part]])
    return chain


def meetings(problem: Problem, legs: Legs) -> tuple[Numbers, Numbers]:
    """Pairs of moves: a member leaves a rack or zone in one wave, and a fellow comes there in a later one. O(pairs + moves log moves)."""
    if problem.apart_by_host_only:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    group = problem.guests.group[legs.guest]
    moves = np.flatnonzero(group != NONE)
    group, leg = group[moves], legs.of_move[moves]
    here, there = problem.place(group, legs.source[leg]), problem.place(group, legs.goal[leg])
    wide = here != there
    moves, group, here, there = moves[wide], group[wide].astype(np.int64), here[wide], there[wide]
    leaves, comes = group << 32 | here, group << 32 | there
    order = np.argsort(leaves, kind="stable")
    first, last = (np.searchsorted(leaves[order], comes, side) for side in ("left", "right"))
    came = np.repeat(np.arange(len(comes)), last - first)
    left = order[np.repeat(first - np.cumsum(last - first) + (last - first), last - first) + np.arange(len(came))]
    earlier = legs.wave[legs.of_move[moves[left]]] < legs.wave[legs.of_move[moves[came]]]
    return moves[left[earlier]], moves[came[earlier]]

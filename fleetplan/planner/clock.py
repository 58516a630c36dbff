"""When hosts go and guests move: one walk through time, without barriers but gates.

A host is cordoned as soon as a slot is free in every scope of max-unavailable and its landing places are open, or will be by the time
that it needs them. Of several that could go, the one of the first wave goes, and of that the one behind which the longest chain of hosts
comes. A host sends as many legs at a time as policy has streams, always the longest whose receiver is free.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fleetplan.planner.desk import Desk
from fleetplan.planner.grouping import Runs, distinct, inverse
from fleetplan.planner.legs import Legs
from fleetplan.planner.problem import Problem
from fleetplan.planner.waves import WaveChoice
from fleetplan.rollout.columns import NONE, Flags, Numbers, Places
from fleetplan.rollout.durations import BACK_S, START_S

NEVER = 1 << 60

Lane = tuple[int, int]
"""A stream of a host: when it is free, and the last leg on it. Those of a host are a heap."""


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
    givers: Numbers
    gate_s: dict[int, tuple[int, int]]
    end_s: int


@dataclass(frozen=True, slots=True, eq=False)
class _Moment:
    """What happens in one second, in this order. The lists grow until the second comes."""

    back: list[int] = field(default_factory=list)
    """Hosts that are uncordoned."""
    ready: list[int] = field(default_factory=list)
    """Hosts that ask for their slots."""
    sends: list[int] = field(default_factory=list)
    """Hosts of which a stream is free."""


class Clock:
    """The walk, with its state: lists with an entry per host or leg, because single entries are read and written.

    Within the walk a host's number is its place in line, and legs stand by their source, the longest first. So those of a host are a
    range; and what is touched at one time stands together, which is what a walk through a large fleet takes its time for.
    """

    def __init__(self, problem: Problem, waves: list[WaveChoice], legs: Legs, tail_s: Numbers) -> None:
        hosts = len(problem.hosts.names)
        wave = wave_of(waves, hosts)
        self._line = np.lexsort((-_urgencies(problem, waves, legs, tail_s), wave))
        self._place = inverse(self._line)
        self._wave, self._waves, self._streams = wave[self._line], len(waves), problem.fleet.policy.streams
        self._desk = Desk.of(problem, self._line)
        source, goal = self._place[legs.source], self._place[legs.goal]
        left, came = (source[legs.of_move[moves]] for moves in meetings(problem, legs))
        self._first, self._second = _waits(self._wave, np.concatenate((source, came)), np.concatenate((goal, left)))
        self._meets: dict[int, list[int]] = {}
        for leaves, comes in zip(left.tolist(), came.tolist(), strict=True):
            self._meets.setdefault(leaves, []).append(comes)
        self._back_s: list[int] = (tail_s + problem.hosts.reboot_s + BACK_S)[self._line].tolist()
        self._tail_s: list[int] = (START_S * (tail_s > 0))[self._line].tolist()
        self._held: list[bool] = problem.held[self._line].tolist()

        self._order = np.lexsort((-legs.duration_s, source))
        goal = goal[self._order]
        seed = self._wave[goal] > legs.wave[self._order]
        self._legs_at: list[int] = np.searchsorted(source[self._order], np.arange(hosts + 1)).tolist()
        self._goal: list[int] = goal.tolist()
        self._door: list[int] = np.where(seed, hosts, goal).tolist()
        """Of each leg the host that must be open: its goal, but for seeds the one behind the last, which always is."""
        self._is_seed: list[bool] = seed.tolist()
        self._lasts: list[int] = legs.duration_s[self._order].tolist()

        self._cordon_s, self._drained_s, self._turn, self._not_before, self._receives_s = ([0] * hosts for _ in range(5))
        self._open_s: list[int] = np.append(np.where(self._wave > 0, NEVER, 0), 0).tolist()
        self._leg_start_s, self._sends_after, self._receives_after = ([NONE] * len(legs) for _ in range(3))
        self._moments: dict[int, _Moment] = {}
        self._seconds: list[int] = []
        """When there are moments, as a heap."""
        self._unsent: dict[int, list[int]] = {}
        self._sending: dict[int, list[Lane]] = {}
        self._receiving: dict[int, list[Lane]] = {}
        self._turns = self._now = self._gate_s = self._end_s = 0

    def run(self, soaks: dict[int, int], begin_s: int) -> Times:
        """Walk through all waves, with a gate and its soak after each wave of `soaks`; nothing ends before `begin_s`."""
        self._end_s = begin_s
        gate_s: dict[int, tuple[int, int]] = {}
        before = 0
        for number in [*sorted(soaks), self._waves]:
            self._walk(before, number)
            before = number
            if number in soaks:
                gate_s[number] = (self._end_s, self._end_s + soaks[number])
                self._now = self._gate_s = self._end_s = gate_s[number][1]
                self._desk.pass_gate(self._now)
                self._receiving.clear()
        leg_number, place_of_leg = np.append(self._order, NONE), inverse(self._order)
        return Times(
            cordon_s=np.array(self._cordon_s, np.int64)[self._place],
            drained_s=np.array(self._drained_s, np.int64)[self._place],
            open_s=np.array(self._open_s, np.int64)[self._place],
            turn=np.array(self._turn, np.int64)[self._place],
            leg_start_s=np.array(self._leg_start_s, np.int64)[place_of_leg],
            sends_after=leg_number[self._sends_after][place_of_leg].astype(np.int32),
            receives_after=leg_number[self._receives_after][place_of_leg].astype(np.int32),
            givers=self._line[self._desk.givers()],
            gate_s=gate_s,
            end_s=self._end_s,
        )

    def _walk(self, after: int, last: int) -> None:
        """From one gate to the next: the waves after one, up to another."""
        part = (self._wave > after) & (self._wave <= last)
        if not part.any():
            return
        followers, missing = self._followers_of(part)
        self._followers_at: list[int] = followers.at.tolist()
        self._followers: list[int] = followers.items.tolist()
        self._missing: list[int] = missing.tolist()
        for host in np.flatnonzero(part & (missing == 0)).tolist():
            self._enlist(host)
        while self._seconds:
            self._now = now = heapq.heappop(self._seconds)
            moment = self._moments.pop(now)
            for host in sorted(moment.back):
                self._desk.give_back(host, now)
            self._serve(moment.ready)
            for host in sorted(moment.sends):
                self._send(host, now)

    def _at(self, second: int) -> _Moment:
        moment = self._moments.get(second)
        if moment is None:
            moment = self._moments[second] = _Moment()
            heapq.heappush(self._seconds, second)
        return moment

    def _followers_of(self, part: Flags) -> tuple[Runs, Numbers]:
        """By host who waits for it, and for how many each waits: in this part of the plan."""
        inside = np.flatnonzero(part[self._first] & part[self._second])
        first, second = self._first[inside], self._second[inside]
        runs = Runs.of(first, len(part))
        return Runs(runs.at, second[runs.items].astype(np.int32)), np.bincount(second, minlength=len(part))

    # --- hosts --------------------------------------------------------------------------------------------------------------------

    def _enlist(self, host: int) -> None:
        """It is known when all landing places open: the host may go once each is open by the time that it is needed."""
        begin = max(self._now, self._not_before[host])
        legs = range(self._legs_at[host], self._legs_at[host + 1])
        if len(legs) == 1:
            begin = max(begin, self._open_s[self._door[legs[0]]])
        elif legs:
            sent = 0
            for opens, lasts in sorted((self._open_s[self._goal[leg]], self._lasts[leg]) for leg in legs if not self._is_seed[leg]):
                begin = max(begin, opens - sent // self._streams)
                sent += lasts
        self._at(begin).ready.append(host)

    def _serve(self, asking: list[int]) -> None:
        """Let go who can, the most urgent first."""
        desk = self._desk
        heapq.heapify(asking)
        while asking or desk.recalled:
            while desk.recalled:
                heapq.heappush(asking, desk.recalled.pop())
            host = heapq.heappop(asking)
            since = self._gate_s if self._held[host] else desk.serve(host)
            if since is not None:
                self._cordon(host, since)

    def _cordon(self, host: int, since: int) -> None:
        """Cordon a host: as soon as its slots and the landing places that it waits for allow; those that open later its legs wait for."""
        now = max(since, self._gate_s, self._not_before[host])
        legs = range(self._legs_at[host], self._legs_at[host + 1])
        for leg in legs:
            opens = self._open_s[self._door[leg]]
            if now < opens <= self._now:
                now = opens
        self._cordon_s[host] = now
        self._turn[host] = self._turns
        self._turns += 1
        if len(legs) == 1:
            leg, when = self._next_leg(legs, now)
            self._drained(host, self._start(leg, when, NONE))
        elif legs:
            self._unsent[host] = list(legs)
            self._sending[host] = [(now, NONE)] * self._streams
            self._send(host, now)
        else:
            self._drained(host, now)

    def _drained(self, host: int, when: int) -> None:
        """The last of the guests is on its way: from now on it is known when the host is open again."""
        self._drained_s[host] = when
        opens = self._open_s[host] = when + self._back_s[host]
        self._end_s = max(self._end_s, opens + self._tail_s[host])
        self._at(opens).back.append(host)
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
            free, before = lanes[0]
            if free > now and free > self._now:
                self._at(free).sends.append(host)
                return
            leg, when = self._next_leg(unsent, free)
            unsent.remove(leg)
            heapq.heapreplace(lanes, (self._start(leg, when, before), leg))
        del self._unsent[host], self._sending[host]
        self._drained(host, max(lanes)[0])

    def _next_leg(self, legs: Sequence[int], now: int) -> tuple[int, int]:
        """The leg whose receiver is free first, the longest of those that are free by now; and when it can start."""
        best, best_s = NONE, NEVER
        for leg in legs:
            free = max(self._open_s[self._door[leg]], self._receives_s[self._goal[leg]])
            if free <= now:
                return leg, now
            if free < best_s:
                best, best_s = leg, free
        return best, best_s

    def _start(self, leg: int, now: int, before: int) -> int:
        """Start a leg after the one before on its stream; when it ends."""
        goal, end = self._goal[leg], now + self._lasts[leg]
        receiving = self._receiving.get(goal)
        if receiving is None:
            receiving = self._receiving[goal] = [(0, NONE)] * self._streams
        self._leg_start_s[leg], self._sends_after[leg] = now, before
        self._receives_after[leg] = heapq.heapreplace(receiving, (end, leg))[1]
        self._receives_s[goal] = receiving[0][0]
        if self._is_seed[leg]:
            self._not_before[goal] = max(self._not_before[goal], end)
        return end


def wave_of(waves: list[WaveChoice], hosts: int) -> Numbers:
    """The number of the wave of each host, 0 where it is in none."""
    found = np.zeros(hosts, np.int64)
    for number, wave in enumerate(waves, 1):
        found[wave.hosts] = number
    return found


def _waits(wave: Numbers, source: Numbers, goal: Numbers) -> tuple[Numbers, Numbers]:
    """Pairs of hosts of which the second goes after the first, each once: who sends after who receives, but for seeds."""
    some = np.flatnonzero((wave[source] > 0) & (wave[goal] > 0))
    source, goal = source[some], goal[some]
    seeds = wave[goal] > wave[source]
    first, second = np.where(seeds, source, goal), np.where(seeds, goal, source)
    once = np.sort(distinct(first, second)[0]) if len(first) else np.zeros(0, np.int64)
    return first[once], second[once]


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

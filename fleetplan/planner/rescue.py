"""All plans of small pools, looked at where the search is stuck in them, or moves guests twice that might move once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fleetplan.planner.bounds import Floor
from fleetplan.planner.budget import Budget, most_of_wave
from fleetplan.planner.certain import impossible
from fleetplan.planner.complete import LANDINGS, Found, Turn, complete
from fleetplan.planner.enact import rounds_of, waves_of
from fleetplan.planner.exact.improve import Round
from fleetplan.planner.occupancy import Occupancy
from fleetplan.planner.problem import Problem
from fleetplan.planner.small_pool import Pool
from fleetplan.planner.waves import WaveChoice
from fleetplan.rollout.columns import NONE
from fleetplan.rollout.progress import Progress, announce

MOST_HOSTS = 24
"""Pools with more hosts to upgrade are not looked at, nor with more guests than `MOST_GUESTS`."""

MOST_GUESTS = 400


@dataclass(frozen=True, slots=True)
class Rescue:
    """Waves of a whole fleet, if some were found; and whether it is proved that there is no plan."""

    waves: list[WaveChoice] | None = None
    impossible: bool = False


def rescue(
    problem: Problem, waves: Sequence[WaveChoice], pools: Collection[int], progress: Progress | None = None, landings: int = LANDINGS
) -> Rescue:
    """Plans of blocked pools, after those waves of the other pools that were found. Raises CancelledError."""
    if impossible(problem, pools):
        return Rescue(impossible=True)
    occupancy, found = Occupancy(problem), dict[int, Found]()
    for number in pools:
        small = _small(problem, number, occupancy)
        if small is None:
            return Rescue()
        announce(progress, "orders", 0, landings)
        found[number] = complete(small, landings=landings)
        if found[number].turns is None:
            return Rescue(impossible=found[number].exhausted and small.provable)
    return Rescue(_together(problem, waves, found))


def economise(floor: Floor, waves: Sequence[WaveChoice], progress: Progress | None = None) -> list[WaveChoice] | None:
    """The same with fewer moves in small pools, where guests move twice of which it is not known that they must. Raises CancelledError."""
    problem, occupancy, found = floor.problem, Occupancy(floor.problem), dict[int, Found]()
    for number, extra in _extra_moves(problem, waves).items():
        small = _small(problem, number, occupancy) if extra > floor.twice[number] else None
        if small is not None:
            announce(progress, "orders", 0, LANDINGS)
            better = complete(small, least=floor.twice[number], most=extra)
            found |= {number: better} if better.turns is not None else {}
    return _together(problem, waves, found) if found else None


def _extra_moves(problem: Problem, waves: Sequence[WaveChoice]) -> dict[int, int]:
    """By pool, the moves beyond one a guest."""
    guests = np.concatenate([np.zeros(0, np.int32), *(wave.guests for wave in waves)])
    pool, pools = problem.hosts.pool, len(problem.hosts.pool_names)
    moves = np.bincount(pool[problem.guests.on[guests]], minlength=pools)
    once = np.bincount(pool[problem.guests.on[np.unique(guests)]], minlength=pools)
    return {int(number): int((moves - once)[number]) for number in np.flatnonzero(moves > once)}


def _together(problem: Problem, waves: Sequence[WaveChoice], found: Mapping[int, Found]) -> list[WaveChoice] | None:
    """The turns of some pools after the waves of the others; None where limits let nobody go on."""
    others = [each for each in (_without(problem, wave, found) for wave in rounds_of(waves)) if each.hosts]
    rounds = _in_turn(problem, others, [list(each.turns or ()) for each in found.values()])
    return None if rounds is None else waves_of(problem, rounds)


def _small(problem: Problem, number: int, occupancy: Occupancy) -> Pool | None:
    """A pool, if it is small enough to be looked at, and by itself: no other keeps guests or hosts of it waiting.

    Left out are pools with guests that must land together, or whose copies do not end over every link.
    """
    hosts = problem.pool_hosts.one(number)
    hosts = hosts[problem.pending[hosts]]
    if len(hosts) > MOST_HOSTS or int(occupancy.mover_count[hosts].sum()) > MOST_GUESTS:
        return None
    pool = Pool(problem, number, occupancy)
    bound = (problem.together.unit[pool.guests] != NONE) | problem.copies.may_not[pool.guests]
    alone = (problem.hosts.pool[problem.pending] == number).all()
    apart = not pool.wide & pool.groups.keys() and not problem.last[problem.pending].any()
    return pool if (alone or apart) and not bound.any() else None


def _without(problem: Problem, wave: Round, pools: Collection[int]) -> Round:
    """What a wave does in other pools."""
    pool = problem.hosts.pool
    goals = {guest: goal for guest, goal in wave.goals.items() if int(pool[goal]) not in pools}
    return Round(tuple(host for host in wave.hosts if int(pool[host]) not in pools), goals)


@dataclass(slots=True)
class _Joining:
    """A wave to which turns are added while they do not need each other."""

    problem: Problem
    budget: Budget
    hosts: list[int]
    goals: dict[int, int]

    def takes(self, turn: Turn) -> bool:
        """Whether a turn can be in this wave: what it needs is there already, and nobody in it needs what it leaves."""
        apart = not self.hosts or not self._wide(turn.goals) & self._wide(self.goals)
        free = not set(turn.goals.values()) & set(self.hosts) and turn.host not in self.goals.values()
        in_turn = not self.hosts or self.problem.last[turn.host] == self.problem.last[self.hosts[0]]
        return free and apart and in_turn and bool(self.budget.admits(np.array([turn.host], np.int32))[0])

    def _wide(self, guests: Iterable[int]) -> set[int]:
        """Groups that some guests are in, unless they are apart by host only."""
        return set() if self.problem.apart_by_host_only else {int(self.problem.guests.group[guest]) for guest in guests} - {NONE}

    def add(self, turn: Turn) -> None:
        """It is in this wave."""
        self.budget.take(np.array([turn.host], np.int32))
        self.hosts.append(turn.host)
        self.goals |= turn.goals


def _in_turn(problem: Problem, rounds: list[Round], queues: list[list[Turn]]) -> list[Round] | None:
    """The turns of all pools after some rounds, as many in one as can be; None where limits let nobody go on."""
    done = np.zeros(len(problem.pending), np.bool_)
    for each in rounds:
        done[list(each.hosts)] = True
    rounds = list(rounds)
    while any(queues):
        wave = _Joining(problem, Budget.of_wave(problem, done, most_of_wave(problem.fleet.policy, len(rounds) + 1)), [], {})
        while any([_join(wave, queue) for queue in queues]):  # noqa: C419 - each pool in turn, not the first that can
            pass
        if not wave.hosts:
            return None
        done[wave.hosts] = True
        rounds.append(Round(tuple(wave.hosts), wave.goals))
    return rounds


def _join(wave: _Joining, queue: list[Turn]) -> bool:
    ok = bool(queue) and wave.takes(queue[0])
    if ok:
        wave.add(queue.pop(0))
    return ok

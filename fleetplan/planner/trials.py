"""The searches that are tried, and the best of them with its times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fleetplan.planner.aims import Aims, Effort
from fleetplan.planner.bounds import Floor
from fleetplan.planner.causes import by_pool
from fleetplan.planner.clock import Clock, Times
from fleetplan.planner.failure import Failure, Limit, Stuck
from fleetplan.planner.following import Following, hints_of
from fleetplan.planner.legs import Legs, legs_of
from fleetplan.planner.pins import Boots, choose_boots
from fleetplan.planner.problem import Problem
from fleetplan.planner.rescue import economise, rescue
from fleetplan.planner.seeds import Seeds, for_waves, seedbed
from fleetplan.planner.steps import gates_after, soak_s, tail_s
from fleetplan.planner.waves import Search, WaveChoice
from fleetplan.rollout.durations import PIN_S, START_S, STOP_S
from fleetplan.rollout.plan import Plan
from fleetplan.rollout.progress import Progress, announce

SPARE_WAVE_PER = 10
"""Where the bound says at least so many waves, one more is spent, so that hosts that open late need not take another one."""


FEW_GUESTS = 2_000
"""With no more guests to move than this, the search is run in several ways, and the best plan is taken."""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Waves that were found, and when they go."""

    waves: list[WaveChoice]
    legs: Legs
    times: Times
    boots: Boots
    seeds: Seeds

    def rank(self, aims: Aims) -> tuple[int, ...]:
        """The least is the best: fewest moves, shortest, fewest waves; shortest first where moves may be spent for that."""
        moves, waves = len(self.legs.guest), len(self.waves)
        return (self.times.end_s, moves, waves) if aims.max_extra_moves else (moves, self.times.end_s, waves)


def followed(problem: Problem, floor: Floor, aims: Aims, previous: Plan | None, progress: Progress | None) -> Trial | None:
    """The previous plan as far as it holds; None where there is none, where it leads nowhere, or beyond what is asked for."""
    if previous is None:
        return None
    following = Following(problem, hints_of(problem, previous), progress, floor.waves + (floor.waves >= SPARE_WAVE_PER))
    found = following.run() is None and _within(aims, following, floor)
    return timed(problem, following.waves, choose_boots(problem)) if found else None


def best_trial(problem: Problem, floor: Floor, aims: Aims, progress: Progress | None) -> Trial | Failure:
    """The best of the searches that the aims and the effort ask for."""
    best: Trial | None = None
    stuck: tuple[Stuck, Search] | None = None
    waves: list[int] = []
    boots = choose_boots(problem)
    for seeds, spare, longest_first in _ways(problem, floor, aims):
        if best is not None and seeds and aims.max_extra_moves is None:
            break
        most = floor.waves + spare if aims.max_waves is None else min(floor.waves + spare, aims.max_waves)
        search = Search(problem, progress, seeds=seeds, most_waves=most, longest_first=longest_first)
        stopped = search.run()
        if stopped is not None:
            stuck = stuck or (stopped, search)
            continue
        waves.append(len(search.waves))
        if _within(aims, search, floor):
            announce(progress, "times")
            trial = timed(problem, search.waves, boots, seeds)
            best = trial if best is None or trial.rank(aims) < best.rank(aims) else best
    if best is not None:
        return _economised(best, floor, aims, progress)
    if not waves and stuck is not None:
        rescued = rescue(problem, stuck[1].waves, list(by_pool(problem, stuck[0])), progress)
        if rescued.waves is None:
            return Failure(problem, stuck[0], impossible=rescued.impossible)
        if aims.max_waves is None or len(rescued.waves) <= aims.max_waves:
            return timed(problem, rescued.waves, boots)
        waves.append(len(rescued.waves))
    return Failure(problem, None, limit=Limit(aims.max_waves, aims.max_extra_moves, min(waves), floor.waves_by_count))


def _economised(best: Trial, floor: Floor, aims: Aims, progress: Progress | None) -> Trial:
    """The same with fewer moves, if they can be had."""
    if best.seeds or len(best.legs.guest) == floor.moves[0]:
        return best
    waves = economise(floor, best.waves, progress)
    if waves is None or (aims.max_waves is not None and len(waves) > aims.max_waves):
        return best
    return timed(floor.problem, waves, best.boots)


def _ways(problem: Problem, floor: Floor, aims: Aims) -> Iterator[tuple[Seeds, int, bool]]:
    """Seeds, waves to spare, and whether hosts that take longest go first: what is tried, in this order."""
    spare = int(floor.waves >= SPARE_WAVE_PER)
    ways = {Effort.FAST: [(0, False)], Effort.DEFAULT: [(spare, False)], Effort.BEST: [(spare, False), (2 * spare, False)]}[aims.effort]
    if floor.movers <= FEW_GUESTS and aims.effort is not Effort.FAST:
        ways = [*ways, (spare, True)]
    if aims.max_waves is None or floor.waves <= aims.max_waves:
        yield from (({}, *way) for way in ways)
    if aims.max_waves is not None:
        yield from ((seeds, *ways[0]) for seeds in for_waves(floor, seedbed(problem), aims.max_waves))
    if aims.max_extra_moves:
        bed, needed = seedbed(problem), floor.moves[0] - floor.movers
        yield from ((bed.within(needed + aims.max_extra_moves // parts), *ways[0]) for parts in (1, 2))


def _within(aims: Aims, search: Search, floor: Floor) -> bool:
    """Whether a search keeps to what was asked for."""
    moves = sum(len(wave.guests) for wave in search.waves)
    few = aims.max_extra_moves is None or not search.seeds or moves <= floor.moves[0] + aims.max_extra_moves
    return few and (aims.max_waves is None or len(search.waves) <= aims.max_waves)


def timed(problem: Problem, waves: list[WaveChoice], boots: Boots, seeds: Seeds | None = None) -> Trial:
    """When the hosts of some waves go, and their guests move."""
    legs = legs_of(problem, waves)
    soaks = {number: soak_s(rules) for number, rules in gates_after(problem, len(waves)).items()}
    begin_s = STOP_S + PIN_S + START_S if len(boots.in_place) and waves else 0
    # Hosts that go last begin when all others are back, as if there were a gate.
    lasts = [number for number, wave in enumerate(waves, 1) if problem.last[wave.hosts].all()]
    pauses = {lasts[0] - 1: 0} if lasts and lasts[0] > 1 else {}
    times = Clock(problem, waves, legs, tail_s(problem, boots)).run(pauses | soaks, begin_s)
    return Trial(waves, legs, times, boots, seeds or {})

"""Between the search and the exact models: waves as rounds of hosts and landings, and rounds as waves."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fleetplan.planner.exact.improve import Round
from fleetplan.planner.occupancy import Occupancy
from fleetplan.planner.problem import Problem
from fleetplan.planner.waves import WaveChoice


def rounds_of(waves: Iterable[WaveChoice]) -> list[Round]:
    """What the models need of waves."""
    return [Round(tuple(wave.hosts.tolist()), dict(zip(wave.guests.tolist(), wave.goals.tolist(), strict=True))) for wave in waves]


def waves_of(problem: Problem, rounds: Iterable[Round]) -> list[WaveChoice]:
    """What a plan needs of rounds: where each guest comes from, and the verdict on its move."""
    occupancy, waves = Occupancy(problem), []
    for each in rounds:
        hosts, guests = np.array(each.hosts, np.int32), np.array(sorted(each.goals), np.int32)
        goals = np.array([each.goals[guest] for guest in guests.tolist()], np.int32)
        sources = occupancy.at[guests]
        occupancy.enter(guests, goals)
        waves.append(WaveChoice(hosts, guests, sources, goals, occupancy.settle(hosts, guests)))
    return waves

"""What is left when a search found no plan."""

from __future__ import annotations

from dataclasses import dataclass

from fleetplan.planner.occupancy import Occupancy
from fleetplan.planner.problem import Problem
from fleetplan.rollout.columns import Ints, Places


@dataclass(frozen=True, slots=True, eq=False)
class Stuck:
    """The search cannot go on: hosts that remain, and by pool the guests of its first host that found no place."""

    occupancy: Occupancy
    remaining: Ints
    homeless: dict[int, Places]


@dataclass(frozen=True, slots=True)
class Limit:
    """There are plans, but none was found within what was asked for: waves, moves above the fewest."""

    max_waves: int | None
    max_extra_moves: int | None
    fewest_waves: int
    """Of those that were found."""
    bound: int
    """No plan has fewer."""


@dataclass(frozen=True, slots=True, eq=False)
class Failure:
    """No plan: the problem, what the search was stuck on (None: it never began), and whether it is proved that there is none."""

    problem: Problem
    stuck: Stuck | None
    impossible: bool = False
    limit: Limit | None = None

"""What is left when a search found no plan."""

from __future__ import annotations

from dataclasses import dataclass

from fleetplan.planner.packing import Placement
from fleetplan.planner.problem import Problem


@dataclass(slots=True)
class Stuck:
    """The search cannot go on: hosts that remain, and for the first of each pool the guests that found no place."""

    placement: Placement
    remaining: list[int]
    homeless: dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class Failure:
    """No plan: the problem, and what the search was stuck on (None: it never began)."""

    problem: Problem
    stuck: Stuck | None

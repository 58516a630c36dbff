"""The solver, and how it is run so that it answers the same everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ortools.sat.python.cp_model import CpModel, CpSolver, LinearExpr


class SolverMissingError(Exception):
    """The extra `optimal` is not installed."""


class Answer(StrEnum):
    """What a solver said of a model."""

    BEST = "best"
    """It found a solution, and none is better."""
    FOUND = "found"
    """It found a solution, and ran out of time."""
    NONE = "none"
    """There is none."""
    OPEN = "open"
    """It found none, and ran out of time."""


@dataclass(slots=True)
class Allowance:
    """How long solvers may still think, in their own deterministic seconds: work done, not time passed."""

    left_s: float

    def require(self) -> None:
        """Raises SolverMissingError where there is no solver."""
        if find_spec("ortools") is None:
            raise SolverMissingError

    def solve(self, model: CpModel, share: float = 1.0) -> tuple[Answer, CpSolver]:
        """Run the solver for at most this share of what is left: one worker, one seed."""
        from ortools.sat.python.cp_model import FEASIBLE, INFEASIBLE, OPTIMAL, CpSolver  # noqa: PLC0415 - an extra, and slow to load

        solver = CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = 0
        solver.parameters.max_deterministic_time = max(self.left_s * share, 0.0)
        status = solver.solve(model)
        self.left_s -= solver.response_proto.deterministic_time
        answers = {OPTIMAL: Answer.BEST, FEASIBLE: Answer.FOUND, INFEASIBLE: Answer.NONE}
        return answers.get(status, Answer.OPEN), solver


def total(terms: Iterable[LinearExpr | int]) -> LinearExpr:
    """The sum of terms, of none or of numbers too, always as the solver's expression."""
    from ortools.sat.python.cp_model import LinearExpr  # noqa: PLC0415 - as above

    return LinearExpr.sum(list(terms))

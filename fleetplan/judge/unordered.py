"""Pairs of steps that should be in order by `after`, and are not."""

from __future__ import annotations

from collections.abc import Iterator

from fleetplan.judge.case import Case
from fleetplan.judge.layout import listed
from fleetplan.rollout.columns import Ints
from fleetplan.rollout.invariants import InvariantId, Violation

MOST = 1000
"""After so many refusals of one rule nobody reads on, and a look at the rest could take long."""

PART = 4096
"""Pairs that are looked at before refusals are counted."""


def unordered(case: Case, earlier: Ints, later: Ints) -> Iterator[Violation]:
    """A violation for each pair (each step of `later` should wait for that of `earlier`), the first MOST or so of them."""
    refused = 0
    for begin in range(0, len(earlier), PART):
        first, second = earlier[begin : begin + PART], later[begin : begin + PART]
        for place in listed(~case.precedence.precedes(first, second)):
            refused += 1
            yield waits_not_for(case, int(second[place]), int(first[place]))
        if refused >= MOST:
            return


def waits_not_for(case: Case, step: int, other: int) -> Violation:
    """A step that should wait for another one."""
    return case.broken(InvariantId.AFTER, case.steps.id(step), step, other, waits_not_for=case.steps.id(other))

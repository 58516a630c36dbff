"""The moves of a plan as legs: guests that go from one host to one other, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleetplan.planner.grouping import rank_within
from fleetplan.planner.problem import Problem
from fleetplan.planner.waves import WaveChoice
from fleetplan.rollout.columns import Codes, Flags, Ints, Numbers, Places


@dataclass(frozen=True, slots=True, eq=False)
class Legs:
    """Legs in the order of waves, and within a wave of their source hosts. Moves stand in the order of their legs.

    `first` has an entry more than there are legs. A leg is one stream: where policy has several, what goes from one host to another is
    several legs.
    """

    wave: Places
    source: Places
    goal: Places
    first: Numbers
    duration_s: Numbers
    guest: Places
    """From here on by move."""
    copy_s: Numbers
    verdict: Codes
    of_move: Places
    """The leg of each move."""

    def __len__(self) -> int:
        """The number of legs."""
        return len(self.source)


def legs_of(problem: Problem, waves: list[WaveChoice]) -> Legs:
    """The legs of all waves. O(moves log moves of a wave)."""
    orders = [_order(problem, wave) for wave in waves]
    guest, source, goal = (_gathered([getattr(wave, name) for wave in waves], orders) for name in ("guests", "sources", "goals"))
    verdict = np.concatenate([np.zeros(0, np.uint8), *(wave.verdicts[order] for wave, order in zip(waves, orders, strict=True))])
    wave = np.repeat(np.arange(1, len(waves) + 1, dtype=np.int32), [len(choice.guests) for choice in waves])
    copy_s = problem.copies_s(guest, source, goal)
    stream = _streams(problem, wave, source, goal)
    if problem.fleet.policy.streams > 1:
        order = np.lexsort((stream, goal, source, wave))
        guest, source, goal, wave, stream = guest[order], source[order], goal[order], wave[order], stream[order]
        verdict, copy_s = verdict[order], copy_s[order]
    new = np.flatnonzero(_differs(wave) | _differs(source) | _differs(goal) | _differs(stream))
    count = np.diff(np.append(new, len(guest)))
    totals = np.concatenate(([0], np.cumsum(copy_s)))
    first = np.append(new, len(guest))
    return Legs(
        wave=wave[new],
        source=source[new],
        goal=goal[new],
        first=first,
        duration_s=totals[first[1:]] - totals[first[:-1]],
        guest=guest,
        copy_s=copy_s,
        verdict=verdict,
        of_move=np.repeat(np.arange(len(new), dtype=np.int32), count),
    )


def _gathered(columns: list[Places], orders: list[Numbers]) -> Places:
    return np.concatenate([np.zeros(0, np.int32), *(column[order] for column, order in zip(columns, orders, strict=True))])


def _order(problem: Problem, wave: WaveChoice) -> Numbers:
    """By source, goal and size, the largest first."""
    pair = wave.sources.astype(np.int64) << 32 | wave.goals
    return np.lexsort((wave.guests, -problem.guests.size[wave.guests, 1], pair))


def _streams(problem: Problem, wave: Places, source: Places, goal: Places) -> Places:
    """Which of a host's streams each move takes: those of one pair of hosts in turn."""
    streams = problem.fleet.policy.streams
    if streams == 1:
        return np.zeros(len(wave), np.int32)
    pair = np.cumsum(_differs(wave) | _differs(source) | _differs(goal)).astype(np.int32)
    return (rank_within(pair) % streams).astype(np.int32)


def _differs(column: Ints) -> Flags:
    """Whether a value differs from the one before it; the first does."""
    found = np.ones(len(column), np.bool_)
    found[1:] = column[1:] != column[:-1]
    return found

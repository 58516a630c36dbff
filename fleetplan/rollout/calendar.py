"""Windows of the week: when what disturbs anybody may start.

A plan counts seconds from when it begins; `begins_min` says when in the week that is, in minutes after Monday 00:00 UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleetplan.fleet.policy import Policy, Window
from fleetplan.rollout.plan import StepKind

DAY_MIN = 24 * 60
WEEK_MIN = 7 * DAY_MIN
WEEK_S = WEEK_MIN * 60

BOUND = (StepKind.CORDON, StepKind.MIGRATE, StepKind.STOP, StepKind.PIN)
"""Steps that disturb somebody, and start in windows only. What gives back (upgrade, check, uncordon, start) waits for none."""


@dataclass(frozen=True, slots=True, eq=False)
class Calendar:
    """Spans of the week that are open, in seconds of a plan's first week: apart, in order. Without windows all of it is."""

    starts_s: NDArray[np.int64]
    ends_s: NDArray[np.int64]
    begins_s: int
    """Where in the week the plan begins."""

    @classmethod
    def of(cls, policy: Policy, begins_min: int | None) -> Calendar:
        """The windows of a policy, for a plan that begins then (None: Monday 00:00)."""
        spans = sorted(_spans(policy.windows)) if policy.windows else [(0, WEEK_MIN)]
        merged: list[list[int]] = []
        for start, end in spans:
            if merged and start <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], end)
            else:
                merged.append([start, end])
        starts, ends = np.array(merged, np.int64).T * 60
        return cls(starts, ends, (begins_min or 0) * 60)

    def opens(self, times_s: NDArray[np.int64]) -> NDArray[np.int64]:
        """For times of the plan, when a window is open from then on: the time itself if one is open."""
        into_week = (times_s + self.begins_s) % WEEK_S
        span = np.searchsorted(self.ends_s, into_week, "right")
        starts = np.append(self.starts_s, self.starts_s[0] + WEEK_S)[span]
        opens: NDArray[np.int64] = times_s + np.maximum(starts - into_week, 0)
        return opens

    def opens_at(self, time_s: int) -> int:
        """The same for one time."""
        return int(self.opens(np.array([time_s], np.int64))[0])


def _spans(windows: tuple[Window, ...]) -> Iterator[tuple[int, int]]:
    """Spans of the week in minutes; one that goes on after Sunday midnight is two."""
    for window in windows:
        length = (window.end_min - window.start_min) % DAY_MIN or DAY_MIN
        for day in window.days:
            start = (day - 1) * DAY_MIN + window.start_min
            yield start, min(start + length, WEEK_MIN)
            if start + length > WEEK_MIN:
                yield 0, start + length - WEEK_MIN


def first_opening_min(policy: Policy) -> int | None:
    """Where in the week a plan begins that is not told otherwise: at the first opening of the week; None where there are no windows."""
    if not policy.windows:
        return None
    return min((day - 1) * DAY_MIN + window.start_min for window in policy.windows for day in window.days)

"""The invariant WINDOWS: what disturbs anybody starts inside a window."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fleetplan.judge.case import Case
from fleetplan.judge.layout import listed
from fleetplan.rollout.calendar import BOUND, WEEK_MIN
from fleetplan.rollout.invariants import InvariantId, Violation


def windows(case: Case) -> Iterator[Violation]:
    """The plan says when it begins, and from there every step that waits for a window starts in one."""
    begins, wanted = case.plan.begins_min, bool(case.fleet.policy.windows)
    known = begins is not None and 0 <= begins < WEEK_MIN
    if not known and (wanted or begins is not None):
        yield case.broken(InvariantId.WINDOWS, "plan", begins_min=begins)
    elif wanted:
        steps = np.concatenate([case.by_kind[kind] for kind in BOUND])
        starts = case.steps.start_s[steps]
        opens = case.calendar.opens(starts)
        for place in listed(opens != starts):
            step = int(steps[place])
            yield case.broken(InvariantId.WINDOWS, case.steps.id(step), step, opens_s=opens[place])

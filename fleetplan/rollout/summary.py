"""Waves in a few numbers, for people: how many steps of each kind, when the work begins and ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec
import numpy as np

from fleetplan.rollout.columns import KIND_CODE, KINDS, Steps
from fleetplan.rollout.plan import Step, StepKind, Wave


class WaveSummary(msgspec.Struct, frozen=True, kw_only=True):
    """`kinds` counts steps by kind; `start_s` and `end_s` are those of all steps but gates (0 if there are none)."""

    kinds: Mapping[StepKind, int]
    start_s: int
    end_s: int
    gates: tuple[Step, ...]


def summary(wave: Wave) -> WaveSummary:
    """A wave in short. Of a wave in columns no records are made but those of its gates."""
    return _of_columns(wave.steps) if isinstance(wave.steps, Steps) else _of_records(wave)


def _of_records(wave: Wave) -> WaveSummary:
    work = [step for step in wave.steps if step.kind is not StepKind.GATE]
    return WaveSummary(
        kinds=Counter(step.kind for step in wave.steps),
        start_s=min((step.start_s for step in work), default=0),
        end_s=max((step.end_s for step in work), default=0),
        gates=tuple(step for step in wave.steps if step.kind is StepKind.GATE),
    )


def _of_columns(steps: Steps) -> WaveSummary:
    own = slice(steps.first, steps.last)
    kind = steps.columns.kind[own]
    gate = kind == KIND_CODE[StepKind.GATE]
    starts, ends = steps.columns.start_s[own][~gate], steps.columns.end_s[own][~gate]
    counts = np.bincount(kind, minlength=len(KINDS)).tolist()
    return WaveSummary(
        kinds=Counter({each: count for each, count in zip(KINDS, counts, strict=True) if count}),
        start_s=int(starts.min()) if len(starts) else 0,
        end_s=int(ends.max()) if len(ends) else 0,
        gates=tuple(steps[int(place)] for place in np.flatnonzero(gate)),
    )

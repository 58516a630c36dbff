"""A plan as it would go if its steps took other times than forecast: every step starts when all in its `after` have ended."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from fleetplan.rollout.plan import Plan, Step, StepId


def executed(plan: Plan, durations_s: Mapping[StepId, int]) -> Plan:
    """The plan with the times that come of other durations (those that are not given stay as forecast). Raises ValueError on a circle."""
    waiting = {step.id: step for wave in plan.waves for step in wave.steps}
    done: dict[StepId, Step] = {}
    while waiting:
        ready = [step for step in waiting.values() if all(earlier in done for earlier in step.after)]
        if not ready:
            raise ValueError("steps wait for each other in a circle, or for one that there is not")
        for step in ready:
            start = max((done[earlier].end_s for earlier in step.after), default=0)
            done[step.id] = replace(step, start_s=start, duration_s=durations_s.get(step.id, step.duration_s))
            del waiting[step.id]
    waves = tuple(replace(wave, steps=tuple(done[step.id] for step in wave.steps)) for wave in plan.waves)
    return replace(plan, waves=waves)

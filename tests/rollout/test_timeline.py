"""Exposure after each wave, kept up to date from wave to wave, is that of the state after the wave."""

from __future__ import annotations

from collections import Counter
from typing import Any

from msgspec.structs import replace

from fleetplan.fleet.model import Fleet
from fleetplan.migration.classes import ClassTable
from fleetplan.migration.exposure import Exposure
from fleetplan.migration.standing import Exposures, Tally, tally
from fleetplan.rollout.audit import GONE, audit
from fleetplan.rollout.plan import Plan, Step
from fleetplan.rollout.replay import end
from fleetplan.rollout.state import after_wave
from fleetplan.rollout.timeline import timeline


def first_waves(plan: Plan, wave: int) -> Plan:
    """A plan cut off after a wave; what its steps would wait for in later waves is left out."""
    kept = plan.waves[:wave]
    there = {step.id for each in kept for step in each.steps}

    def cut(step: Step) -> Step:
        return replace(step, after=tuple(earlier for earlier in step.after if earlier in there))

    return replace(plan, waves=tuple(replace(each, steps=tuple(map(cut, each.steps))) for each in kept))


def played(fleet: Fleet, classes: ClassTable, plan: Plan, wave: int, known: Exposures) -> Tally:
    """Play the waves step by step, and count every guest where it is then."""
    came_to = end(fleet, classes, first_waves(plan, wave))
    now = dict(zip((host.name for host in fleet.hosts), classes.hosts_now, strict=True))
    then = dict(zip((host.name for host in fleet.hosts), classes.hosts_then, strict=True))
    gone = {host.name for host in fleet.hosts if host.state in GONE}
    pairs = Counter(
        (came_to.kind[guest.name], then[host] if host in came_to.done else now[host])
        for guest in fleet.guests
        if (host := came_to.at[guest.name]) not in gone
    )
    return tally((known.of(*pair), number) for pair, number in pairs.items())


def test_exposure_after_a_wave_is_that_of_the_plan_played_so_far_and_of_the_state_then(planned: list[Any]) -> None:
    changed, states = 0, set()
    for name, fleet, classes, plan in planned:
        known, moments = Exposures(classes), timeline(fleet, classes, plan)
        assert [moment.wave for moment in moments] == list(range(len(plan.waves) + 1)), name
        for moment in moments:
            assert moment.tally == played(fleet, classes, plan, moment.wave, known), (name, moment.wave)
            if moment.wave in {len(plan.waves) // 2, len(plan.waves)}:
                state = after_wave(fleet, classes, plan, moment.wave)
                assert moment.tally == audit(state.fleet, state.classes()).tally, (name, moment.wave)
            states |= {kind for count in moment.tally.items for kind, number in count.guests.items() if number}
        changed += moments[0].tally != moments[-1].tally
    assert changed > 5
    assert states == set(Exposure)


def test_moments_come_when_the_last_step_of_their_waves_has_ended(planned: list[Any]) -> None:
    for name, fleet, classes, plan in planned:
        found = [moment.ends_s for moment in timeline(fleet, classes, plan)]
        expected = [max([0, *(step.end_s for each in plan.waves[:wave] for step in each.steps)]) for wave in range(len(plan.waves) + 1)]
        assert found == expected, name

"""Landings, maps and time lines say what slower, older parts of fleetplan say."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from fleetplan import workflow
from fleetplan.output.ink import plain
from fleetplan.output.risk import Stand
from fleetplan.rollout import state
from fleetplan.rollout.moves import move_kinds
from fleetplan.rollout.plan import Plan, StepKind
from fleetplan.tui.fleet.map import MOST_CARDS, fleet_map
from fleetplan.tui.fleet.picture import NUMBER
from fleetplan.tui.moves.landings import RESTARTS
from fleetplan.tui.waves.timeline import place, timeline

from .driving import situation

PLANNED = ("half-upgraded.yaml", "mixed-cpus.yaml", "old-kernels.yaml", "small.yaml", "tight.yaml", "three-zones")


def plan_of(name: str) -> Plan:
    plan = situation(name).plan
    assert plan is not None
    return plan


@pytest.mark.parametrize("name", PLANNED)
def test_landings_are_of_the_kinds_that_the_walk_through_the_plan_finds(name: str) -> None:
    seen, study = situation(name).landings, situation(name).study
    moves = np.flatnonzero(seen.risk != RESTARTS)
    found = Counter(zip(*(column[moves].tolist() for column in (seen.kind, seen.here, seen.there)), strict=True))
    kinds = move_kinds(study.fleet, study.classes, plan_of(name))
    assert found == {(kind.guest_class, kind.source_class, kind.destination_class): kind.count for kind in kinds}


@pytest.mark.parametrize("name", PLANNED)
def test_every_migration_and_every_restart_is_a_row_with_its_hosts(name: str) -> None:
    seen, columns = situation(name).landings, situation(name).columns
    rows = {
        (columns.guests.names[guest], columns.hosts.names[source], columns.hosts.names[to], start)
        for guest, source, to, start in zip(
            *(column.tolist() for column in (seen.guest, seen.source, seen.destination, seen.start_s)), strict=True
        )
    }
    steps = [step for wave in plan_of(name).waves for step in wave.steps]
    moves = {(step.guest, step.source, step.destination, step.start_s) for step in steps if step.kind is StepKind.MIGRATE}
    boots = {(step.guest, step.host, step.host, step.start_s) for step in steps if step.kind is StepKind.START}
    assert rows == moves | boots
    assert all(one >= other for one, other in pairwise(seen.risk.tolist()))


@pytest.mark.parametrize("name", PLANNED)
def test_at_the_end_guests_are_where_the_state_after_the_last_wave_has_them(name: str) -> None:
    seen, study = situation(name), situation(name).study
    picture = seen.journey.at(seen.journey.end_s)
    after = state.after_wave(study.fleet, study.classes, plan_of(name), len(plan_of(name).waves)).fleet
    counts = Counter(guest.on for guest in after.guests)
    assert {host: count for host, count in zip(seen.columns.hosts.names, picture.guests.tolist(), strict=True) if count} == counts
    upgraded = [host.release == study.fleet.target for host in after.hosts]
    assert (picture.stand == NUMBER[Stand.DONE]).tolist() == upgraded


@pytest.mark.parametrize("name", PLANNED)
def test_nothing_is_on_a_host_that_is_away_but_what_restarts_there(name: str) -> None:
    seen = situation(name)
    for moment in seen.journey.events.tolist():
        picture = seen.journey.at(moment)
        away = picture.stand == NUMBER[Stand.AWAY]
        restarting = np.bincount(seen.landings.source[seen.landings.risk == RESTARTS], minlength=len(away))
        assert (picture.guests[away] <= restarting[away]).all()


@pytest.mark.parametrize("width", [30, 80, 200])
@pytest.mark.parametrize("name", ["half-upgraded.yaml", "three-zones"])
def test_every_host_is_once_on_the_map_and_found_where_it_is(name: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = situation(name).columns
    for most in (MOST_CARDS, 0):
        monkeypatch.setattr("fleetplan.tui.fleet.map.MOST_CARDS", most)
        found = fleet_map(columns, np.arange(len(columns.hosts.names)), width)
        assert sorted(found.places) == list(range(len(columns.hosts.names)))
        picture = situation(name).journey.at()
        for host in found.places:
            y, start, end = found.span(host)
            assert found.at(y, start) == found.at(y, end) == host
            assert plain(found.line(y, picture))[start:end].strip().startswith(picture.sign(host).glyph)
        assert all(found.step(host, 0, 1) != host for host in list(found.places)[:-1])


@pytest.mark.parametrize("width", [40, 80, 150])
def test_bars_of_the_time_line_have_one_width_and_one_mark(width: int) -> None:
    seen = situation("half-upgraded.yaml")
    line = timeline(seen.journey, workflow.critical_path(seen.study, plan_of("half-upgraded.yaml")))
    for moment in (0, 100, seen.journey.end_s):
        texts = [plain(line.head(moment, width)), *(plain(line.line(y, moment, width)) for y in range(len(line.hosts)))]
        assert {len(text) for text in texts} == {width}
        assert {text.index(mark) for text, mark in zip(texts, "▼" + "│" * len(line.hosts), strict=True)} == {
            line.label + place(moment, seen.journey.end_s, width - line.label)
        }
    assert line.second(line.label, width) == 0
    assert line.second(width - 1, width) == seen.journey.end_s

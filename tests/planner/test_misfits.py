"""Hosts that are given up before they are packed are those that packing gives up."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetplan.fleet.model import Fleet, Release
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.misfits import misfits
from fleetplan.planner.occupancy import Occupancy
from fleetplan.planner.packing import Bins, pack
from fleetplan.planner.problem import Problem
from fleetplan.rollout.columns import NONE, Places

NEW = Release("6.18.15", "qemu-11.1.3")


@st.composite
def fleets(draw: st.DrawFn, make: Any) -> Fleet:
    """Some hosts to empty, some that are upgraded, with guests on all of them."""
    olds, news = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    hosts = [make.host(f"o{number}", vcpus=8, memory_mib=8192) for number in range(olds)]
    hosts += [make.host(f"n{number}", vcpus=8, memory_mib=8192, release=NEW) for number in range(news)]
    sizes = st.tuples(st.integers(1, 6), st.integers(1, 6), st.sampled_from([None, None, "w"]))
    guests = [
        make.guest(f"{host.name}-{number}", host.name, vcpus=vcpus, memory_mib=memory * 1024, group=group)
        for host in hosts
        for number, (vcpus, memory, group) in enumerate(draw(st.lists(sizes, max_size=4)))
    ]
    fleet: Fleet = make.fleet(hosts, guests)
    return fleet


def fits(occupancy: Occupancy, guests: Places, landing: Places) -> bool:
    """Whether there is any way to land all guests, rules aside."""
    free = occupancy.free(landing)
    for goals in product(range(len(landing)), repeat=len(guests)):
        used = np.zeros_like(free)
        np.add.at(used, list(goals), occupancy.size[guests])
        if (used <= free).all():
            return True
    return False


@settings(max_examples=150)
@given(data=st.data())
def test_no_host_is_given_up_whose_guests_fit(make: Any, data: st.DataObject) -> None:
    fleet = data.draw(fleets(make))
    occupancy = Occupancy(Problem(fleet, ClassTable(fleet)))
    old = np.flatnonzero(occupancy.problem.pending).astype(np.int32)
    for landing in (np.flatnonzero(occupancy.open).astype(np.int32), np.arange(len(fleet.hosts), dtype=np.int32)):
        for host, given_up in zip(old.tolist(), misfits(occupancy, old, landing).tolist(), strict=True):
            there = fits(occupancy, occupancy.movers.one(host), landing[landing != host])
            assert not (given_up and there)


def test_a_host_with_more_large_guests_than_large_pieces_is_given_up(make: Any) -> None:
    hosts = [make.host("a"), make.host("n", release=NEW), make.host("m", release=NEW)]
    guests = [make.guest("g1", "a", vcpus=4), make.guest("g2", "n", vcpus=5), make.guest("g3", "m", vcpus=5)]
    fleet = make.fleet(hosts, guests)
    occupancy = Occupancy(Problem(fleet, ClassTable(fleet)))
    numbers = {host.name: number for number, host in enumerate(fleet.hosts)}
    old, landing = (np.array([numbers[name] for name in names], np.int32) for names in ("a", "nm"))  # type: ignore[index]
    assert misfits(occupancy, old, landing).tolist() == [True]


@settings(max_examples=150)
@given(data=st.data())
def test_where_whole_hosts_count_packing_gives_up_the_same(make: Any, data: st.DataObject) -> None:
    fleet = data.draw(fleets(make))
    problem = Problem(fleet, ClassTable(fleet))
    for host in np.flatnonzero(problem.pending).tolist():
        found = []
        for whole in (False, True):
            occupancy = Occupancy(problem)
            opened = np.flatnonzero(occupancy.open).astype(np.int32)
            homeless = pack(occupancy, occupancy.movers.one(host), Bins.of(occupancy, opened), whole=whole)
            found.append((len(homeless) > 0, occupancy.goal))
            assert whole or set(homeless.tolist()) == {g for g in occupancy.movers.one(host).tolist() if occupancy.goal[g] == NONE}
        (some, full), (none, quick) = found
        assert some == none
        assert some or full.tolist() == quick.tolist()

"""The state graph: against brute force on small graphs, and by hand against the reference."""

from __future__ import annotations

from itertools import chain, combinations, pairwise
from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetplan.fleet.model import Fleet, Guest, GuestName, Host, HostFacts, HostName, Release
from fleetplan.migration import graph as graphs
from fleetplan.migration import openings
from fleetplan.migration.classes import ClassTable
from fleetplan.migration.graph import (
    MIGRATE,
    State,
    StateGraph,
    allowed_moves,
    hosts_in_reach,
    one_way_doors,
    state_graph,
    stepping_stones,
    traps,
)
from fleetplan.migration.openings import (
    NOTHING,
    BlockedWay,
    Change,
    ChangeKind,
    Changes,
    blocked_ways,
    bottleneck,
    cheapest,
    releases_on_offer,
)

N1 = HostFacts(cpu="neoverse-n1", midr=0x413FD0C1, revidr=0, cmdline="quiet")
Q10, Q11 = "qemu-10.0.13", "qemu-11.1.3"


def fleet(*kernels: str, target: str, vmm: str = Q11, other_vmms: tuple[str, ...] = (), **guest: Any) -> Fleet:
    """A host of each kernel with a guest that was born there; after those, an empty host of the first kernel for each other VMM."""
    releases = [Release(kernel, vmm) for kernel in kernels] + [Release(kernels[0], other) for other in other_vmms]
    hosts = tuple(
        Host(name=HostName(f"h{number}"), release=release, vcpus=8, memory_mib=8192, facts=N1) for number, release in enumerate(releases)
    )
    guests = tuple(
        Guest(name=GuestName(f"v{number}"), on=host.name, vcpus=1, memory_mib=512, **guest)
        for number, host in enumerate(hosts[: len(kernels)])
    )
    return Fleet(target=Release(target, vmm), hosts=hosts, guests=guests)


def ways(of: Fleet) -> dict[tuple[str, str], BlockedWay]:
    """Blocked ways by the kernels of both ends."""
    table = ClassTable(of)
    found, left_out = blocked_ways(of, table, state_graph(table))
    assert left_out == 0
    kernel = {host: table.host_class(host).release.kernel for host in table.host_classes}
    return {(kernel[way.start[1]], kernel[way.goal]): way for way in found}


def kinds(way: BlockedWay) -> set[ChangeKind]:
    assert way.opening is not None
    return {change.kind for change in way.opening.changes}


# --- by hand -------------------------------------------------------------------------------------------------------------------------


def test_a_pin_opens_the_way_from_6_18_to_6_12_and_none_that_to_6_1() -> None:
    found = ways(fleet("6.18.15", "6.12.117", "6.1.176", target="6.18.15", restartable=True))
    opening = found["6.18.15", "6.12.117"].opening
    assert opening is not None
    assert opening.changes == (Change(ChangeKind.PIN, "1.1"),)
    assert len(opening.path) == 3
    assert ChangeKind.PIN not in kinds(found["6.18.15", "6.1.176"])
    assert ChangeKind.PIN not in kinds(found["6.12.117", "6.1.176"])


def test_guests_that_may_not_restart_are_told_no_restart() -> None:
    found = ways(fleet("6.18.15", "6.12.117", target="6.18.15"))
    way = found["6.18.15", "6.12.117"]
    assert (way.guests, way.restartable, way.opening, way.otherwise) == (1, 0, None, None)


def test_an_unlucky_pair_fails_forward_and_another_vmm_opens_it() -> None:
    plain = ways(fleet("6.12.117", "6.18.15", target="7.3.4", vmm=Q10))
    assert plain["6.12.117", "7.3.4"].otherwise is None
    offered = ways(fleet("6.12.117", "6.18.15", target="7.3.4", vmm=Q10, other_vmms=(Q11,)))["6.12.117", "7.3.4"].otherwise
    assert offered is not None
    assert [change.kind for change in offered.changes] == [ChangeKind.VMM]


def test_nothing_live_leads_from_5_10_to_6_1_on_n1() -> None:
    found = ways(fleet("5.10.262", "5.15.100", "6.1.176", target="6.1.176", vmm="qemu-7.2.18"))
    assert found["5.10.262", "6.1.176"].otherwise is None
    restarted = ways(fleet("5.10.262", "6.1.176", target="6.1.176", vmm="qemu-7.2.18", restartable=True))
    assert kinds(restarted["5.10.262", "6.1.176"]) == {ChangeKind.RESTART_THERE}


def test_doors_traps_and_ends_of_6_1_to_6_18() -> None:
    of = fleet("6.18.15", "6.12.117", "6.1.176", target="6.18.15")
    table = ClassTable(of)
    found = state_graph(table)
    new, old, oldest = table.hosts_now
    doors = {(door.source[1], door.target[1]) for door in one_way_doors(found)}
    assert doors == {(oldest, new), (oldest, old)}
    (born_new,) = (state for state in table.states_now() if state[1] == new)
    assert any(born_new in members for members in traps(found))
    assert found.refused[born_new]
    assert not found.open_ended


def test_a_graph_that_is_cut_off_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "MOST_STATES", 4)
    of = fleet("6.18.15", "6.12.117", "6.1.176", target="6.18.15")
    found = state_graph(ClassTable(of))
    assert found.open_ended
    assert set(found.open_ended).isdisjoint(found.refused)
    assert not {state for members in traps(found) for state in members} & set(found.open_ended)


def test_blocked_ways_that_are_not_worked_out_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    of = fleet("6.18.15", "6.12.117", "6.1.176", target="6.18.15", restartable=True)
    table = ClassTable(of)
    whole, none_left = blocked_ways(of, table, state_graph(table))
    monkeypatch.setattr(openings, "MOST_WAYS", 1)
    some, left = blocked_ways(of, table, state_graph(table))
    assert (some, left, none_left) == (whole[:1], len(whole) - 1, 0)
    monkeypatch.setattr(openings, "MOST_HOSTS", 2)
    assert blocked_ways(of, table, state_graph(table)) == ([], len(whole))


def test_kernels_and_vmms_on_offer_are_combined() -> None:
    offered = releases_on_offer(fleet("6.12.117", target="7.3.4", vmm=Q10, other_vmms=(Q11,)))
    assert Release("7.3.4", Q11) in offered
    assert len(offered) == 4


def test_streams_limit_how_many_cross_at_a_time() -> None:
    of = fleet("6.12.117", "6.12.117", "6.12.117", "6.18.15", target="6.18.15")
    table = ClassTable(of)
    limit = bottleneck(of, table)
    assert (limit.waiting, limit.stuck, limit.at_once) == (3, 0, 1)
    assert limit.receiving == (table.hosts_now[3],)
    assert limit.sending == ()


def test_guests_that_may_not_move_do_not_cross() -> None:
    of = fleet("5.10.262", "5.15.100", target="6.1.176", vmm="qemu-7.2.18")
    limit = bottleneck(of, ClassTable(of))
    assert (limit.waiting, limit.stuck, limit.at_once) == (2, 1, 1)


# --- against brute force -------------------------------------------------------------------------------------------------------------

STATES = [(guest, host) for guest in range(2) for host in range(3)]
FEW = STATES[:4]
CHANGES = [Change(kind, subject) for kind in (ChangeKind.WAIVER, ChangeKind.VMM, ChangeKind.RESTART) for subject in ("a", "b")]
STEPS = st.lists(st.tuples(st.sampled_from(FEW), st.sampled_from(FEW), st.frozensets(st.sampled_from(CHANGES), max_size=2)), max_size=16)


def subsets(things: list[Change]) -> list[Changes]:
    return [frozenset(some) for some in chain.from_iterable(combinations(things, size) for size in range(len(things) + 1))]


@settings(max_examples=200, deadline=None)
@given(steps=STEPS, goals=st.dictionaries(st.sampled_from(FEW), st.frozensets(st.sampled_from(CHANGES), max_size=1), max_size=3))
def test_the_cheapest_change_is_the_cheapest_of_all_sets_that_open_the_way(
    steps: list[tuple[State, State, Changes]], goals: dict[State, Changes]
) -> None:
    graph: nx.DiGraph[State] = nx.DiGraph()
    for one, other, changes in steps:
        known = graph.edges[one, other]["options"] if graph.has_edge(one, other) else ()
        graph.add_edge(one, other, options=(*known, changes))
    start = STATES[0]
    least = None
    for made in subsets(CHANGES):
        lifted: nx.DiGraph[State] = nx.DiGraph()
        lifted.add_nodes_from(STATES)
        lifted.add_edges_from((one, other) for one, other, changes in steps if changes <= made)
        reached = {start, *nx.descendants(lifted, start)}
        cost = sum(change.cost for change in made)
        if any(goal in reached and extra <= made for goal, extra in goals.items()) and (least is None or cost < least):
            least = cost
    opening = cheapest(graph, start, goals)
    assert (None if opening is None else opening.cost) == least
    if opening is not None:
        _walks(graph, opening.path, frozenset(opening.changes))


def _walks(graph: Any, path: tuple[State, ...], made: Changes) -> None:
    """Each step of the path is open under the changes."""
    for one, other in pairwise(path):
        assert any(option <= made for option in graph.edges[one, other]["options"])


def test_a_change_that_covers_two_steps_is_paid_once() -> None:
    waiver, two = frozenset({Change(ChangeKind.WAIVER, "a")}), frozenset({Change(ChangeKind.KERNEL, host=1)})
    other = frozenset({Change(ChangeKind.KERNEL, host=2)})
    graph: nx.DiGraph[State] = nx.DiGraph()
    for one, after, changes in [((0, 0), (0, 1), waiver), ((0, 1), (0, 2), waiver), ((0, 0), (1, 1), two), ((1, 1), (0, 2), other)]:
        graph.add_edge(one, after, options=(changes,))
    opening = cheapest(graph, (0, 0), {(0, 2): NOTHING})
    assert opening is not None
    assert opening.changes == tuple(waiver)


def test_a_dearer_way_to_a_stone_is_kept_if_what_it_needs_is_paid_already() -> None:
    restart, waiver = Change(ChangeKind.RESTART), Change(ChangeKind.WAIVER, "a")
    graph: nx.DiGraph[State] = nx.DiGraph()
    graph.add_edge((0, 0), (0, 1), options=(frozenset({restart}), frozenset({waiver})))
    graph.add_edge((0, 1), (0, 2), options=(frozenset({waiver}),))
    opening = cheapest(graph, (0, 0), {(0, 2): NOTHING})
    assert opening is not None
    assert opening.changes == (waiver,)


def test_a_trap_with_an_open_end_is_none() -> None:
    steps: nx.DiGraph[State] = nx.DiGraph()
    steps.add_edge((0, 0), (0, 1), allowed=True, kind=MIGRATE, label="")
    assert traps(StateGraph(steps, {}, (0, 1), ())) == [((0, 1),)]
    assert traps(StateGraph(steps, {}, (0, 1), ((0, 1),))) == []


@settings(max_examples=300, deadline=None)
@given(edges=st.lists(st.tuples(st.sampled_from(STATES), st.sampled_from(STATES), st.integers(0, 4)), min_size=4, max_size=20))
def test_doors_traps_and_stones_are_what_their_words_say(edges: list[tuple[State, State, int]]) -> None:
    steps: nx.DiGraph[State] = nx.DiGraph()
    steps.add_nodes_from(STATES)
    for one, other, forbidden in edges:
        if one != other:
            kind = MIGRATE if one[1] != other[1] else graphs.COLD_BOOT
            steps.add_edge(one, other, allowed=forbidden > 0, kind=kind, label="")
    found = StateGraph(steps, {}, (0, 1, 2), ())
    moves_only = allowed_moves(found)
    usable = nx.DiGraph([(one, other) for one, other, data in steps.edges(data=True) if data["allowed"]])
    usable.add_nodes_from(STATES)
    after = {state: {state, *nx.descendants(moves_only, state)} for state in STATES}
    ever = {state: {state, *nx.descendants(usable, state)} for state in STATES}

    assert hosts_in_reach(moves_only) == {state: frozenset(host for _, host in after[state]) for state in STATES}
    doors = {(door.source, door.target): door.restart_opens for door in one_way_doors(found)}
    for one, other in moves_only.edges:
        shut = all(host != one[1] for _, host in after[other])
        assert ((one, other) in doors) == shut
        if shut:
            assert doors[one, other] == any(host == one[1] for _, host in ever[other])
    caught = {state for members in traps(found) for state in members}
    hosts = {state: {host for _, host in ever[state]} for state in STATES}
    shut_in = {state for state in STATES if all(hosts[other] == hosts[state] for other in ever[state])}
    entered = [hosts[other] for one, other in usable.edges if other in shut_in and hosts[one] != hosts[other]]
    assert caught == {state for state in shut_in if hosts[state] in entered}
    for start in STATES:
        stones = stepping_stones(moves_only, start)
        near = {host for _, host in moves_only.successors(start)} | {start[1]}
        assert set(stones) == {host for _, host in after[start]} - near
        for host, path in stones.items():
            assert nx.is_path(moves_only, list(path))
            lengths = nx.single_source_shortest_path_length(moves_only, start)
            assert len(path) - 1 == min(length for state, length in lengths.items() if state[1] == host)

"""What to find out first: the cover against brute force, and on fleets."""

from __future__ import annotations

from itertools import chain, combinations, permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from fleetplan.fleet.model import Birth, Fleet, Guest, GuestName, Host, HostFacts, HostName, Reboot, Release, Workarounds
from fleetplan.migration import asking
from fleetplan.migration.asking import Ask, AskKind, Ways, asked, in_order
from fleetplan.migration.classes import ClassTable

SETS = st.frozensets(st.sampled_from("abcdef"), min_size=1, max_size=3)
MOVES = st.lists(st.lists(SETS, min_size=1, max_size=3).map(tuple), max_size=6)


def decided(known: frozenset[str], moves: list[Ways[str]]) -> int:
    return sum(any(way <= known for way in ways) for ways in moves)


@settings(max_examples=150)
@given(moves=MOVES)
def test_the_answer_decides_every_move_by_the_fewest_things(moves: list[Ways[str]]) -> None:
    found = in_order(moves)
    things = [thing for thing, _ in found]
    assert len(set(things)) == len(things)
    assert decided(frozenset(things), moves) == len(moves)
    every = chain.from_iterable(combinations("abcdef", size) for size in range(7))
    assert len(things) == next(len(chosen) for chosen in every if decided(frozenset(chosen), moves) == len(moves))
    assert [count for _, count in found] == [decided(frozenset(things[: n + 1]), moves) for n in range(len(things))]


@given(moves=st.lists(SETS.map(lambda way: (way,)), min_size=1, max_size=6))
def test_among_many_things_the_greedy_choice_decides_every_move_too(moves: list[Ways[str]]) -> None:
    most, asking.MOST_TRIED = asking.MOST_TRIED, 0
    try:
        found = in_order(moves)
    finally:
        asking.MOST_TRIED = most
    assert found[-1][1] == len(moves)


def test_what_decides_the_most_comes_first() -> None:
    moves: list[Ways[str]] = [(frozenset("z"),), (frozenset("a"),), (frozenset("z"),), (frozenset("za"),)]
    assert in_order(moves) == [("z", 2), ("a", 4)]
    assert max(decided(frozenset(order[0]), moves) for order in permutations("az")) == 2


def test_two_things_that_decide_much_together_come_before_one_that_decides_little() -> None:
    moves: list[Ways[str]] = [(frozenset("c"),), *[(frozenset("xy"),)] * 5]
    assert in_order(moves) == [("x", 0), ("y", 5), ("c", 6)]


def test_a_move_that_nothing_decides_asks_for_nothing() -> None:
    assert in_order([(), (frozenset("a"),)]) == [("a", 1)]


# --- fleets ---------------------------------------------------------------------------------------------------------------------------

KNOWN = HostFacts(midr=0x410FD083, revidr=0, cmdline="quiet", workarounds=Workarounds(1, 3, 1))
SILENT = HostFacts(midr=0x410FD083, revidr=0, cmdline="quiet")
N1 = HostFacts(midr=0x413FD0C1, revidr=0, cmdline="quiet")
RELEASE = Release("6.12.117", "qemu-11.1.3")


def fleet_of(*facts: HostFacts, release: Release = RELEASE, target: Release = RELEASE, **guest: object) -> Fleet:
    hosts = tuple(Host(name=HostName(f"h{n}"), release=release, vcpus=8, memory_mib=8, facts=own) for n, own in enumerate(facts))
    guests = (Guest(name=GuestName("g"), on=HostName("h0"), vcpus=1, memory_mib=1, **guest),)  # type: ignore[arg-type] # fields of a guest
    return Fleet(target=target, hosts=hosts, guests=guests)


def asks(fleet: Fleet) -> list[Ask]:
    return [step.ask for step in asked(fleet, ClassTable(fleet))]


def test_a_fleet_of_which_all_is_known_is_asked_nothing() -> None:
    assert asks(fleet_of(KNOWN, KNOWN)) == []


def test_one_host_of_each_silent_kind_is_asked_for() -> None:
    fleet = fleet_of(KNOWN, SILENT, SILENT)
    (ask,) = asks(fleet)
    assert ask == Ask(kind=AskKind.PROBE, number=ClassTable(fleet).hosts_now[1])


def test_a_package_is_asked_for_by_its_name() -> None:
    (ask,) = asks(fleet_of(N1, N1, release=Release("6.6.60", "qemu-10.1.0-20.el10"), target=Release("6.16.3", "qemu-10.1.0-20.el10")))
    assert ask.kind is AskKind.PACKAGE
    assert "qemu-10.1.0-20.el10" in ask.what


def test_a_birth_that_contradicts_itself_is_asked_for() -> None:
    born = Birth(kernel="6.1.176", psci="1.3")
    fleet = fleet_of(KNOWN, KNOWN, release=Release("6.18.15", "qemu-11.1.3"), born=born, rebooted=Reboot(ever=False))
    kinds = {(ask.kind, "born.psci" in ask.what) for ask in asks(fleet)}
    assert kinds == {(AskKind.GUEST_FACT, True)}

"""The fleet after a wave is what playing the plan so far comes to."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from fleetplan.fleet.model import Birth, Fleet, Guest, GuestName, Host, HostFacts, HostName, HostState, Reboot, Release, Workarounds
from fleetplan.fleet.policy import Immovable, Policy
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.search import plan as make_plan
from fleetplan.rollout.plan import Plan, Step
from fleetplan.rollout.replay import end
from fleetplan.rollout.state import State, after_wave

DIGEST = "sha256:test"
OLD, NEW = Release("6.12.117", "qemu-11.1.3"), Release("6.18.15", "qemu-11.1.3")


def first_waves(plan: Plan, wave: int) -> Plan:
    """A plan cut off after a wave; what its steps would wait for in later waves is left out."""
    kept = plan.waves[:wave]
    there = {step.id for each in kept for step in each.steps}

    def cut(step: Step) -> Step:
        return replace(step, after=tuple(earlier for earlier in step.after if earlier in there))

    return replace(plan, waves=tuple(replace(each, steps=tuple(map(cut, each.steps))) for each in kept))


def test_the_state_after_a_wave_is_what_replay_comes_to(planned: list[Any]) -> None:
    """Placement, releases, and what every guest and every host class is."""
    moved = 0
    for name, fleet, classes, plan in planned:
        for wave in range(len(plan.waves) + 1):
            state = after_wave(fleet, classes, plan, wave)
            played = end(fleet, classes, first_waves(plan, wave))
            after = state.classes()
            assert {guest.name: guest.on for guest in state.fleet.guests} == played.at, name
            assert {host.name for host in state.fleet.hosts if host.release == fleet.target} == played.done, name
            for guest, kind in zip(state.fleet.guests, after.guests, strict=True):
                assert known(after, kind) == known(classes, played.kind[guest.name]), (name, wave, guest.name)
            for number, host in enumerate(fleet.hosts):
                was = classes.hosts_then if host.name in played.done else classes.hosts_now
                assert nature(after, after.hosts_now[number]) == nature(classes, was[number]), (name, wave, host.name)
            moved += played.at != {guest.name: guest.on for guest in fleet.guests}
    assert moved > 20


def test_a_host_that_goes_back_is_what_it_was(planned: list[Any]) -> None:
    for _, fleet, classes, plan in planned:
        after = after_wave(fleet, classes, plan, len(plan.waves)).classes()
        for number, host in enumerate(fleet.hosts):
            assert nature(after, after.hosts_on(host.release)[number]) == nature(classes, classes.hosts_now[number])


def known(table: ClassTable, kind: int) -> frozenset[object]:
    """What guests of a class may be, comparable between tables."""
    found = []
    for possible in table.possible(kind):
        state = possible.state
        others = {name: getattr(state, name) for name in state.__struct_fields__ if name != "carried"}
        found.append((tuple(sorted(others.items(), key=lambda item: item[0])), tuple(state.carried.registers.values()), possible.given))
    return frozenset(found)


def nature(table: ClassTable, number: int) -> tuple[object, ...]:
    offered = table.host_class(number)
    return (offered.release, offered.kvms, offered.vmms, offered.identity, offered.features)


# --- records -------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def two_sides() -> State:
    """Guests of every sort that have hopped from 6.12 to 6.18, or booted there."""
    facts = HostFacts(midr=0x413FD0C1, revidr=0, cmdline="quiet")
    hosts = [Host(name=HostName(name), release=OLD, vcpus=64, memory_mib=65_536, facts=facts) for name in ("a", "b")]
    fields: dict[str, dict[str, Any]] = {
        "assumed": {},
        "boots": {"migratable": False, "restartable": True, "psci_max": "1.1"},
        "pinned": {"born": Birth(psci="1.0")},
        "told": {"born": Birth(kernel=OLD.kernel, vmm=OLD.vmm), "rebooted": Reboot()},
    }
    guests = [Guest(name=GuestName(name), on=HostName("b"), vcpus=1, memory_mib=64, **own) for name, own in fields.items()]
    fleet = Fleet(target=NEW, hosts=tuple(hosts), guests=tuple(guests), policy=Policy(immovable=Immovable.RESTART))  # type: ignore[arg-type]
    classes = ClassTable(fleet)
    outcome = make_plan(fleet, classes, digest=DIGEST)
    assert isinstance(outcome, Plan)
    return after_wave(fleet, classes, outcome, len(outcome.waves))


def test_records_say_where_guests_come_from(two_sides: State) -> None:
    told = {guest.name: (guest.born, guest.rebooted) for guest in two_sides.fleet.guests}
    here, never = Birth(kernel=OLD.kernel, vmm=OLD.vmm), Reboot(ever=False)
    assert told["assumed"] == (here, never)
    assert told["boots"] == (Birth(kernel=NEW.kernel, vmm=NEW.vmm, psci="1.1"), never)
    assert told["pinned"] == (replace(here, psci="1.0"), never)
    assert told["told"] == (here, Reboot(kernel=OLD.kernel))


def test_of_guests_that_hopped_once_between_hosts_of_one_kind_records_say_all(two_sides: State) -> None:
    """Written as an inventory, the state gives the same classes, save that a birth which was assumed is now said."""
    said, read = two_sides.classes(), ClassTable(two_sides.fleet)
    for guest, one, other in zip(two_sides.fleet.guests, said.guests, read.guests, strict=True):
        assert certain(said, one) == certain(read, other), guest.name


def certain(table: ClassTable, kind: int) -> frozenset[object]:
    said = {"assumed_birth": False, "assumed_promise": False}
    plain = [replace(possible, state=replace(possible.state, **said), given=()) for possible in table.possible(kind)]
    return frozenset((str(replace(possible.state, carried=None)), tuple(possible.state.carried.registers.values())) for possible in plain)


def test_upgraded_hosts_are_up_and_remember_where_their_facts_were_read(two_sides: State) -> None:
    assert {(host.release, host.state, host.read_on) for host in two_sides.fleet.hosts} == {(NEW, HostState.UP, OLD)}
    assert all(host.facts_of == OLD for host in two_sides.fleet.hosts)


def test_facts_of_another_release_are_no_probe_of_this_one() -> None:
    """Levels that were read on another kernel say what the machine is, and no more: this kernel may do without what that one did."""
    facts = HostFacts(midr=0x410FD083, revidr=0, cmdline="quiet", workarounds=Workarounds(1, 0, 0))
    host = Host(name=HostName("h"), release=NEW, vcpus=4, memory_mib=64, facts=facts)
    fleet = Fleet(target=NEW, hosts=(host, replace(host, name=HostName("i"), read_on=OLD)))
    table = ClassTable(fleet)
    assert table.hosts_now[0] != table.hosts_now[1]
    assert [len(table.host_class(number).kvms) for number in table.hosts_now] == [2, 4]

"""A probe that speaks for twins: they are judged as if each had been probed, and strangers are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fleetplan.fleet.model import Fleet, Guest, GuestName, Host, HostFacts, HostName, Release, Workarounds
from fleetplan.fleet.policy import Policy
from fleetplan.migration.classes import ClassTable
from fleetplan.migration.twins import NEEDED, twins

DATA = json.loads((Path(__file__).resolve().parent.parent / "data" / "migrations.json").read_text())["hosts"]
VERSIONS = {"5.2": "qemu-5.2.0", "7.2": "qemu-7.2.18", "10.0": "qemu-10.0.13", "11.1": "qemu-11.1.3"}
NAMES = sorted(DATA)


def probed(name: str, place: str) -> Host:
    """A host that was really probed, with all that twins need."""
    end = DATA[name]
    registers = tuple((int(register, 16), int(value, 16)) for register, value in end["registers"])
    facts = HostFacts(midr=int(end["midr"], 16), revidr=int(end["revidr"], 16), cmdline="quiet", firmware=f"of {name}", registers=registers)
    return Host(name=HostName(place), release=Release(end["kernel"], VERSIONS[end["qemu"]]), vcpus=8, memory_mib=1, facts=facts)


def silent(host: Host, name: str, **facts: Any) -> Host:
    return replace(host, name=HostName(name), facts=replace(host.facts, registers=None, masks=None, **facts))


def fleet_of(*hosts: Host, speak: bool) -> Fleet:
    guests = tuple(Guest(name=GuestName(f"g-{host.name}"), on=host.name, vcpus=1, memory_mib=1) for host in hosts)
    return Fleet(target=hosts[0].release, hosts=hosts, guests=guests, policy=Policy(probe_twins=speak))


def verdicts(fleet: Fleet) -> list[tuple[object, ...]]:
    table = ClassTable(fleet)
    moves = [
        (table.guests[guest], table.hosts_now[guest], there)
        for guest in range(len(fleet.guests))
        for there in (*table.hosts_now, *table.hosts_then)
    ]
    return [(told.verdict, told.stage, told.messages) for told in (table.judgment(*move) for move in moves)]


@settings(max_examples=25, deadline=None)
@given(names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True))
def test_twins_are_judged_as_if_each_had_a_probe_of_its_own(names: list[str]) -> None:
    speakers = [probed(name, f"p{n}") for n, name in enumerate(names)]
    lent = fleet_of(*speakers, *(silent(host, f"s{n}") for n, host in enumerate(speakers)), speak=True)
    own = fleet_of(*speakers, *(replace(host, name=HostName(f"s{n}")) for n, host in enumerate(speakers)), speak=True)
    assert verdicts(lent) == verdicts(own)
    assert ClassTable(lent).hosts_now == ClassTable(own).hosts_now


@pytest.mark.parametrize("name", NAMES[:4])
def test_nobody_speaks_for_others_unless_policy_says_so(name: str) -> None:
    speaker = probed(name, "p")
    hosts = (speaker, silent(speaker, "s"))
    assert twins(hosts, speak=False).facts == tuple(host.facts for host in hosts)
    assert twins(hosts, speak=True).facts == (speaker.facts, speaker.facts)
    assert twins(hosts, speak=True).speaks == {"p": ["s"]}


@pytest.mark.parametrize("missing", NEEDED)
@pytest.mark.parametrize("of", ["p", "s"])
def test_a_fact_that_is_missing_on_either_side_leaves_them_strangers(missing: str, of: str) -> None:
    speaker = probed(NAMES[0], "p")
    hosts = [speaker, silent(speaker, "s")]
    hosts = [replace(host, facts=replace(host.facts, **{missing: None})) if host.name == of else host for host in hosts]
    assert twins(hosts, speak=True).speaks == {}


@pytest.mark.parametrize(
    "change",
    [
        {"midr": 0x413FD0C2},
        {"other_midrs": (0x410FD034,)},
        {"revidr": 7},
        {"cmdline": "mitigations=off"},
        {"firmware": "another"},
        {"workarounds": Workarounds(0, 0, 0)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_one_fact_that_differs_makes_strangers(change: dict[str, Any]) -> None:
    speaker = replace(probed(NAMES[0], "p"), facts=replace(probed(NAMES[0], "p").facts, workarounds=Workarounds(1, 3, 1)))
    assert twins([speaker, silent(speaker, "s")], speak=True).speaks == {"p": ["s"]}
    assert twins([speaker, silent(speaker, "s", **change)], speak=True).speaks == {}


def test_another_kernel_makes_strangers() -> None:
    speaker = probed(NAMES[0], "p")
    other = replace(silent(speaker, "s"), release=Release(f"{speaker.release.kernel}-1", speaker.release.vmm))
    assert twins([speaker, other], speak=True).speaks == {}


def test_probes_that_differ_speak_for_nobody() -> None:
    speaker = probed(NAMES[0], "p")
    first, *rest = speaker.facts.registers or ()
    quarrelling = replace(speaker, name=HostName("q"), facts=replace(speaker.facts, registers=((first[0], first[1] ^ 1), *rest)))
    found = twins([speaker, quarrelling, silent(speaker, "s")], speak=True)
    assert found.quarrels == (("p", "q"),)
    assert found.speaks == {}
    assert found.facts[2].registers is None


def test_a_counter_that_has_gone_on_is_no_quarrel() -> None:
    speaker = probed(NAMES[0], "p")
    counter = 0x603000000013DF1A
    later = tuple((register, value + (register == counter)) for register, value in speaker.facts.registers or ())
    again = replace(speaker, name=HostName("q"), facts=replace(speaker.facts, registers=later))
    found = twins([speaker, again, silent(speaker, "s")], speak=True)
    assert found.quarrels == ()
    assert found.speaks == {"p": ["s"]}

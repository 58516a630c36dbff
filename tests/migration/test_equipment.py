"""What a guest needs of a host beside registers: every row refuses, leaves open or harms, and says by what key."""

from __future__ import annotations

from typing import Any

import pytest

from fleetplan.fleet.model import Disks, Equipment, Fleet, Guest, GuestName, Host, HostFacts, HostName, Platform, Release
from fleetplan.fleet.policy import Policy, Waiver
from fleetplan.migration.classes import ClassTable, Judgment
from fleetplan.migration.equipment import ROWS
from fleetplan.migration.reasons import ReasonKind, Stage, Verdict

RELEASE = Release("6.12.94", "qemu-11.1.3")
CASES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any], Verdict]] = [
    ("devices", {"devices": ("0000:01:00.0",)}, {}, {}, Verdict.FAILS),
    ("disks", {"disks": Disks.LOCAL}, {}, {}, Verdict.FAILS),
    ("disks", {"disks": Disks.COPIED}, {}, {}, Verdict.SAFE),
    ("features", {"features": ("pmu", "mte")}, {}, {"features": ("pmu", "mte")}, Verdict.FAILS),
    ("features", {"features": ("pmu", "protected")}, {}, {}, Verdict.FAILS),
    ("features", {"features": ("pmu", "nested")}, {}, {"features": ("pmu", "nested")}, Verdict.UNKNOWN),
    ("features", {"features": ("pmu", "pauth")}, {}, {"features": ("pmu",)}, Verdict.FAILS),
    ("features", {"features": ("pmu", "pauth")}, {}, {}, Verdict.UNKNOWN),
    ("features", {"features": ("pmu",)}, {}, {}, Verdict.SAFE),
    ("features", {"features": ()}, {}, {}, Verdict.SAFE),
    ("sve", {"sve": (128, 256)}, {}, {"sve": (128, 256, 512)}, Verdict.SAFE),
    ("sve", {"sve": (128, 256)}, {}, {"sve": (128,)}, Verdict.FAILS),
    ("sve", {"sve": (128, 512)}, {}, {"sve": (128, 256, 512)}, Verdict.FAILS),
    ("sve", {"sve": (128,)}, {}, {}, Verdict.UNKNOWN),
    ("sve", {}, {"sve": (128,)}, {"sve": (128, 256)}, Verdict.STRIPS),
    ("ipa_bits", {"ipa_bits": 48}, {}, {"ipa_bits": 44}, Verdict.FAILS),
    ("ipa_bits", {"ipa_bits": 44}, {}, {"ipa_bits": 44}, Verdict.SAFE),
    ("ipa_bits", {"ipa_bits": 44}, {}, {}, Verdict.UNKNOWN),
    ("ipa_bits", {}, {}, {"ipa_bits": 36}, Verdict.UNKNOWN),
    ("gic", {"gic": 2}, {}, {"gic": (3,)}, Verdict.FAILS),
    ("gic", {"gic": 3}, {}, {"gic": (3,)}, Verdict.SAFE),
    ("gic", {"gic": 3}, {}, {}, Verdict.UNKNOWN),
    ("hugepages", {"hugepages_kib": 1 << 20}, {}, {"hugepages_kib": (2048,)}, Verdict.FAILS),
    ("hugepages", {"hugepages_kib": 2048}, {}, {"hugepages_kib": (2048,)}, Verdict.SAFE),
    ("hugepages", {"hugepages_kib": 2048}, {}, {}, Verdict.UNKNOWN),
    ("counter_hz", {}, {"counter_hz": 25_000_000}, {"counter_hz": 1_000_000_000}, Verdict.STRIPS),
    ("counter_hz", {}, {"counter_hz": 25_000_000}, {"counter_hz": 25_000_000}, Verdict.SAFE),
]


def fleet_of(equipment: dict[str, Any], here: dict[str, Any], there: dict[str, Any], **more: Any) -> Fleet:
    hosts = tuple(
        Host(
            name=HostName(name),
            release=RELEASE,
            vcpus=8,
            memory_mib=8192,
            facts=HostFacts(midr=0x413FD0C1, revidr=0, cmdline="quiet", platform=Platform(**platform)),
        )
        for name, platform in (("a", here), ("b", there))
    )
    guest = Guest(name=GuestName("g"), on=HostName("a"), vcpus=1, memory_mib=512, equipment=Equipment(**equipment))
    return Fleet(target=RELEASE, hosts=hosts, guests=(guest,), **more)


def judged(fleet: Fleet) -> Judgment:
    table = ClassTable(fleet)
    return table.judgment(table.guests[0], table.hosts_now[0], table.hosts_now[1])


@pytest.mark.parametrize(("key", "equipment", "here", "there", "verdict"), CASES)
def test_each_row(key: str, equipment: dict[str, Any], here: dict[str, Any], there: dict[str, Any], verdict: Verdict) -> None:
    told = judged(fleet_of(equipment, here, there))
    assert told.verdict is verdict, told.reasons
    if verdict in {Verdict.FAILS, Verdict.UNKNOWN}:
        assert told.stage is Stage.START
        assert (told.reasons[0].kind is ReasonKind.UNDECIDED) == (verdict is Verdict.UNKNOWN)
    if verdict in {Verdict.FAILS, Verdict.STRIPS}:
        assert dict(told.reasons[0].detail)["key"] == key


def test_every_row_is_exercised_and_has_its_source() -> None:
    assert {row.key for row in ROWS} == {key for key, *_ in CASES}
    assert all(row.source and row.fix for row in ROWS)


def test_a_waiver_by_key_accepts_what_a_row_harms() -> None:
    waiver = Waiver(scope=("*",), reason="r", owner="o", expires="2099-01-01", register="counter_hz")
    table = ClassTable(fleet_of({}, {"counter_hz": 1}, {"counter_hz": 2}, waivers=(waiver,)))
    assert table.hop(table.guests[0], table.hosts_now[0], table.hosts_now[1]).allowed


def test_a_guest_bound_to_one_kind_of_cpu_is_judged_on_it() -> None:
    mixed = HostFacts(midr=0x410FD083, other_midrs=(0x410FD034,), revidr=0, cmdline="quiet", firmware="edk2-2025.02")
    hosts = tuple(Host(name=HostName(name), release=RELEASE, vcpus=8, memory_mib=8192, facts=mixed) for name in "ab")
    verdicts = []
    for equipment in (Equipment(), Equipment(bound_to=0x410FD034)):
        guest = Guest(name=GuestName("g"), on=HostName("a"), vcpus=1, memory_mib=512, equipment=equipment)
        verdicts.append(judged(Fleet(target=RELEASE, hosts=hosts, guests=(guest,), policy=Policy())).verdict)
    assert verdicts == [Verdict.UNKNOWN, Verdict.SAFE]


def test_a_guest_without_the_pmu_leaves_5_10_for_a_kernel_that_hides_it() -> None:
    """From 5.11 on the PMU's registers are listed with the feature only: such a guest of 5.10 brings more than 6.1 lists."""
    facts = HostFacts(midr=0x413FD0C1, revidr=0, cmdline="quiet")
    hosts = tuple(
        Host(name=HostName(name), release=Release(kernel, "qemu-10.0.13"), vcpus=8, memory_mib=8192, facts=facts)
        for name, kernel in (("a", "5.10.262"), ("b", "6.1.176"))
    )
    stages = []
    for features in (("pmu",), ()):
        guest = Guest(name=GuestName("g"), on=HostName("a"), vcpus=1, memory_mib=512, equipment=Equipment(features=features))
        stages.append(judged(Fleet(target=hosts[1].release, hosts=hosts, guests=(guest,))).stage)
    assert stages == [Stage.SET, Stage.LENGTH]

"""FP2xx: each rule has a fleet that fires it and one that does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from fleetplan.findings.catalogue import findings
from fleetplan.findings.registry import CHECKS, Evidence
from fleetplan.fleet.model import Birth, Fleet, Guest, GuestName, Host, HostFacts, HostName, Release
from fleetplan.migration.classes import ClassTable

KNOWN = HostFacts(midr=0x413FD0C1, revidr=0, cmdline="quiet")
TARGET = Release("6.18.15", "qemu-11.1.3")


BORN = Birth(kernel="6.12.117")


def fleet_of(*, facts: HostFacts = KNOWN, vmm: str = "qemu-11.1.3", born: Birth | None = BORN) -> Fleet:
    host = Host(name=HostName("a"), release=Release("6.12.117", vmm), vcpus=8, memory_mib=8192, facts=facts)
    guest = Guest(name=GuestName("g"), on=HostName("a"), vcpus=1, memory_mib=512, born=born)
    return Fleet(target=TARGET, hosts=(host,), guests=(guest,))


FIRES: dict[str, Callable[[], Fleet]] = {
    "FP201": lambda: fleet_of(facts=HostFacts(cpu="neoverse-n1")),
    "FP202": lambda: fleet_of(vmm="qemu-10.1.0-19.el10"),
    "FP203": lambda: fleet_of(born=None),
}


def fired(fleet: Fleet) -> list[str]:
    return [finding.rule for finding in findings(Evidence(fleet=fleet, classes=ClassTable(fleet), today=date(2026, 11, 24)))]


@pytest.mark.parametrize("rule", [rule for rule in CHECKS if rule[2] == "2"])
def test_the_rule_fires_where_it_should_and_only_there(rule: str) -> None:
    assert rule in fired(FIRES[rule]())
    assert fired(fleet_of()) == []


def test_each_assumption_is_told_once_with_its_hosts() -> None:
    found = findings(Evidence(fleet=FIRES["FP201"](), classes=ClassTable(FIRES["FP201"]()), today=date(2026, 11, 24)))
    assert sorted(finding.facts["key"] for finding in found) == ["cmdline", "midr"]

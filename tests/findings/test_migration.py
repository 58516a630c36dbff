"""FP2xx: what findings about births and about what is not known say."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from fleetplan.findings.catalogue import findings
from fleetplan.findings.registry import Evidence
from fleetplan.fleet.model import Birth, Fleet, Guest, GuestName, Host, HostFacts, HostName, Reboot, Release
from fleetplan.fleet.policy import Policy
from fleetplan.migration.classes import ClassTable

KNOWN = HostFacts(midr=0x413FD0C1, revidr=0, cmdline="quiet")
TARGET = Release("6.18.15", "qemu-11.1.3")


BORN = Birth(kernel="6.12.117")


def fleet_of(*, facts: HostFacts = KNOWN, vmm: str = "qemu-11.1.3", born: Birth | None = BORN) -> Fleet:
    host = Host(name=HostName("a"), release=Release("6.12.117", vmm), vcpus=8, memory_mib=8192, facts=facts)
    guest = Guest(name=GuestName("g"), on=HostName("a"), vcpus=1, memory_mib=512, born=born)
    return Fleet(target=TARGET, hosts=(host,), guests=(guest,))


PROBED = HostFacts(midr=0x413FD0C1, revidr=0, cmdline="quiet", firmware="edk2", registers=((0x6030000000140000, 0x10001),))


def twins(*probes: HostFacts) -> Fleet:
    """Hosts that should be twins, with these probes, and one that was not probed."""
    silent = msgspec.structs.replace(PROBED, registers=None)
    release = Release("6.12.117", "qemu-11.1.3")
    hosts = tuple(
        Host(name=HostName(f"h{number}"), release=release, vcpus=8, memory_mib=8192, facts=facts)
        for number, facts in enumerate((*probes, silent))
    )
    return Fleet(target=release, hosts=hosts, policy=Policy(probe_twins=True))


def undecided() -> Fleet:
    """Two hosts of a CPU whose levels are not known."""
    fleet = fleet_of(facts=HostFacts(midr=0x410FD083, revidr=0, cmdline="quiet"))
    return msgspec.structs.replace(fleet, hosts=(*fleet.hosts, msgspec.structs.replace(fleet.hosts[0], name=HostName("b"))))


def told(fleet: Fleet, rule: str) -> list[dict[str, str]]:
    found = findings(Evidence(fleet=fleet, classes=ClassTable(fleet), today=date(2026, 11, 24)))
    return [dict(finding.facts) for finding in found if finding.rule == rule]


@pytest.mark.parametrize(
    ("born", "rebooted", "keys"),
    [
        (None, None, ["born"]),
        (Birth(psci="1.0"), None, ["born.kernel"]),
        (Birth(registers=((0x6030000000140000, 0x10001),)), None, []),
        (Birth(kernel="6.12.117"), None, []),
        (Birth(kernel="6.1.176"), None, ["born.vmm", "rebooted"]),
        (Birth(kernel="6.1.176", vmm="qemu-11.1.3"), Reboot(ever=False), []),
    ],
)
def test_every_assumption_about_a_birth_is_told(born: Birth | None, rebooted: Reboot | None, keys: list[str]) -> None:
    fleet = fleet_of(born=born)
    guests = tuple(msgspec.structs.replace(fleet.guests[0], name=GuestName(f"g{n}"), rebooted=rebooted) for n in range(3))
    found = told(msgspec.structs.replace(fleet, guests=guests), "FP203")
    assert [facts["key"] for facts in found] == keys
    assert {facts["count"] for facts in found} <= {"3"}


def test_what_to_find_out_is_told_in_order_with_what_it_decides() -> None:
    (facts,) = told(undecided(), "FP204")
    assert facts["what"] == "probe host `a` and 1 more"
    assert facts["decides"] == facts["moves"] != "0"

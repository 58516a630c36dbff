"""FP4xx: how over-commitment is counted."""

from __future__ import annotations

from datetime import date

import msgspec

from fleetplan.findings.catalogue import findings
from fleetplan.findings.registry import Evidence
from fleetplan.fleet.model import Fleet, Group, GroupName, Guest, GuestName, Host, HostName, Release, Scope
from fleetplan.fleet.policy import Converge, Policy
from fleetplan.migration.classes import ClassTable

OLD, NEW = Release("6.12.48", "qemu-10.0.13"), Release("6.18.15", "qemu-11.1.3")


def host(name: str, **changes: object) -> Host:
    return msgspec.structs.replace(Host(name=HostName(name), release=OLD, vcpus=8, memory_mib=8192), **changes)


def guest(name: str, on: str, **changes: object) -> Guest:
    return msgspec.structs.replace(Guest(name=GuestName(name), on=HostName(on), vcpus=2, memory_mib=1024), **changes)


SOUND = Fleet(
    target=NEW,
    hosts=(host("a"), host("b", rack="r2", zone="z2")),
    guests=(guest("g1", "a", group=GroupName("web")), guest("g2", "b", group=GroupName("web"))),
    groups={GroupName("web"): Group(name=GroupName("web"), apart=Scope.HOST)},
)


def over_committed(fleet: Fleet) -> Fleet:
    return msgspec.structs.replace(fleet, guests=(guest("g1", "a", vcpus=9, memory_mib=9000),))


def writes_faster_than_any_link(fleet: Fleet) -> Fleet:
    return msgspec.structs.replace(fleet, guests=(guest("g1", "a", dirty_rate_mib_s=2_900), guest("g2", "b", dirty_rate_mib_s=2_800)))


def fired(fleet: Fleet) -> list[str]:
    return [finding.rule for finding in findings(Evidence(fleet=fleet, classes=ClassTable(fleet), today=date(2026, 11, 24)))]


def test_over_commitment_counts_each_resource_with_overcommit() -> None:
    fleet = over_committed(SOUND)
    facts = [
        finding.facts
        for finding in findings(Evidence(fleet=fleet, classes=ClassTable(fleet), today=date(2026, 11, 24)))
        if finding.rule == "FP401"
    ]
    assert {(fact["resource"], fact["excess"]) for fact in facts} == {("MiB of memory", "808"), ("vCPUs", "1")}
    relaxed = msgspec.structs.replace(
        over_committed(SOUND), policy=Policy(overcommit_vcpus_per_mille=1125, overcommit_memory_per_mille=1100)
    )
    assert "FP401" not in fired(relaxed)


def test_the_copy_without_end_is_told_in_numbers_and_only_where_it_has_none() -> None:
    fleet = writes_faster_than_any_link(SOUND)
    evidence = Evidence(fleet=fleet, classes=ClassTable(fleet), today=date(2026, 11, 24))
    (found,) = (finding for finding in findings(evidence) if finding.rule == "FP407")
    assert found.facts == {
        "guest": "g1",
        "host": "a",
        "dirty_mib_s": "2900",
        "link_mib_s": "2980",
        "most_mib_s": "2831",
        "takes_s": "7",
        "allowed": "",
    }
    throttled = Policy(converge=Converge(throttle=True))
    assert "FP407" not in fired(msgspec.structs.replace(evidence.fleet, policy=throttled))
    hurried = Policy(converge=Converge(throttle=True, within_s=6))
    assert "FP407" in fired(msgspec.structs.replace(evidence.fleet, policy=hurried))
    assert "FP407" not in fired(msgspec.structs.replace(evidence.fleet, policy=Policy(converge=Converge(throttle=True, within_s=7))))

"""FP4xx: each rule has a fleet that fires it and one that does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import msgspec
import pytest

from fleetplan.findings.catalogue import RULES, findings
from fleetplan.findings.registry import CHECKS, Evidence
from fleetplan.fleet.model import Fleet, Group, GroupName, Guest, GuestName, Host, HostName, HostState, Release, Scope
from fleetplan.fleet.policy import Converge, MaxUnavailable, Policy, Share, Waiver, Window
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


def together(fleet: Fleet) -> Fleet:
    return msgspec.structs.replace(fleet, guests=(*fleet.guests, guest("g3", "a", group=GroupName("web"))))


def dead_with_guests(fleet: Fleet) -> Fleet:
    return msgspec.structs.replace(fleet, hosts=(host("a", state=HostState.LOST), fleet.hosts[1]))


def no_slot_left(fleet: Fleet) -> Fleet:
    return msgspec.structs.replace(
        dead_with_guests(fleet), policy=Policy(max_unavailable=MaxUnavailable(fleet=Share(count=1), rack=Share(count=1)))
    )


def windows(fleet: Fleet) -> Fleet:
    return msgspec.structs.replace(fleet, policy=Policy(windows=(Window(start_min=0, end_min=60),)))


def expired(fleet: Fleet) -> Fleet:
    waiver = Waiver(scope=("*",), reason="r", owner="o", expires="2026-01-01", register="STD_BMAP")
    return msgspec.structs.replace(fleet, waivers=(waiver,))


def apart_though_together(fleet: Fleet) -> Fleet:
    return msgspec.structs.replace(fleet, groups={GroupName("web"): Group(name=GroupName("web"), together=Scope.RACK)})


def writes_faster_than_any_link(fleet: Fleet) -> Fleet:
    return msgspec.structs.replace(fleet, guests=(guest("g1", "a", dirty_rate_mib_s=2_900), guest("g2", "b", dirty_rate_mib_s=2_800)))


FIRES: dict[str, Callable[[Fleet], Fleet]] = {
    "FP401": over_committed,
    "FP402": together,
    "FP403": dead_with_guests,
    "FP404": no_slot_left,
    "FP406": apart_though_together,
    "FP407": writes_faster_than_any_link,
    "FP501": windows,
    "FP502": expired,
}


def fired(fleet: Fleet) -> list[str]:
    return [finding.rule for finding in findings(Evidence(fleet=fleet, classes=ClassTable(fleet), today=date(2026, 11, 24)))]


@pytest.mark.parametrize("rule", [rule for rule in CHECKS if rule[2] in "45"])
def test_the_rule_fires_where_it_should_and_only_there(rule: str) -> None:
    assert rule in fired(FIRES[rule](SOUND))
    assert rule not in fired(SOUND)


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


def test_every_rule_has_help_and_a_fix() -> None:
    for rule in RULES.values():
        assert rule.title, rule.id
        assert rule.help, rule.id
        assert rule.fix, rule.id


def test_the_copy_without_end_is_told_in_numbers_and_only_where_it_has_none() -> None:
    evidence = Evidence(fleet=writes_faster_than_any_link(SOUND), classes=ClassTable(SOUND), today=date(2026, 11, 24))
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

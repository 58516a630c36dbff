"""Restarts in order do what they say; guests that bear no newer PSCI version get a pin that they bear."""

from __future__ import annotations

from collections import Counter
from typing import Any

from msgspec.structs import replace

from fleetplan.firmware.registers import psci_text, psci_value
from fleetplan.fleet.guest import Birth
from fleetplan.fleet.model import Fleet, Group, GroupName, Guest, GuestName, Host, HostFacts, HostName, HostState, Reboot, Release, Scope
from fleetplan.migration.classes import ClassTable
from fleetplan.migration.standing import Exposures, Restart, tally
from fleetplan.rollout.audit import audit

OLD, NEW = Release("6.12.94", "qemu-11.1.3"), Release("6.18.15", "qemu-11.1.3")
HELPED = {"spectre_v2": "Mitigation: Branch predictor hardening, BHB", "spec_store_bypass": "Not affected"}
A72 = HostFacts(midr=0x410FD083, revidr=0, cmdline="quiet", vulnerabilities=HELPED)
STALE: dict[str, Any] = {"born": Birth(kernel="4.15.0"), "rebooted": Reboot(ever=False)}
HIDDEN: dict[str, Any] = {"born": Birth(kernel="6.12.94", psci="0.2")}
SOUND: dict[str, Any] = {"born": Birth(kernel="6.12.94")}


def fleet_of(guests: dict[str, dict[str, Any]], **host: Any) -> Fleet:
    hosts = tuple(Host(name=HostName(name), release=OLD, vcpus=64, memory_mib=65_536, facts=A72, **host) for name in "ab")
    records = tuple(
        Guest(name=GuestName(name), on=HostName("ab"[number % 2]), vcpus=1, memory_mib=64, **own)
        for number, (name, own) in enumerate(sorted(guests.items()))
    )
    groups = {GroupName("web"): Group(name=GroupName("web"), apart=Scope.HOST), GroupName("any"): Group(name=GroupName("any"))}
    return Fleet(target=NEW, hosts=hosts, guests=records, groups=groups)


def test_restarts_in_order_leave_what_they_say(planned: list[Any]) -> None:
    """Carry out every permitted restart on the model; what is left is what was foretold."""
    done = Counter[Restart]()
    for name, fleet, classes, _ in planned:
        found, known = audit(fleet, classes), Exposures(classes)
        place = {host.name: number for host, number in zip(fleet.hosts, classes.hosts_now, strict=True)}
        kinds = dict(zip(fleet.guests.names, classes.guests, strict=True))
        for step in found.restarts:
            for guest in step.guests if step.permitted else ():
                here = place[fleet.guests[fleet.guests.names.index(guest)].on]
                if step.restart is Restart.WARM:
                    kinds[guest] = classes.warm_reboot(kinds[guest], here)
                else:
                    assert step.boot is not None
                    pin = psci_text(step.boot.pin) if step.boot.pin is not None else None
                    fresh = classes.cold_boot(kinds[guest], here, pin)
                    assert fresh is not None
                    kinds[guest] = fresh
                done[step.restart] += 1
        runs = {guest for band in found.bands for guest in (fleet.guests.names[number] for number in band.numbers)}
        pairs = Counter((kinds[guest.name], place[guest.on]) for guest in fleet.guests if guest.name in runs)
        after = tally((known.of(*pair), number) for pair, number in pairs.items())
        assert (after.guests, after.at_least, after.at_most) == (found.after.guests, found.after.at_least, found.after.at_most), name
    assert min(done[Restart.WARM], done[Restart.COLD]) > 10


def test_the_most_exposed_go_first_warm_before_cold_and_of_a_group_kept_apart_one_at_a_time() -> None:
    apart, loose = {"group": GroupName("web")}, {"group": GroupName("any")}
    fleet = fleet_of(
        {
            "cold": {**HIDDEN, "restartable": True},
            "one": {**STALE, **apart},
            "three": {**HIDDEN, **apart},
            "two": {**STALE, **apart},
            "u": {**STALE, **loose},
            "v": {**STALE, **loose},
            "well": SOUND,
            "who": {"restartable": True},
        }
    )
    steps = [(step.round, step.restart, step.permitted, list(step.guests)) for step in audit(fleet, ClassTable(fleet)).restarts]
    assert steps == [
        (1, Restart.WARM, True, ["one", "u", "v"]),
        (1, Restart.COLD, True, ["cold"]),
        (1, Restart.COLD, True, ["who"]),
        (2, Restart.WARM, True, ["two"]),
        (3, Restart.COLD, False, ["three"]),
    ]


def test_guests_that_do_not_run_count_nowhere_but_are_told() -> None:
    fleet = fleet_of({"one": STALE, "two": STALE, "three": SOUND})
    lost = replace(fleet, hosts=(fleet.hosts[0], replace(fleet.hosts[1], state=HostState.LOST)))
    found = audit(lost, ClassTable(lost))
    assert (found.away, found.tally.guests) == (1, 2)


def test_a_guest_that_bears_no_newer_psci_gets_the_newest_pin_that_it_bears() -> None:
    fleet = fleet_of({"one": {**SOUND, "psci_max": "1.1"}, "low": {**SOUND, "psci_max": "0.2"}, "well": SOUND})
    classes = ClassTable(fleet)
    found = audit(fleet, classes)
    assert [(limit.release, limit.most, limit.given, limit.pin, limit.hides, list(limit.guests)) for limit in found.limits] == [
        (OLD, "0.2", psci_value("1.1"), "0.2", True, ["low"]),
        (NEW, "0.2", psci_value("1.3"), "0.2", True, ["low"]),
        (NEW, "1.1", psci_value("1.3"), "1.1", False, ["one"]),
    ]


def test_a_pin_that_vmm_does_not_know_is_not_advised() -> None:
    fleet = fleet_of({"one": {**SOUND, "psci_max": "1.0"}})
    old = replace(fleet, hosts=tuple(replace(host, release=Release("6.12.94", "qemu-10.0.13")) for host in fleet.hosts))
    limits = audit(old, ClassTable(old)).limits
    assert [(limit.release.vmm, limit.pin) for limit in limits] == [("qemu-10.0.13", None), ("qemu-11.1.3", "1.0")]

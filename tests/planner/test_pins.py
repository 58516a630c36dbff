"""PSCI pins: for whom, which one, what it takes, and when a promise stands against it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from fleetplan.fleet.model import Birth, Fleet, HostFacts, Release, Workarounds
from fleetplan.judge.verify import verify
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.search import plan as make_plan
from fleetplan.rollout.plan import Plan

DIGEST = "sha256:test"
NEW = Release("6.18.15", "qemu-11.1.3")


def planned(fleet: Fleet) -> Plan:
    outcome = make_plan(fleet, ClassTable(fleet), digest=DIGEST)
    assert isinstance(outcome, Plan), outcome
    assert verify(fleet, ClassTable(fleet), outcome, digest=DIGEST) == []
    return outcome


@pytest.mark.parametrize(
    ("reversible", "pinned"), [(False, []), (True, ["g1", "g2"]), (("g2",), ["g2"]), (("x*", "g*"), ["g1", "g2"]), (("x",), [])]
)
def test_pins_are_for_those_whom_policy_names(make: Any, reversible: Any, pinned: list[str]) -> None:
    hosts = [make.host("a"), make.host("n", release=NEW)]
    guests = [make.guest(name, "n", born=None, restartable=True) for name in ("g1", "g2")]
    assert [pin.guest for pin in planned(make.fleet(hosts, guests, reversible=reversible)).pins] == pinned


def test_a_pin_says_what_the_guest_will_be_without(make: Any) -> None:
    guests = [make.guest("g", "n", born=None, restartable=True)]
    (pin,) = planned(make.fleet([make.host("a"), make.host("n", release=NEW)], guests, reversible=True)).pins
    assert (pin.psci, pin.without, pin.breaks, pin.cost) == ("1.1", ("SYSTEM_OFF2",), (), "a restart; without SYSTEM_OFF2")


def test_a_version_that_the_guest_does_not_bear_takes_promises_and_says_so(make: Any) -> None:
    a72 = HostFacts(midr=0x410FD083, revidr=0, cmdline="quiet", workarounds=Workarounds(1, 3, 1))
    guest = make.guest("g", "a", born=Birth(psci="1.0"), migratable=False, restartable=True, psci_max="0.2")
    (pin,) = planned(make.fleet([replace(make.host("a"), facts=a72)], [guest])).pins
    assert pin.psci == "0.2"
    assert "spectre-v2" in pin.breaks

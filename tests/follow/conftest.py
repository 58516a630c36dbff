"""Rollouts to follow: example fleets with their plans, and small fleets made in memory."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace
from numpy.random import Generator

from fleetplan import workflow
from fleetplan.fleet.model import Birth, Fleet, Guest, GuestName, Host, HostFacts, HostName, HostState, Release
from fleetplan.fleet.policy import MaxUnavailable, Policy, Share
from fleetplan.follow.next import Outcome, next_wave
from fleetplan.follow.turns import Script
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.search import plan as make_plan
from fleetplan.rollout.plan import Plan

ROOT = Path(__file__).resolve().parent.parent.parent
OLD, NEW = Release("6.12.117", "qemu-11.1.3"), Release("6.18.15", "qemu-11.1.3")
N1 = HostFacts(midr=0x413FD0C1, revidr=0, cmdline="quiet")
DIGEST = "sha256:test"
EXAMPLES = ("half-upgraded.yaml", "mixed-cpus.yaml", "old-kernels.yaml", "small.yaml", "tight.yaml")


class Rollout(NamedTuple):
    """A fleet and its approved plan."""

    name: str
    fleet: Fleet
    plan: Plan
    script: Script


class Make:
    """Builds fleets."""

    def host(self, name: str, vcpus: int = 8, **fields: Any) -> Host:
        fields.setdefault("release", OLD)
        return Host(name=HostName(name), vcpus=vcpus, memory_mib=16_384, facts=N1, **fields)

    def guest(self, name: str, on: str, vcpus: int = 2, **fields: Any) -> Guest:
        fields.setdefault("born", Birth(kernel=OLD.kernel))
        return Guest(name=GuestName(name), on=HostName(on), vcpus=vcpus, memory_mib=1024, **fields)

    def fleet(self, hosts: list[Host], guests: list[Guest], **policy: Any) -> Fleet:
        policy.setdefault("max_unavailable", MaxUnavailable(fleet=Share(count=1)))
        by_name = sorted(guests, key=lambda guest: guest.name)
        ordered = tuple(sorted(hosts, key=lambda host: host.name))
        return Fleet(target=NEW, hosts=ordered, guests=tuple(by_name), policy=Policy(**policy))  # type: ignore[arg-type]

    def rollout(self, fleet: Fleet, name: str = "") -> Rollout:
        made = make_plan(fleet, ClassTable(fleet), digest=DIGEST)
        assert isinstance(made, Plan), made
        return Rollout(name, fleet, made, Script.of(made))

    def changed(self, fleet: Fleet, hosts: dict[str, dict[str, Any]], guests: dict[str, dict[str, Any] | None] | None = None) -> Fleet:
        """Hosts and guests with other fields; guests that are None are gone."""
        machines = tuple(replace(host, **hosts.get(host.name, {})) for host in fleet.hosts)
        changes = guests or {}
        kept = [replace(guest, **(changes.get(guest.name) or {})) for guest in fleet.guests if changes.get(guest.name, {}) is not None]
        return replace(fleet, hosts=machines, guests=tuple(kept))  # type: ignore[arg-type]

    def with_guest(self, fleet: Fleet, guest: Guest) -> Fleet:
        return replace(fleet, guests=tuple(sorted((*fleet.guests, guest), key=lambda each: each.name)))  # type: ignore[arg-type]


def follow(rollout: Rollout, fleet: Fleet) -> Outcome:
    return next_wave(fleet, ClassTable(fleet), rollout.script, digest=DIGEST)


@pytest.fixture(scope="session")
def make() -> Make:
    return Make()


@pytest.fixture(scope="session")
def three(make: Make) -> Rollout:
    """Three old hosts that go one after the other, and an upgraded one with room for the first."""
    hosts = [make.host("done", release=NEW), *(make.host(name) for name in "abc")]
    guests = [make.guest(f"{name}{number}", name) for name in "abc" for number in range(3)]
    return make.rollout(make.fleet(hosts, guests))


@pytest.fixture(scope="session")
def rollouts(make: Make) -> list[Rollout]:
    fleets = [(name, workflow.study(ROOT / "inventories" / name, date(2026, 11, 24)).fleet) for name in EXAMPLES]
    return [make.rollout(fleet, name) for name, fleet in fleets]


def disturbed(fleet: Fleet, rng: Generator) -> Fleet:
    """What tenants, accidents and others do: guests come, go, grow, move by themselves; hosts die, are added, upgraded, cordoned, held."""
    machines = [_disturbed_host(host, fleet.target, rng) for host in fleet.hosts]
    if rng.random() < 0.3:
        machines.append(replace(fleet.hosts[0], name=HostName("zz-added"), state=HostState.UP))
    names = [host.name for host in machines]
    guests = [guest for guest in fleet.guests if rng.random() > 0.1]
    guests = [replace(guest, memory_mib=guest.memory_mib * 2) if rng.random() < 0.05 else guest for guest in guests]
    guests = [replace(guest, on=names[rng.integers(len(names))]) if rng.random() < 0.05 else guest for guest in guests]
    for number in range(int(rng.integers(4))):
        model = fleet.guests[int(rng.integers(len(fleet.guests)))]
        guests.append(replace(model, name=GuestName(f"zz-{number}"), on=names[rng.integers(len(names))], group=None, born=None))
    return replace(fleet, hosts=tuple(machines), guests=tuple(guests))  # type: ignore[arg-type]


def _disturbed_host(host: Host, target: Release, rng: Generator) -> Host:
    chance = rng.random()
    if chance < 0.08:
        return replace(host, state=(HostState.DOWN, HostState.HELD, HostState.UPGRADING, HostState.LOST)[rng.integers(4)])
    if chance < 0.15:
        return replace(host, state=HostState.CORDONED)
    if chance < 0.25:
        return replace(host, release=target, state=HostState.UP)
    return host

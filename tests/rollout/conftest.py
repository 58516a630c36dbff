"""Example inventories and small fleets with much variety in firmware, each with its plan."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest
from numpy.random import Generator, default_rng

from fleetplan import workflow
from fleetplan.fleet.model import Birth, Fleet, Guest, GuestName, Host, HostFacts, HostName, HostState, Reboot, Release
from fleetplan.fleet.policy import Immovable, MaxUnavailable, Policy, Share
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.search import plan as make_plan
from fleetplan.rollout.plan import Plan

DIGEST = "sha256:test"
OLD, NEW, OLDEST = Release("6.12.117", "qemu-11.1.3"), Release("6.18.15", "qemu-11.1.3"), Release("6.1.140", "qemu-11.1.3")
N1 = HostFacts(midr=0x413FD0C1, revidr=0, cmdline="quiet")
MITIGATED = HostFacts(
    midr=0x410FD083, revidr=0, cmdline="quiet", vulnerabilities={"spectre_v2": "Mitigation: Branch predictor hardening, BHB"}
)
BARE = HostFacts(
    midr=0x410FD083, revidr=0, cmdline="quiet", vulnerabilities={"spectre_v2": "Vulnerable", "spec_store_bypass": "Vulnerable"}
)
BIRTHS = (None, Birth(kernel=OLD.kernel), Birth(kernel=OLDEST.kernel), Birth(psci="1.0"), Birth(kernel=OLD.kernel, psci="0.2"))
REBOOTS = (None, None, Reboot(ever=False), Reboot())


class Planned(NamedTuple):
    """A fleet, its classes, and a plan that the planner made for it."""

    name: str
    fleet: Fleet
    classes: ClassTable
    plan: Plan


@pytest.fixture(scope="session")
def planned() -> list[Planned]:
    """The examples that are small, and those drawn fleets."""
    fleets = [(path.name, workflow.study(path, date(2026, 11, 24)).fleet) for path in examples() if path.name != "three-zones"]
    fleets += [(f"seed {seed}", drawn_fleet(default_rng(seed))) for seed in range(150)]
    return [case for name, fleet in fleets for case in _planned(name, fleet)]


def examples() -> list[Path]:
    return sorted((Path(__file__).resolve().parent.parent.parent / "inventories").iterdir())


def _planned(name: str, fleet: Fleet) -> Iterator[Planned]:
    classes = ClassTable(fleet)
    outcome = make_plan(fleet, classes, digest=DIGEST)
    if isinstance(outcome, Plan):
        yield Planned(name, fleet, classes, outcome)


def drawn_fleet(rng: Generator) -> Fleet:
    """A fleet of up to seven hosts of two CPUs with room for everybody."""
    releases = [[OLD, NEW], [OLD, OLD, NEW], [OLD, OLDEST, NEW]][rng.integers(3)]
    hosts = [_host(rng, number, releases) for number in range(int(rng.integers(2, 8)))]
    guests = [_guest(rng, number, hosts) for number in range(int(rng.integers(1, 9)))]
    policy = Policy(
        max_unavailable=MaxUnavailable(fleet=Share(count=int(rng.integers(1, 4)))),
        immovable=(Immovable.RESTART, Immovable.RESTART, Immovable.BLOCK, Immovable.SKIP)[rng.integers(4)],
        reversible=bool(rng.integers(2)),
        forbid_psci_change=bool(rng.random() < 0.1),
        accept_unknown=bool(rng.random() < 0.2),
    )
    return Fleet(target=NEW, hosts=tuple(hosts), guests=tuple(guests), policy=policy)  # type: ignore[arg-type]


def _host(rng: Generator, number: int, releases: list[Release]) -> Host:
    return Host(
        name=HostName(f"h{number}"),
        release=releases[rng.integers(len(releases))],
        vcpus=64,
        memory_mib=65_536,
        facts=(N1, N1, N1, MITIGATED, BARE)[rng.integers(5)],
        pool="pq"[int(rng.random() < 0.2)],
        state=(HostState.CORDONED if rng.random() < 0.1 else HostState.DOWN if rng.random() < 0.05 else HostState.UP),
    )


def _guest(rng: Generator, number: int, hosts: list[Host]) -> Guest:
    return Guest(
        name=GuestName(f"g{number}"),
        on=hosts[rng.integers(len(hosts))].name,
        vcpus=1,
        memory_mib=512,
        migratable=bool(rng.random() < 0.8),
        restartable=bool(rng.random() < 0.5),
        born=BIRTHS[rng.integers(len(BIRTHS))],
        rebooted=REBOOTS[rng.integers(len(REBOOTS))],
        psci_max="1.1" if rng.random() < 0.15 else None,
        machine="virt-11.0" if rng.random() < 0.1 else None,
    )

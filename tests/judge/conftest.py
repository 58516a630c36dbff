"""A fleet whose plan has every kind of step, its plan, and the judge's word on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec.structs import replace
from numpy.random import Generator, default_rng

from fleetplan.fleet.model import Birth, Fleet, Group, GroupName, Guest, GuestName, Host, HostFacts, HostName, HostState, Release, Scope
from fleetplan.fleet.policy import GateRule, MaxUnavailable, Policy, Share, Window
from fleetplan.inventory.load import load
from fleetplan.judge.verify import verify
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.search import plan as make_plan
from fleetplan.rollout.invariants import Violation
from fleetplan.rollout.plan import Plan
from fleetplan.rollout.proofread import proofread, readable
from fleetplan.rollout.replay import replay

FLEET = """\
fleetplan: 1
target: {kernel: 6.18.15, vmm: qemu-11.1.3}
policy:
  reversible: true
  reserve: 5%
  max_unavailable: {fleet: 2, zone: 1}
  gates: [{after: 1, soak: 10m, hosts: 2}]
hosts:
  a1: {kernel: 6.12.117, vmm: qemu-11.1.3, midr: 0x413fd0c1, revidr: 0x0, vcpus: 32, memory: 64GiB, zone: a, rack: r1, pool: p}
  a2: {like: a1, rack: r2}
  a3: {like: a1, kernel: 6.18.15, rack: r3}
  b1: {like: a1, zone: b, rack: r4}
  b2: {like: a1, zone: b, rack: r5}
  b3: {like: b1, rack: r6, pool: q}
  b4: {like: b1, rack: r7, pool: q}
guests:
  bear: {on: b2, vcpus: 2, memory: 8GiB, migrate: never, restart: ok, psci_max: 1.1}
  born-new: {on: a3, vcpus: 2, memory: 8GiB, restart: ok}
  born-new-2: {on: a3, vcpus: 2, memory: 8GiB}
  choosy: {on: a2, vcpus: 2, memory: 16GiB, allow: [a*, b*], deny: b1}
  db: {on: a1, vcpus: 4, memory: 16GiB, migrate: never, restart: ok}
  far: {on: b3, vcpus: 4, memory: 16GiB}
  web-1: {on: a1, vcpus: 4, memory: 16GiB, group: web}
  web-2: {on: a2, vcpus: 4, memory: 16GiB, group: web}
  web-3: {on: b1, vcpus: 4, memory: 16GiB, group: web}
groups:
  web: {apart: host}
"""

DIGEST = "sha256:test"


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    path: Path = tmp_path_factory.mktemp("judge") / "fleet.yaml"
    path.write_text(FLEET)
    loaded = load(path)
    assert loaded.fleet is not None, loaded.findings
    return loaded.fleet


@pytest.fixture(scope="session")
def classes(fleet: Fleet) -> ClassTable:
    return ClassTable(fleet)


@pytest.fixture(scope="session")
def plan(fleet: Fleet, classes: ClassTable) -> Plan:
    made = make_plan(fleet, classes, digest=DIGEST)
    assert isinstance(made, Plan)
    return made


@pytest.fixture(scope="session")
def judge(fleet: Fleet, classes: ClassTable) -> Callable[[Plan], list[Violation]]:
    return lambda plan: verify(fleet, classes, plan, digest=DIGEST)


# --- many small fleets ---------------------------------------------------------------------------------------------------------------

OLD, NEW = Release("6.12.117", "qemu-11.1.3"), Release("6.18.15", "qemu-11.1.3")
N1 = HostFacts(midr=0x413FD0C1, revidr=0, cmdline="quiet")


class Planned(NamedTuple):
    """A fleet, its classes, and the plan that the planner made for it."""

    fleet: Fleet
    classes: ClassTable
    plan: Plan

    def judge(self, plan: Plan) -> list[Violation]:
        return verify(self.fleet, self.classes, plan, digest=DIGEST)

    def replay(self, plan: Plan) -> list[Violation]:
        """What the slow reference says: of the document, and of what happens if that can be played."""
        unreadable = readable(self.fleet, plan, DIGEST)
        return unreadable or [*proofread(self.fleet, plan), *replay(self.fleet, self.classes, plan)]


def drawn_fleet(rng: Generator) -> Fleet:
    """A fleet of a few hosts with a little of everything."""
    hosts = [
        Host(
            name=HostName(f"h{number}"),
            release=NEW if rng.random() < 0.25 else OLD,
            vcpus=int(rng.choice([8, 16, 16])),
            memory_mib=32_768,
            facts=N1,
            zone=str(rng.choice(["x", "y"])),
            rack=f"r{rng.integers(4)}",
            pool="q" if number > 5 else "p",
            state=HostState.CORDONED if rng.random() < 0.08 else HostState.UP,
        )
        for number in range(int(rng.integers(4, 9)))
    ]
    guests = [
        Guest(
            name=GuestName(f"g{number:02}"),
            on=hosts[int(rng.integers(len(hosts)))].name,
            vcpus=int(rng.integers(1, 4)),
            memory_mib=int(rng.integers(512, 8192)),
            group=GroupName(str(rng.choice(["v", "w"]))) if rng.random() < 0.4 else None,
            migratable=bool(rng.random() < 0.85),
            restartable=bool(rng.random() < 0.6),
            born=Birth(kernel=OLD.kernel) if rng.random() < 0.7 else None,
            psci_max="1.1" if rng.random() < 0.1 else None,
            deny=(str(rng.choice(["h0", "h1", "h2"])),) if rng.random() < 0.2 else (),
        )
        for number in range(int(rng.integers(4, 14)))
    ]
    rules = [(), (), (GateRule(after=None, soak_s=60),), (GateRule(after=1, hosts=2),)]
    policy = Policy(
        max_unavailable=MaxUnavailable(
            fleet=Share(count=int(rng.integers(1, 4))), zone=Share(count=1) if rng.random() < 0.4 else None, rack=Share(count=1)
        ),
        reserve_per_mille=int(rng.choice([0, 100])),
        streams=int(rng.choice([1, 1, 2])),
        reversible=bool(rng.random() < 0.4),
        gates=rules[int(rng.integers(4))],
    )
    scopes = [Scope.HOST, Scope.RACK]
    groups = {GroupName(name): Group(name=GroupName(name), apart=scopes[int(rng.integers(2))]) for name in ("v", "w")}
    return Fleet(target=NEW, hosts=tuple(hosts), guests=tuple(guests), groups=groups, policy=policy)  # type: ignore[arg-type]


def constrained_fleet(rng: Generator) -> Fleet:
    """A drawn fleet with what operators ask for beside room: order, windows, groups that stay together or bear few disruptions."""
    fleet = drawn_fleet(rng)
    hosts = [replace(host, last=bool(rng.random() < 0.3)) for host in fleet.hosts]
    clique = GroupName("t")
    guests = [
        replace(
            guest,
            group=clique if rng.random() < 0.35 else guest.group,
            dirty_rate_mib_s=int(rng.choice([0, 0, 0, 5_000])),
            migratable=guest.migratable or bool(rng.random() < 0.7),
            deny=(),
        )
        for guest in fleet.guests
    ]
    scopes = [Scope.HOST, Scope.RACK, Scope.ZONE]
    groups = {
        **{name: replace(group, max_disrupted=Share(count=1)) for name, group in fleet.groups.items()},
        clique: Group(name=clique, together=scopes[int(rng.integers(3))]),
    }
    daily = (Window(start_min=8 * 60, end_min=8 * 60 + int(rng.choice([5, 30, 120]))),)
    windows = daily if rng.random() < 0.5 else ()
    policy = replace(fleet.policy, windows=windows, reserve_per_mille=0, max_unavailable=MaxUnavailable(fleet=Share(count=2)))
    return replace(fleet, hosts=tuple(hosts), guests=tuple(guests), groups=groups, policy=policy)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def planned() -> list[Planned]:
    """Fleets for which there is a plan with migrations."""
    return [*_with_plans(drawn_fleet, 24), *_with_plans(constrained_fleet, 24)]


def _with_plans(draw: Callable[[Generator], Fleet], wanted: int) -> Iterator[Planned]:
    """The first drawn fleets that have a plan in which several guests move."""
    for seed in range(300):
        fleet = draw(default_rng(seed))
        classes = ClassTable(fleet)
        outcome = make_plan(fleet, classes, digest=DIGEST)
        if isinstance(outcome, Plan) and outcome.bounds.moves.plan > 1:
            yield Planned(fleet, classes, outcome)
            wanted -= 1
        if not wanted:
            return

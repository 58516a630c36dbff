"""A fleet whose plan has every kind of step, its plan, and the judge's word on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fleetplan.fleet.model import Fleet
from fleetplan.inventory.load import load
from fleetplan.judge.verify import verify
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.search import plan as make_plan
from fleetplan.rollout.invariants import Violation
from fleetplan.rollout.plan import Plan

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

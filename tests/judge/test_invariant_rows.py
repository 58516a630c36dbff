"""Each invariant is whole: the judge checks it, a corruption breaks it, a fleet's plan changes because of it, and it says why it is one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from fleetplan.fleet.model import Fleet
from fleetplan.inventory.load import load
from fleetplan.judge.verify import CHECKS, verify
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.search import plan as make_plan
from fleetplan.rollout.copying import migration_s
from fleetplan.rollout.invariant_rows import INVARIANTS
from fleetplan.rollout.invariants import Invariant, InvariantId
from fleetplan.rollout.plan import Plan, Step, StepKind
from fleetplan.rollout.proofread import steps_of
from tests.judge.conftest import DIGEST
from tests.judge.test_corruptions import CORRUPTIONS, free, mapped, without

Inventory = dict[str, Any]

BASE: Inventory = {
    "fleetplan": 1,
    "target": {"kernel": "6.18.15", "vmm": "qemu-11.1.3"},
    "policy": {"max_unavailable": {"fleet": 2}},
    "hosts": {
        "a": {
            "kernel": "6.12.117",
            "vmm": "qemu-11.1.3",
            "midr": "0x413fd0c1",
            "revidr": "0x0",
            "vcpus": 32,
            "memory": "64GiB",
            "rack": "r1",
        },
        "b": {"like": "a", "rack": "r2"},
        "c": {"like": "a", "rack": "r3"},
        "new": {"like": "a", "kernel": "6.18.15", "rack": "r4"},
    },
    "guests": {
        "g1": {"on": "a", "vcpus": 4, "memory": "8GiB"},
        "g2": {"on": "a", "vcpus": 4, "memory": "8GiB"},
        "g3": {"on": "b", "vcpus": 4, "memory": "8GiB"},
        "g4": {"on": "c", "vcpus": 4, "memory": "8GiB"},
    },
}


NOTHING: Inventory = {}


class Pair(NamedTuple):
    """A fleet, and what is changed in it; `keep` carries the first one's plan (or spoils the second one's) to the second fleet."""

    change: Inventory
    before: Inventory = NOTHING
    keep: Callable[[Plan, Plan, Fleet], Plan] = lambda first, _second, fleet: carried(first, fleet)


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> Inventory:
    """The base with other values; None takes a key away."""
    found = dict(base)
    for key, value in change.items():
        if value is None:
            del found[key]
        else:
            found[key] = merged(found.get(key, {}), value) if isinstance(value, dict) else value
    return found


def carried(plan: Plan, fleet: Fleet) -> Plan:
    """The same steps at the same times for another state of the fleet, that take as long as they take there."""
    hosts, guests = {host.name: host for host in fleet.hosts}, {guest.name: guest for guest in fleet.guests}

    def longer(step: Step) -> Step:
        if step.kind is StepKind.UPGRADE:
            return replace(step, duration_s=hosts[step.host].reboot_s)  # type: ignore[index]
        if step.kind is StepKind.MIGRATE and step.guest in guests:
            return replace(step, duration_s=migration_s(guests[step.guest], hosts[step.source], hosts[step.destination]))  # type: ignore[index]
        return step

    return replace(mapped(plan, longer), placement={guest.name: guest.on for guest in fleet.guests})


def as_it_was(first: Plan, _second: Plan, _fleet: Fleet) -> Plan:
    return first


def at_once(first: Plan, _second: Plan, fleet: Fleet) -> Plan:
    """Nothing waits: times are as they were, though steps take longer."""
    return free(carried(first, fleet))


def less(kind: StepKind) -> Callable[[Plan, Plan, Fleet], Plan]:
    """The second fleet's plan without the steps of a kind."""
    return lambda _first, second, _fleet: without(second, *(step for step in steps_of(second) if step.kind is kind))


IN_PLACE: Inventory = {"guests": {"g1": {"migrate": "never", "restart": "ok"}}}

PAIRS: Mapping[InvariantId, Pair] = {
    InvariantId.INVENTORY: Pair({"guests": {"g1": {"on": "b"}}}, keep=as_it_was),
    InvariantId.STEPS: Pair({"guests": {"g1": None}}),
    InvariantId.ORDER: Pair({"guests": {"g1": {"memory": "24GiB"}, "g2": {"memory": "24GiB"}}}),
    InvariantId.AFTER: Pair({"policy": {"max_unavailable": {"fleet": 1}}}),
    InvariantId.DURATION: Pair({"hosts": {"a": {"reboot": "10m"}}}, keep=as_it_was),
    InvariantId.WAVES: Pair({"hosts": {"new": {"kernel": "6.12.117"}}}),
    InvariantId.GATES: Pair({"policy": {"gates": [{"after": 1, "soak": "10m"}]}}),
    InvariantId.PLACEMENT: Pair({"guests": {"g1": {"on": "b"}}}),
    InvariantId.LANDING: Pair({"hosts": {"new": {"state": "cordoned"}}}),
    InvariantId.POOL: Pair({"hosts": {"c": {"pool": "q"}, "d": {"pool": "q"}}}, {"hosts": {"d": {"like": "c"}}}),
    InvariantId.ALLOWED: Pair({"guests": {"g1": {"deny": "new"}}}),
    InvariantId.MIGRATABLE: Pair(IN_PLACE),
    InvariantId.RESTARTABLE: Pair({"guests": {"g1": {"migrate": "always", "restart": "never"}}}, IN_PLACE),
    InvariantId.VERDICT: Pair({"hosts": {"new": {"midr": "0x410fd4f1"}}}),
    InvariantId.PSCI_MAX: Pair({"guests": {"g1": {"psci_max": "1.1"}}}, IN_PLACE),
    InvariantId.PINS: Pair({"guests": {"g1": {"psci_max": "1.1"}}}, IN_PLACE, less(StepKind.PIN)),
    InvariantId.CAPACITY: Pair({"hosts": {"new": {"memory": "16GiB"}}}),
    InvariantId.RESERVE: Pair({"policy": {"reserve": "70%"}}),
    InvariantId.APART: Pair({"guests": {"g1": {"group": "w"}, "g3": {"group": "w"}}, "groups": {"w": {"apart": "host"}}}),
    InvariantId.TOGETHER: Pair(
        {"guests": {"g1": {"group": "t"}, "g2": {"group": "t"}}, "groups": {"t": {"together": "host"}}},
        {"hosts": {"new": {"memory": "15GiB"}, "d": {"like": "new"}}, "guests": {"g3": {"memory": "20GiB"}, "g4": {"memory": "20GiB"}}},
    ),
    InvariantId.UNAVAILABLE: Pair({"policy": {"max_unavailable": {"fleet": 1}}}),
    InvariantId.STREAMS: Pair({"policy": {"streams": 1}}, {"policy": {"streams": 2}}),
    InvariantId.DISRUPTED: Pair(
        {"guests": {"g1": {"group": "w"}, "g2": {"group": "w"}}, "groups": {"w": {"max_disrupted": 1}}}, {"policy": {"streams": 2}}
    ),
    InvariantId.LAST: Pair({"hosts": {"b": {"last": True}}}),
    InvariantId.CONVERGES: Pair({"guests": {"g1": {"dirty_rate": "9GiB", "restart": "ok"}}}, keep=at_once),
    InvariantId.WINDOWS: Pair({"policy": {"windows": [{"start": "22:00", "end": "22:05"}]}}),
    InvariantId.DRAINED: Pair({"guests": {"g5": {"on": "a", "vcpus": 1, "memory": "1GiB"}}}),
    InvariantId.CORDONED: Pair({"hosts": {"a": {"reboot": "10m"}}}, keep=at_once),
    InvariantId.UPGRADED: Pair({"hosts": {"d": {"kernel": "6.12.117"}}}, {"hosts": {"d": {"like": "new"}}}),
    InvariantId.RUNNING: Pair(IN_PLACE, keep=less(StepKind.START)),
    InvariantId.CLAIMS: Pair({"hosts": {"c": {"reboot": "10m"}}}, keep=at_once),
}


def planned_for(inventory: Inventory, path: Path) -> tuple[Fleet, ClassTable, Plan]:
    path.write_text(json.dumps(inventory))
    loaded = load(path)
    assert loaded.fleet is not None, loaded.findings
    classes = ClassTable(loaded.fleet)
    plan = make_plan(loaded.fleet, classes, digest=DIGEST)
    assert isinstance(plan, Plan), plan
    assert verify(loaded.fleet, classes, plan, digest=DIGEST) == []
    return loaded.fleet, classes, plan


@pytest.mark.parametrize("row", INVARIANTS, ids=lambda row: row.id.value)
def test_every_invariant_is_checked_broken_felt_and_explained(row: Invariant, tmp_path: Path) -> None:
    assert row.id in CHECKS
    assert any(row.id in corruption.breaks for corruption in CORRUPTIONS)
    assert row.law
    assert row.help
    assert row.decided_by
    pair = PAIRS[row.id]
    before = merged(BASE, pair.before)
    _, _, first = planned_for(before, tmp_path / "before.json")
    fleet, classes, second = planned_for(merged(before, pair.change), tmp_path / "after.json")
    assert steps_of(first) != steps_of(second)
    kept = pair.keep(first, second, fleet)
    assert row.id in {violation.invariant for violation in verify(fleet, classes, kept, digest=DIGEST)}


def test_rows_are_the_invariants() -> None:
    assert [row.id for row in INVARIANTS] == list(InvariantId)

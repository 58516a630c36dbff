"""Every kind of cause and remedy has words."""

from __future__ import annotations

import pytest

from fleetplan.output.views.refusal import HOMELESS, REMEDIES, cause_sentence, remedy_sentence, size_words
from fleetplan.rollout.plan import BlockedOn, Cause, Remedy, RemedyKind

FACTS = {
    "class": "6.18.15",
    "hosts": "2",
    "free_vcpus": "3",
    "free_memory_mib": "1536",
    "scarce": "memory",
    "needed": "4096",
    "fits": "1024",
    "guest": "g",
}
CHANGES = {"hosts": "1", "vcpus": "80", "memory_mib": "524288", "zone": "b", "pool": "p", "like": "h", "key": "k", "value": "v"} | {
    "reserve": "5%",
    "group": "w",
    "max_disrupted": "2",
    "vcpus_per_mille": "1100",
    "memory_per_mille": "1000",
}


@pytest.mark.parametrize("kind", BlockedOn)
def test_every_cause_has_a_sentence(kind: BlockedOn) -> None:
    assert "{" not in cause_sentence(Cause(blocked_on=kind, facts=FACTS))


@pytest.mark.parametrize("kind", HOMELESS)
def test_guests_without_a_place_are_counted(kind: BlockedOn) -> None:
    facts = {"guest": "g", "needs_vcpus": "2", "needs_memory_mib": "1536", "group": "w"}
    assert cause_sentence(Cause(blocked_on=kind, facts=facts)).startswith("guest g (2 vCPUs, 1.5 GiB): ")
    assert cause_sentence(Cause(blocked_on=kind, facts={**facts, "alike": "3"})).startswith(
        "guest g and 2 like it (2 vCPUs, 1.5 GiB each): "
    )


@pytest.mark.parametrize("kind", RemedyKind)
def test_every_remedy_is_an_order(kind: RemedyKind) -> None:
    told = remedy_sentence(Remedy(kind=kind, facts=CHANGES))
    assert told.strip()
    assert kind in REMEDIES or "(" not in told


def test_a_host_is_named_by_shape_and_zone() -> None:
    told = remedy_sentence(Remedy(kind=RemedyKind.ADD_HOST, facts=CHANGES))
    assert told == "add 1 host of 80 vCPU / 512 GiB in zone b to pool p, like h, on the target release"
    assert [size_words(size) for size in (512, 1024, 1536, 524_288)] == ["512 MiB", "1 GiB", "1.5 GiB", "512 GiB"]

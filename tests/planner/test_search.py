"""Plans of small fleets: what they do, that they are as good as they can be, and why there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fleetplan.fleet.model import Fleet, HostState, Release, Scope
from fleetplan.fleet.policy import GateRule, Immovable, MaxUnavailable, Share
from fleetplan.inventory.plan_text import encode_plan
from fleetplan.judge.verify import verify
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.search import CancelledError, plan
from fleetplan.rollout.plan import BlockedOn, Cause, Infeasible, Plan, PlanStatus, RemedyKind, Step, StepKind
from fleetplan.rollout.replay import replay

DIGEST = "sha256:test"
NEW = Release("6.18.15", "qemu-11.1.3")


def planned(fleet: Fleet) -> Plan:
    outcome = plan(fleet, ClassTable(fleet), digest=DIGEST)
    assert isinstance(outcome, Plan), outcome
    assert verify(fleet, ClassTable(fleet), outcome, digest=DIGEST) == []
    return outcome


def refused(fleet: Fleet) -> Infeasible:
    outcome = plan(fleet, ClassTable(fleet), digest=DIGEST)
    assert isinstance(outcome, Infeasible)
    return outcome


def steps(outcome: Plan, kind: StepKind) -> list[Step]:
    return [step for wave in outcome.waves for step in wave.steps if step.kind is kind]


def landings(outcome: Plan) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for step in steps(outcome, StepKind.MIGRATE):
        found.setdefault(step.guest or "", []).append(step.destination or "")
    return found


def chain(causes: tuple[Cause, ...]) -> Iterator[Cause]:
    for cause in causes:
        yield cause
        yield from chain(cause.because)


# --- what plans do -------------------------------------------------------------------------------------------------------------------


def test_nothing_to_do_is_a_plan_without_waves(make: Any) -> None:
    outcome = planned(make.fleet([make.host("a", release=NEW)], [make.guest("g", "a")]))
    assert outcome.waves == ()
    assert outcome.status is PlanStatus.OPTIMAL


def test_an_empty_host_goes_first_and_takes_the_guests(make: Any) -> None:
    outcome = planned(make.fleet([make.host("a"), make.host("b")], [make.guest("g", "a")]))
    assert [wave.hosts for wave in outcome.waves] == [("b",), ("a",)]
    assert landings(outcome) == {"g": ["b"]}
    assert outcome.status is PlanStatus.OPTIMAL


def test_without_an_empty_host_the_least_loaded_is_emptied_and_its_guests_move_twice(make: Any) -> None:
    hosts = [make.host("a"), make.host("b"), make.host("c")]
    guests = [make.guest("g1", "a"), make.guest("g2", "b"), make.guest("g3", "b"), make.guest("g4", "c"), make.guest("g5", "c")]
    outcome = planned(make.fleet(hosts, guests))
    assert outcome.waves[0].hosts == ("a",)
    assert outcome.bounds.moves.plan == outcome.bounds.moves.bound == 6
    assert len(landings(outcome)["g1"]) == 2


def test_a_guest_that_cannot_move_restarts_in_place(make: Any) -> None:
    outcome = planned(make.fleet([make.host("a")], [make.guest("g", "a", migratable=False, restartable=True)]))
    assert [step.kind for step in outcome.waves[0].steps] == [
        StepKind.CORDON,
        StepKind.STOP,
        StepKind.UPGRADE,
        StepKind.CHECK,
        StepKind.UNCORDON,
        StepKind.START,
    ]


@pytest.mark.parametrize(
    "beside", [[], [("b", HostState.DOWN, "default")], [("b", HostState.UP, "other")]], ids=["no host", "dead", "other pool"]
)
def test_a_guest_on_the_only_host_of_its_pool_restarts_in_place(make: Any, beside: list[tuple[str, HostState, str]]) -> None:
    hosts = [make.host("a"), *(make.host(name, state=state, pool=pool) for name, state, pool in beside)]
    limits = MaxUnavailable(fleet=Share(count=2))
    outcome = planned(make.fleet(hosts, [make.guest("g", "a", restartable=True)], max_unavailable=limits))
    assert landings(outcome) == {}
    assert [step.guest for step in steps(outcome, StepKind.STOP)] == ["g"]
    assert outcome.points_of_no_return == ()


def test_a_guest_that_is_alone_and_must_not_restart_has_no_way_back(make: Any) -> None:
    """It is on the target already, in a pool with nobody else; another host is upgraded."""
    hosts = [make.host("a"), make.host("n", release=NEW, pool="other")]
    outcome = planned(make.fleet(hosts, [make.guest("g", "n")]))
    (point,) = outcome.points_of_no_return
    assert (point.wave, point.guests, point.why.blocked_on) == (0, ("g",), BlockedOn.ALONE)
    assert planned(make.fleet(hosts, [make.guest("g", "n", restartable=True)])).points_of_no_return == ()


def test_policy_may_skip_hosts_instead(make: Any) -> None:
    fleet = make.fleet([make.host("a"), make.host("b")], [make.guest("g", "a", migratable=False)], immovable=Immovable.SKIP)
    outcome = planned(fleet)
    assert dict(outcome.skipped) == {"a": "guest g cannot be moved"}
    assert [wave.hosts for wave in outcome.waves] == [("b",)]


def test_members_of_a_group_never_meet(make: Any) -> None:
    hosts = [make.host(name, zone=zone) for name, zone in (("a", "x"), ("b", "x"), ("c", "y"), ("d", "y"))]
    guests = [make.guest("g1", "a", group="web"), make.guest("g2", "c", group="web")]
    outcome = planned(make.fleet(hosts, guests, apart=Scope.ZONE))
    assert landings(outcome) == {"g1": ["b"], "g2": ["d"]}


def test_deny_and_pools_are_kept(make: Any) -> None:
    hosts = [make.host("a"), make.host("b"), make.host("c"), make.host("d", pool="other")]
    outcome = planned(make.fleet(hosts, [make.guest("g", "a", deny=("b",))]))
    assert landings(outcome) == {"g": ["c"]}


def test_the_reserve_is_left_free(make: Any) -> None:
    hosts, guests = [make.host("a"), make.host("b")], [make.guest("g", "a", vcpus=8)]
    assert planned(make.fleet(hosts, guests)).bounds.moves.plan == 1
    told = refused(make.fleet(hosts, guests, reserve_per_mille=100))
    assert RemedyKind.LOWER_RESERVE in {remedy.kind for remedy in told.remedies}


def test_gates_part_the_waves_and_limit_the_canary(make: Any) -> None:
    hosts = [make.host(f"h{number}") for number in range(4)]
    gates = (GateRule(after=1, soak_s=600, approval=True, hosts=1),)
    outcome = planned(make.fleet(hosts, [], gates=gates, max_unavailable=MaxUnavailable(fleet=Share(count=3))))
    assert [len(wave.hosts) for wave in outcome.waves] == [1, 3]
    (gate,) = steps(outcome, StepKind.GATE)
    assert (gate.duration_s, gate.note) == (600, "soak 600 s, approval")


def test_a_cordoned_host_uses_its_own_slot(make: Any) -> None:
    outcome = planned(make.fleet([make.host("a"), make.host("b", state=HostState.CORDONED)], []))
    assert [wave.hosts for wave in outcome.waves] == [("b",), ("a",)]


def test_pins_keep_the_way_back_where_policy_asks(make: Any) -> None:
    hosts = [make.host("a"), make.host("n", release=NEW)]
    guests = [make.guest("free", "n", born=None, restartable=True), make.guest("bound", "n", born=None)]
    plain, reversible = planned(make.fleet(hosts, guests)), planned(make.fleet(hosts, guests, reversible=True))
    assert plain.pins == ()
    assert [(pin.guest, pin.psci) for pin in reversible.pins] == [("free", "1.1")]
    assert [point.guests for point in reversible.points_of_no_return] == [("bound",)]


def test_a_guest_that_bears_no_newer_psci_is_pinned_when_it_restarts(make: Any) -> None:
    guest = make.guest("g", "a", migratable=False, restartable=True, psci_max="1.1")
    outcome = planned(make.fleet([make.host("a")], [guest]))
    assert [(pin.guest, pin.psci) for pin in outcome.pins] == [("g", "1.1")]


def test_the_search_can_be_stopped(make: Any) -> None:
    class Stop:
        cancelled = True

        def report(self, *_: object) -> None:
            pass

    fleet = make.fleet([make.host("a")], [])
    with pytest.raises(CancelledError):
        plan(fleet, ClassTable(fleet), digest=DIGEST, progress=Stop())


# --- why there is none ---------------------------------------------------------------------------------------------------------------


def test_a_guest_that_may_do_nothing_blocks_and_a_restart_would_help(make: Any) -> None:
    told = refused(make.fleet([make.host("a"), make.host("b")], [make.guest("g", "a", migratable=False)]))
    assert [cause.blocked_on for cause in chain(told.causes)] == [BlockedOn.IMMOVABLE_GUEST, BlockedOn.PLACEMENT, BlockedOn.VERDICT]
    assert [(remedy.kind, remedy.tried) for remedy in told.remedies] == [(RemedyKind.ALLOW_RESTART, True), (RemedyKind.SKIP_HOSTS, True)]


def test_a_guest_on_the_only_host_of_its_pool_is_told_with_what_helps(make: Any) -> None:
    for pools in (("p",), ("p", "q")):
        hosts = [make.host(f"{pool}1", pool=pool) for pool in pools]
        told = refused(make.fleet([*hosts, make.host("other")], [make.guest(f"g{host.name}", host.name) for host in hosts]))
        assert [cause.blocked_on for cause in told.causes] == [BlockedOn.IMMOVABLE_GUEST for _ in pools]
        assert [cause.blocked_on for cause in told.causes[0].because] == [BlockedOn.ALONE, BlockedOn.VERDICT]
        assert told.proved
        add = RemedyKind.ADD_HOST if len(pools) == 1 else RemedyKind.TOGETHER
        assert [remedy.kind for remedy in told.remedies] == [add, RemedyKind.ALLOW_RESTART, RemedyKind.SKIP_HOSTS]
        assert all(remedy.tried for remedy in told.remedies)


def test_a_firmware_refusal_is_told_down_to_register_and_stage(make: Any) -> None:
    hosts = [make.host("a", release=Release("6.12.117", "qemu-10.0.13")), make.host("b", release=Release("6.12.117", "qemu-10.0.13"))]
    fleet = replace(make.fleet(hosts, [make.guest("g", "a")]), target=Release("7.3.4", "qemu-10.0.13"))
    told = refused(fleet)
    (verdict,) = [cause for cause in chain(told.causes) if cause.facts.get("verdict")]
    assert verdict.facts["verdict"] == "FAILS"
    assert "TCR2_EL1" in verdict.facts["registers"]
    assert BlockedOn.ANY_VMM not in {cause.blocked_on for cause in chain(told.causes)}
    assert RemedyKind.CHANGE_RELEASE in {remedy.kind for remedy in told.remedies}


def test_that_no_vmm_helps_is_told_where_the_kernel_refuses(make: Any) -> None:
    """6.1 refuses an ID register of 5.10 on this CPU, whoever loads it."""
    hosts = [make.host(name, release=Release("5.10.200", "qemu-7.2.9")) for name in "ab"]
    fleet = replace(make.fleet(hosts, [make.guest("g", "a", born=None)]), target=Release("6.1.140", "qemu-7.2.9"))
    told = refused(fleet)
    (cause,) = [cause for cause in chain(told.causes) if cause.blocked_on is BlockedOn.ANY_VMM]
    assert cause.facts == {"kernel": "6.1.140", "tried": "qemu-11.1, qemu-11.0, qemu-10.2, qemu-8.2"}
    assert RemedyKind.CHANGE_RELEASE not in {remedy.kind for remedy in told.remedies}


def test_missing_room_is_told_with_a_host_that_would_help(make: Any) -> None:
    hosts = [make.host("a"), make.host("b")]
    guests = [make.guest("g1", "a", vcpus=8), make.guest("g2", "b", vcpus=8)]
    told = refused(make.fleet(hosts, guests))
    assert {cause.blocked_on for cause in chain(told.causes)} == {BlockedOn.NO_UPGRADED_HOST, BlockedOn.CAPACITY}
    assert told.remedies[0].kind is RemedyKind.ADD_HOST
    assert told.remedies[0].facts["vcpus"] == "8"


def test_no_slot_left_is_told(make: Any) -> None:
    fleet = make.fleet([make.host("a"), make.host("b", state=HostState.DOWN)], [])
    told = refused(fleet)
    assert [cause.blocked_on for cause in told.causes] == [BlockedOn.UNAVAILABLE]
    assert [remedy.kind for remedy in told.remedies] == [RemedyKind.RAISE_MAX_UNAVAILABLE]


def test_groups_and_denials_are_told(make: Any) -> None:
    hosts = [make.host("a"), make.host("n", release=NEW)]
    apart = refused(make.fleet(hosts, [make.guest("g1", "a", group="w"), make.guest("g2", "n", group="w")]))
    assert BlockedOn.ANTI_AFFINITY in {cause.blocked_on for cause in chain(apart.causes)}
    denied = refused(make.fleet(hosts, [make.guest("g", "a", deny=("n",))]))
    assert BlockedOn.PLACEMENT in {cause.blocked_on for cause in chain(denied.causes)}


# --- laws ----------------------------------------------------------------------------------------------------------------------------


@st.composite
def fleets(draw: st.DrawFn, hosts: int = 5, guests: int = 10) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]:
    count = draw(st.integers(1, hosts))
    names = [f"h{number}" for number in range(count)]
    machines = [
        {
            "name": name,
            "vcpus": draw(st.sampled_from([4, 8, 16])),
            "zone": draw(st.sampled_from("xy")),
            "rack": draw(st.sampled_from("rst")),
            "pool": draw(st.sampled_from("pp" + "q")),
            "release": draw(st.sampled_from([None, None, None, NEW])),
            "state": draw(st.sampled_from([HostState.UP] * 6 + [HostState.CORDONED, HostState.DOWN])),
        }
        for name in names
    ]
    vms = [
        {
            "name": f"g{number}",
            "on": draw(st.sampled_from(names)),
            "vcpus": draw(st.integers(1, 4)),
            "memory_mib": draw(st.integers(256, 6000)),
            "group": draw(st.sampled_from([None, None, "w"])),
            "migratable": draw(st.integers(0, 9)) > 0,
            "restartable": draw(st.booleans()),
            "psci_max": draw(st.sampled_from([None, None, None, "1.1"])),
        }
        for number in range(draw(st.integers(0, guests)))
    ]
    policy = {
        "max_unavailable": MaxUnavailable(fleet=Share(count=draw(st.integers(1, 3))), zone=draw(st.sampled_from([None, Share(count=1)]))),
        "immovable": draw(st.sampled_from(Immovable)),
        "streams": draw(st.integers(1, 2)),
        "reversible": draw(st.booleans()),
        "reserve_per_mille": draw(st.sampled_from([0, 0, 100])),
        "gates": draw(st.sampled_from([(), (GateRule(after=None, soak_s=60),), (GateRule(after=1, hosts=1),)])),
        "apart": draw(st.sampled_from(Scope)),
    }
    return machines, vms, policy


def built(make: Any, drawn: tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]) -> Fleet:
    machines, vms, policy = drawn
    hosts = [make.host(**{key: value for key, value in machine.items() if value is not None}) for machine in machines]
    return make.fleet(hosts, [make.guest(**vm) for vm in vms], **policy)


@settings(max_examples=250)
@given(drawn=fleets())
def test_the_judge_passes_every_plan(make: Any, drawn: Any) -> None:
    fleet = built(make, drawn)
    classes = ClassTable(fleet)
    outcome = plan(fleet, classes, digest=DIGEST)
    if isinstance(outcome, Plan):
        assert verify(fleet, classes, outcome, digest=DIGEST) == []
        assert replay(fleet, classes, outcome) == []
        assert outcome.bounds.moves.plan >= outcome.bounds.moves.bound
        assert outcome.bounds.makespan_s.plan >= outcome.bounds.makespan_s.bound
    else:
        assert outcome.causes
        assert all(remedy.tried for remedy in outcome.remedies)


@settings(max_examples=40)
@given(drawn=fleets())
def test_the_same_fleet_gives_the_same_bytes(make: Any, drawn: Any) -> None:
    fleet = built(make, drawn)
    one, other = (encode_plan(plan(fleet, ClassTable(fleet), digest=DIGEST)) for _ in range(2))
    assert one == other


@settings(max_examples=60)
@given(sizes=st.lists(st.integers(1, 5), max_size=5), places=st.lists(st.integers(0, 2), min_size=5, max_size=5), hosts=st.integers(2, 3))
def test_no_order_of_moves_needs_fewer(make: Any, sizes: list[int], places: list[int], hosts: int) -> None:
    """Brute force over all ways to empty hosts one after the other: as feasible as the planner says, and never fewer moves."""
    guests = [make.guest(f"g{n}", f"h{place % hosts}", vcpus=size) for n, (size, place) in enumerate(zip(sizes, places, strict=False))]
    fleet = make.fleet([make.host(f"h{n}") for n in range(hosts)], guests)
    if any(used > 8 for used in Counter({guest.on: 0 for guest in guests}).elements()):
        return
    loads: Counter[str] = Counter()
    for guest in guests:
        loads[guest.on] += guest.vcpus
    if any(load > 8 for load in loads.values()):
        return
    outcome = plan(fleet, ClassTable(fleet), digest=DIGEST)
    best = fewest_moves(tuple(guest.vcpus for guest in guests), tuple(int(guest.on[1:]) for guest in guests), hosts)
    if isinstance(outcome, Plan):
        assert best is not None
        assert outcome.bounds.moves.bound <= best <= outcome.bounds.moves.plan
    # A greedy search may miss a plan that exists; it must not find one that does not.
    elif best is None:
        assert outcome.causes


@cache
def fewest_moves(sizes: tuple[int, ...], at: tuple[int, ...], hosts: int, done: frozenset[int] = frozenset()) -> int | None:
    """The least number of moves with which every host is emptied and upgraded, one at a time, onto hosts of 8 vCPUs."""
    if len(done) == hosts:
        return 0
    best: int | None = None
    for host in range(hosts):
        if host in done:
            continue
        leaving = [guest for guest, place in enumerate(at) if place == host]
        others = [other for other in range(hosts) if other != host]
        for places in product(others, repeat=len(leaving)):
            after = list(at)
            for guest, place in zip(leaving, places, strict=True):
                after[guest] = place
            if any(sum(size for size, place in zip(sizes, after, strict=True) if place == other) > 8 for other in others):
                continue
            rest = fewest_moves(sizes, tuple(after), hosts, done | {host})
            if rest is not None and (best is None or rest + len(leaving) < best):
                best = rest + len(leaving)
    return best


def test_a_member_may_move_within_the_place_that_it_shares_from_the_start(make: Any) -> None:
    hosts = [make.host("a"), make.host("b")]
    outcome = planned(make.fleet(hosts, [make.guest("g1", "a", group="w"), make.guest("g2", "b", group="w")], apart=Scope.RACK))
    assert outcome.bounds.moves.plan == 3


def test_hosts_cordoned_beyond_the_limit_come_back_before_any_other_goes(make: Any) -> None:
    hosts = [make.host("a"), make.host("b", state=HostState.CORDONED), make.host("c", state=HostState.CORDONED)]
    outcome = planned(make.fleet(hosts, []))
    (cordon,) = [step for step in steps(outcome, StepKind.CORDON) if step.host == "a"]
    assert cordon.start_s == 311

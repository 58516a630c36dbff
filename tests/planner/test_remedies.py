"""What would help where there is no plan: it works, no less of it does, and the causes name the bottleneck."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fleetplan.fleet.guest import Equipment
from fleetplan.fleet.model import Fleet, Group, GroupName, Guest, HostState, Platform, Release, Scope
from fleetplan.fleet.policy import Converge, Immovable, MaxUnavailable, Share
from fleetplan.migration.classes import ClassTable
from fleetplan.output.views.refusal import cause_sentence
from fleetplan.planner.changes import adding, reserve, restarting_in_place
from fleetplan.planner.part import part_of
from fleetplan.planner.remedies import EFFORT
from fleetplan.planner.search import CancelledError, obstacle, plan
from fleetplan.rollout.plan import BlockedOn, Cause, Infeasible, Remedy, RemedyKind

NEW = Release("6.18.15", "qemu-11.1.3")


def refused(fleet: Fleet) -> Infeasible:
    outcome = plan(fleet, ClassTable(fleet), digest="sha256:test")
    assert isinstance(outcome, Infeasible)
    assert all(remedy.tried for remedy in outcome.remedies)
    return outcome


def works(fleet: Fleet) -> bool:
    return obstacle(fleet, ClassTable(fleet)) is None


def of_kind(told: Infeasible, kind: RemedyKind) -> list[Remedy]:
    return [remedy for remedy in told.remedies if remedy.kind is kind]


def chain(causes: tuple[Cause, ...]) -> Iterator[Cause]:
    for cause in causes:
        yield cause
        yield from chain(cause.because)


def plain(told: Infeasible) -> str:
    return " ".join(cause_sentence(cause) for cause in chain(told.causes))


def homeless(told: Infeasible) -> list[Cause]:
    return [cause for cause in chain(told.causes) if "needs_vcpus" in cause.facts]


def grouped(fleet: Fleet, **fields: Any) -> Fleet:
    return replace(fleet, groups={name: replace(group, apart=None, **fields) for name, group in fleet.groups.items()})


def test_no_more_hosts_are_asked_for_than_it_takes(make: Any) -> None:
    hosts = [make.host("a", vcpus=4), make.host("b", vcpus=16, memory_mib=65_536), make.host("c", vcpus=16, memory_mib=65_536)]
    guests = [make.guest(f"{on}{number}", on, vcpus=4) for on, count in (("a", 1), ("b", 4), ("c", 4)) for number in range(count)]
    fleet = make.fleet(hosts, guests)
    told = of_kind(refused(fleet), RemedyKind.ADD_HOST)
    assert [(remedy.facts["vcpus"], remedy.facts["hosts"]) for remedy in told] == [("4", "4"), ("16", "1")]
    small = fleet.hosts[0]
    assert works(adding(small, 4)(fleet))
    assert not works(adding(small, 3)(fleet))


def test_no_more_reserve_is_given_up_than_it_takes(make: Any) -> None:
    fleet = make.fleet([make.host("a", vcpus=10), make.host("b", vcpus=10)], [make.guest("g", "a", vcpus=8)], reserve_per_mille=400)
    (told,) = of_kind(refused(fleet), RemedyKind.LOWER_RESERVE)
    assert told.facts == {"reserve": "20%"}
    assert works(reserve(fleet, 200))
    assert not works(reserve(fleet, 210))


def test_groups_that_may_meet_and_guests_that_may_go_anywhere_are_offered(make: Any) -> None:
    hosts = [make.host("a"), make.host("n", release=NEW)]
    apart = refused(make.fleet(hosts, [make.guest("g1", "a", group="w"), make.guest("g2", "n", group="w")]))
    assert [remedy.facts["groups"] for remedy in of_kind(apart, RemedyKind.RELAX_GROUP)] == ["w"]
    denied = refused(make.fleet(hosts, [make.guest("g", "a", deny=("n",))]))
    assert [remedy.facts["guests"] for remedy in of_kind(denied, RemedyKind.RELAX_PLACEMENT)] == ["g"]
    assert not of_kind(denied, RemedyKind.RELAX_GROUP)


def test_each_guest_that_is_to_restart_is_needed(make: Any) -> None:
    hosts = [make.host("a"), make.host("b")]
    guests = [make.guest("small", "a", vcpus=1), make.guest("big", "a", vcpus=7), make.guest("other", "b", vcpus=7)]
    fleet = make.fleet(hosts, guests)
    (told,) = of_kind(refused(fleet), RemedyKind.ALLOW_RESTART)
    chosen = told.facts["guests"].split(", ")
    assert works(restarting_in_place(chosen)(fleet))  # type: ignore[arg-type]
    for name in chosen:
        assert not works(restarting_in_place([other for other in chosen if other != name])(fleet))  # type: ignore[misc]


def test_what_policy_forbids_is_offered_where_it_decides(make: Any) -> None:
    hosts = [make.host("a"), make.host("b")]
    stays = make.guest("g", "a", migratable=False, restartable=True)
    blocked = refused(make.fleet(hosts, [stays], immovable=Immovable.BLOCK))
    assert {"key": "immovable", "value": "restart"} in [remedy.facts for remedy in of_kind(blocked, RemedyKind.RELAX_POLICY)]
    hosts = [make.host(name, release=Release("6.12.117", "qemu-11.1.3")) for name in "ab"]
    changes = make.guest("g", "a", born=None)
    forbidden = make.fleet(hosts, [changes], forbid_psci_change=True)
    if not works(forbidden):
        assert of_kind(refused(forbidden), RemedyKind.RELAX_POLICY)


@pytest.mark.parametrize(
    ("now", "dirty_mib_s", "offered"),
    [
        (Converge(), 2_900, {"throttle": "allow"}),
        (Converge(within_s=6), 2_900, {"throttle": "allow", "within_s": "7"}),
        (Converge(within_s=6, throttle=True), 2_900, {"throttle": "allow", "within_s": "7"}),
        (Converge(within_s=6), 2_000, None),
        (Converge(within_s=1), 2_000, {"within_s": "2"}),
    ],
)
def test_a_copy_that_does_not_end_is_told_with_the_least_change_that_lets_it(
    make: Any, now: Converge, dirty_mib_s: int, offered: dict[str, str] | None
) -> None:
    writes = make.guest("g", "a", memory_mib=1024, dirty_rate_mib_s=dirty_mib_s)
    fleet = make.fleet([make.host("a"), make.host("b", release=NEW)], [writes], converge=now)
    if offered is None:
        assert works(fleet)
        return
    told = refused(fleet)
    (why,) = (cause for cause in chain(told.causes) if cause.blocked_on is BlockedOn.CONVERGENCE)
    assert (why.facts["dirties_mib_s"], why.facts["link_mib_s"], why.facts["ends_up_to_mib_s"]) == (str(dirty_mib_s), "2980", "2831")
    assert [remedy.facts for remedy in of_kind(told, RemedyKind.THROTTLE)] == [offered]
    assert not any(cause.blocked_on is BlockedOn.FIRMWARE for cause in chain(told.causes))


def test_a_group_that_bears_no_disruption_is_told_what_it_would_have_to_bear(make: Any) -> None:
    members = [make.guest(name, "a", group="w") for name in ("g1", "g2")]
    fleet = make.fleet([make.host("a"), make.host("b", release=NEW)], members)
    group = Group(name=GroupName("w"), max_disrupted=Share(count=0))
    told = refused(replace(fleet, groups={group.name: group}))
    assert {cause.blocked_on for cause in chain(told.causes)} >= {BlockedOn.DISRUPTION}
    assert of_kind(told, RemedyKind.RAISE_MAX_DISRUPTED)


def test_guests_that_leave_for_one_host_together_are_told_apart_from_room_in_pieces(make: Any) -> None:
    hosts = [make.host("a"), make.host("m", release=NEW), make.host("n", release=NEW)]
    guests = [make.guest(f"g{number}", "a", vcpus=3, group="w") for number in (1, 2)]
    fleet = make.fleet(hosts, [*guests, make.guest("old", "m", vcpus=4), make.guest("other", "n", vcpus=4)])
    assert works(grouped(fleet))
    told = refused(grouped(fleet, together=Scope.HOST))
    assert {(cause.blocked_on, cause.facts["group"], cause.facts["members"]) for cause in homeless(told)} == {
        (BlockedOn.AFFINITY, "w", "2")
    }
    assert [remedy.facts["groups"] for remedy in of_kind(told, RemedyKind.RELAX_TOGETHER)] == ["w"]
    assert "all 2 of the group w" in plain(told)


def test_guests_that_must_stay_in_their_zone_are_not_told_of_allow_and_deny(make: Any) -> None:
    hosts = [make.host("a", zone="x"), make.host("b", zone="x", vcpus=2), make.host("n", zone="y", release=NEW)]
    guests = [make.guest("g1", "a", vcpus=6, group="w"), make.guest("g2", "b", vcpus=2, group="w")]
    fleet = make.fleet(hosts, guests)
    assert works(grouped(fleet))
    told = refused(grouped(fleet, together=Scope.ZONE))
    assert {(cause.blocked_on, cause.facts["stays_in"]) for cause in homeless(told)} == {(BlockedOn.AFFINITY, "zone x")}
    assert [remedy.facts["groups"] for remedy in of_kind(told, RemedyKind.RELAX_TOGETHER)] == ["w"]
    assert "outside of zone x" in plain(told)
    assert not any(cause.blocked_on is BlockedOn.PIECES for cause in chain(told.causes))


def test_hosts_that_go_last_are_named_where_only_they_could_make_room(make: Any) -> None:
    hosts = [make.host("a"), make.host("l", last=True, state=HostState.CORDONED)]
    fleet = make.fleet(hosts, [make.guest("g", "a", vcpus=8)], max_unavailable=MaxUnavailable(fleet=Share(count=2)))
    told = refused(fleet)
    assert [cause.facts["pool"] for cause in told.causes if cause.blocked_on is BlockedOn.LAST] == [fleet.hosts[0].pool]
    assert [remedy.facts["hosts"] for remedy in of_kind(told, RemedyKind.RELAX_LAST)] == ["l"]
    full = replace(fleet, guests=[*fleet.guests, make.guest("h", "l", vcpus=8)])
    assert not any(cause.blocked_on is BlockedOn.LAST for cause in refused(full).causes)


def test_members_that_would_stop_with_one_host_are_told_with_what_their_group_bears(make: Any) -> None:
    stay = [make.guest(f"g{number}", "a", group="w", migratable=False, restartable=True) for number in (1, 2)]
    fleet = make.fleet([make.host("a"), make.host("n", release=NEW)], stay)
    assert works(grouped(fleet, max_disrupted=Share(count=2)))
    told = refused(grouped(fleet, max_disrupted=Share(count=1)))
    found = [cause.facts for cause in chain(told.causes) if cause.blocked_on is BlockedOn.DISRUPTION]
    assert [(facts["group"], facts["max_disrupted"]) for facts in found] == [("w", "1"), ("w", "1")]
    assert [remedy.facts["max_disrupted"] for remedy in of_kind(told, RemedyKind.RAISE_MAX_DISRUPTED)] == ["2"]


def test_reserved_pages_that_are_short_are_named(make: Any) -> None:
    pages = replace(make.host("a").facts, platform=Platform(hugepages_kib=(2048,)))
    hosts = [make.host("a", reserved_mib={2048: 8192}), make.host("n", release=NEW, reserved_mib={2048: 1024})]
    hosts = [replace(host, facts=pages) for host in hosts]
    guest = make.guest("g", "a", memory_mib=4096, equipment=Equipment(hugepages_kib=2048))
    told = refused(make.fleet(hosts, [guest]))
    (why,) = homeless(told)
    assert (why.blocked_on, why.facts["lacks_pages_2048kib_mib"]) == (BlockedOn.CAPACITY, "4096")
    assert "4 GiB of pages 2048kib left" in plain(told)
    assert of_kind(told, RemedyKind.ADD_HOST)


def test_where_two_pools_are_blocked_each_gets_its_hosts_and_both_together_help(make: Any) -> None:
    hosts = [make.host(name, pool=pool) for name, pool in (("a", "p"), ("b", "p"), ("c", "q"), ("d", "q"))]
    guests = [make.guest(f"g{name}", name, vcpus=8) for name in "abcd"]
    told = refused(make.fleet(hosts, guests))
    added = of_kind(told, RemedyKind.ADD_HOST)
    assert [(remedy.facts["pool"], remedy.alone) for remedy in added] == [("p", False), ("q", False)]
    (both,) = of_kind(told, RemedyKind.TOGETHER)
    assert [part.facts.get("pool") for part in both.together] == ["p", "q"]


def test_the_bottleneck_is_a_class_of_full_hosts(make: Any) -> None:
    hosts = [make.host("a"), make.host("n", release=NEW)]
    told = refused(make.fleet(hosts, [*(make.guest(f"g{number}", "a", vcpus=2) for number in range(3)), make.guest("old", "n", vcpus=6)]))
    (full,) = [cause for cause in chain(told.causes) if cause.blocked_on is BlockedOn.HOST_CLASS]
    facts = full.facts
    assert (facts["hosts"], facts["free_vcpus"], facts["scarce"], facts["needed"], facts["fits"]) == ("1", "2", "vcpus", "6", "2")


def test_room_in_pieces_is_told_from_no_room(make: Any) -> None:
    hosts = [make.host("a"), make.host("n", release=NEW), make.host("m", release=NEW)]
    guests = [make.guest("big", "a", vcpus=6), make.guest("g2", "n", vcpus=4), make.guest("g3", "m", vcpus=4)]
    told = refused(make.fleet(hosts, guests))
    (pieces,) = [cause for cause in chain(told.causes) if cause.blocked_on is BlockedOn.PIECES]
    assert (pieces.facts["guest"], pieces.facts["largest_free_vcpus"]) == ("big", "4")


def test_a_guest_that_fits_alone_but_not_beside_its_neighbours_is_not_said_to_be_refused(make: Any) -> None:
    hosts = [make.host("a"), make.host("n", release=NEW)]
    guests = [make.guest("g1", "a", vcpus=5), make.guest("g2", "a", vcpus=2, memory_mib=8192), make.guest("old", "n", vcpus=2)]
    guests += [make.guest("g3", "a", vcpus=1, memory_mib=8192 - 1024)]
    told = refused(make.fleet(hosts, guests))
    assert BlockedOn.FIRMWARE not in {cause.blocked_on for cause in chain(told.causes)}


def test_the_work_is_bounded_and_can_be_stopped(make: Any) -> None:
    class Stop:
        def __init__(self) -> None:
            self.stages: list[str] = []

        @property
        def cancelled(self) -> bool:
            return "remedies" in self.stages

        def report(self, stage: str, done: int, total: int) -> None:
            self.stages.append(stage)
            assert 0 <= done <= total or not total
            assert total <= max(EFFORT, 2)

    fleet = make.fleet([make.host("a"), make.host("b")], [make.guest("g1", "a", vcpus=8), make.guest("g2", "b", vcpus=8)])
    with pytest.raises(CancelledError):
        plan(fleet, ClassTable(fleet), digest="x", progress=Stop())


# --- parts of fleets -----------------------------------------------------------------------------------------------------------------


@st.composite
def fleets(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Scope]:
    names = [f"h{number}" for number in range(draw(st.integers(2, 6)))]
    hosts = [
        {
            "name": name,
            "pool": draw(st.sampled_from("pq")),
            "zone": draw(st.sampled_from("xy")),
            "vcpus": draw(st.sampled_from([4, 8])),
            "state": draw(st.sampled_from([HostState.UP] * 5 + [HostState.DOWN])),
        }
        for name in names
    ]
    guests = [
        {
            "name": f"g{number}",
            "on": draw(st.sampled_from(names)),
            "vcpus": draw(st.integers(1, 3)),
            "group": draw(st.sampled_from([None, None, "w"])),
        }
        for number in range(draw(st.integers(0, 8)))
    ]
    return hosts, guests, draw(st.sampled_from([Scope.HOST, Scope.HOST, Scope.ZONE]))


@settings(max_examples=120)
@given(drawn=fleets())
def test_a_part_keeps_its_hosts_guests_and_classes(make: Any, drawn: Any) -> None:
    hosts, guests, apart = drawn
    limits = MaxUnavailable(fleet=Share(count=2))
    fleet = make.fleet(
        [make.host(**host) for host in hosts], [make.guest(**guest) for guest in guests], apart=apart, max_unavailable=limits
    )
    classes = ClassTable(fleet)
    for pool in sorted({host.pool for host in fleet.hosts}):
        part, numbers = part_of(fleet, {pool})
        beside = classes.beside(part, numbers)
        assert [host for host in part.hosts if host.pool == pool] == [host for host in fleet.hosts if host.pool == pool]
        own = [guest for guest in fleet.guests if any(host.name == guest.on and host.pool == pool for host in fleet.hosts)]
        assert [guest for guest in part.guests if guest in own] == own
        assert [fleet.guests[number] for number in numbers] == list(part.guests)
        assert len(beside.guests) == len(part.guests)
        assert part.policy.max_unavailable.fleet == Share(count=2)
    whole, numbers = part_of(fleet, {host.pool for host in fleet.hosts})
    assert (whole.hosts, list(whole.guests)) == (fleet.hosts, list(fleet.guests))


def test_fellows_in_another_pool_stay_where_groups_are_wide(make: Any) -> None:
    hosts = [make.host("a", zone="x", pool="p"), make.host("b", zone="y", pool="p"), make.host("c", zone="y", pool="q")]
    guests: list[Guest] = [make.guest("g1", "a", group="w"), make.guest("g2", "c", group="w"), make.guest("alone", "c")]
    part, numbers = part_of(make.fleet(hosts, guests, apart=Scope.ZONE), {"p"})
    assert [guest.name for guest in part.guests] == ["g1", "g2"]
    assert [(host.name, host.release == NEW) for host in part.hosts] == [("a", False), ("b", False), ("c", True)]
    assert numbers == [1, 2]
    narrow, _ = part_of(replace(make.fleet(hosts, guests, apart=Scope.HOST)), {"p"})
    assert [host.name for host in narrow.hosts] == ["a", "b"]

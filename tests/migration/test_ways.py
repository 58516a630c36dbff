"""Ways to a yes: each that is called tried must give an allowed move in the inventory that it makes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fleetplan.firmware.guest_view import Item
from fleetplan.fleet.model import (
    Birth,
    Disks,
    Equipment,
    Fleet,
    Guest,
    GuestName,
    Host,
    HostFacts,
    HostName,
    Platform,
    Release,
    Workarounds,
)
from fleetplan.fleet.policy import Policy
from fleetplan.migration.classes import ClassTable, Hop
from fleetplan.migration.reasons import Verdict
from fleetplan.migration.ways import Move, Way, WayKind, applied, ways

N1 = HostFacts(midr=0x413FD0C1, revidr=0, cmdline="quiet")
NAMED = HostFacts(cpu="neoverse-n1")
A72 = HostFacts(midr=0x410FD083, revidr=0, cmdline="quiet", workarounds=Workarounds(1, 3, 1))
BARE = HostFacts(midr=0x410FD083, revidr=0, cmdline="quiet", workarounds=Workarounds(0, 0, 0))
KERNELS = ["5.10.262", "6.1.176", "6.12.94", "6.16.3", "6.18.15", "7.3.4", "6.12.0-124.el10.aarch64"]
VMMS = ["qemu-7.2.0", "qemu-10.0.13", "qemu-10.2.2", "qemu-11.0.3", "qemu-11.1.3", "qemu-10.1.0-19.el10"]


def host(name: str, kernel: str, vmm: str, facts: HostFacts = N1) -> Host:
    return Host(name=HostName(name), release=Release(kernel, vmm), vcpus=8, memory_mib=8192, facts=facts)


def move(*hosts: Host, target: Release | None = None, policy: Policy | None = None, upgraded: bool = False, **guest: Any) -> Move:
    """A guest of the first host on its way to the last."""
    record = Guest(name=GuestName("g"), on=hosts[0].name, vcpus=1, memory_mib=512, **guest)
    fleet = Fleet(target=target or hosts[0].release, hosts=hosts, guests=(record,), policy=policy or Policy())
    return Move(fleet, record, hosts[-1], upgraded)


def hop(asked: Move) -> Hop:
    """The move, judged with the whole fleet."""
    table = ClassTable(asked.fleet)
    place = {one.name: number for number, one in enumerate(asked.fleet.hosts)}
    goal = place[asked.destination.name]
    there = table.hosts_then[goal] if asked.upgraded else table.hosts_now[goal]
    return table.hop(table.guests[0], table.hosts_now[place[asked.guest.on]], there)


def by_kind(asked: Move) -> dict[WayKind, Way]:
    """The first way of each kind."""
    return {way.kind: way for way in reversed(ways(asked))}


HOSTS = st.builds(host, st.just("x"), st.sampled_from(KERNELS), st.sampled_from(VMMS), st.sampled_from([N1, N1, NAMED, A72, BARE]))


@st.composite
def moves(draw: st.DrawFn) -> Move:
    hosts = [replace(one, name=HostName(f"h{number}")) for number, one in enumerate(draw(st.lists(HOSTS, min_size=2, max_size=4)))]
    born = draw(
        st.none()
        | st.builds(
            Birth,
            kernel=st.none() | st.sampled_from(KERNELS),
            psci=st.none() | st.sampled_from(["0.2", "1.0", "1.1"]),
        )
    )
    return move(
        *hosts,
        target=draw(st.sampled_from([Release(kernel, vmm) for kernel in KERNELS for vmm in VMMS])),
        upgraded=draw(st.booleans()),
        born=born,
        restartable=draw(st.booleans()),
        psci_max=draw(st.none() | st.just("1.1")),
        machine=draw(st.none() | st.sampled_from(["virt-5.0", "virt-7.2", "virt-11.1"])),
        equipment=Equipment(disks=draw(st.sampled_from([Disks.SHARED, Disks.SHARED, Disks.LOCAL]))),
        policy=Policy(forbid_psci_change=draw(st.booleans())),
    )


@given(asked=moves())
@settings(max_examples=15, deadline=None)
def test_every_tried_way_gives_an_allowed_move(asked: Move) -> None:
    before = hop(asked)
    found = ways(asked)
    assert before.allowed <= (not found)
    for way in found:
        then = applied(asked, way)
        match way.kind:
            case WayKind.FACT:
                assert not way.tried
                assert before.verdict is Verdict.UNKNOWN
            case WayKind.STEPPING_STONE:
                assert _by_way_of(asked, way)
            case WayKind.BOOT_THERE:
                table = ClassTable(asked.fleet)
                there = [one.name for one in asked.fleet.hosts].index(asked.destination.name)
                place = (table.hosts_then if asked.upgraded else table.hosts_now)[there]
                fresh = replace(asked.guest, born=Birth())
                plain = ClassTable(replace(asked.fleet, guests=(fresh,)))
                assert plain.cold_boot(plain.guests[0], place, way.psci) is not None
            case _:
                after = hop(then)
                assert (way.tried, after.allowed, after.verdict) == (True, True, way.verdict)
        assert way.permitted or not asked.guest.restartable


def _by_way_of(asked: Move, way: Way) -> bool:
    """Whether each hop of the chain is allowed."""
    table = ClassTable(asked.fleet)
    place = {one.name: number for number, one in enumerate(asked.fleet.hosts)}
    stops = [table.hosts_now[place[name]] for name in (asked.guest.on, *way.hosts)]
    goal = place[asked.destination.name]
    stops.append(table.hosts_then[goal] if asked.upgraded else table.hosts_now[goal])
    kind = table.guests[0]
    for here, there in pairwise(stops):
        one = table.hop(kind, here, there)
        if not one.allowed:
            return False
        kind = one.after
    return True


@given(asked=moves())
@settings(max_examples=40, deadline=None)
def test_a_warm_reboot_never_opens_a_move(asked: Move) -> None:
    table = ClassTable(asked.fleet)
    here, there = table.hosts_now[0], table.hosts_now[-1]
    kind = table.guests[0]
    if not table.hop(kind, here, there).allowed:
        assert not table.hop(table.warm_reboot(kind, here), here, there).allowed


# --- each kind ------------------------------------------------------------------------------------------------------------------------

OLD, NEW = host("old", "6.12.94", "qemu-11.1.3"), host("new", "6.18.15", "qemu-11.1.3")


def test_the_newest_pin_that_works_is_named_with_its_cost() -> None:
    way = by_kind(move(NEW, OLD, restartable=True))[WayKind.RESTART]
    assert (way.psci, way.permitted, way.lost) == ("1.1", True, (Item.SYSTEM_OFF2,))


def test_a_cold_boot_on_a_bare_host_costs_the_mitigations() -> None:
    found = by_kind(move(host("a", "6.12.94", "qemu-11.1.3", A72), host("b", "6.12.94", "qemu-11.1.3", BARE), restartable=True))
    assert {Item.SPECTRE_V2, Item.SPECTRE_V4, Item.SPECTRE_BHB} <= set(found[WayKind.BOOT_THERE].lost)


def test_no_pin_is_named_where_the_vmm_has_none() -> None:
    assert WayKind.RESTART not in by_kind(
        move(host("new", "6.18.15", "qemu-10.2.2"), host("old", "6.12.94", "qemu-10.2.2"), restartable=True)
    )


def test_a_restart_that_policy_forbids_comes_last_and_is_marked() -> None:
    found = ways(move(NEW, OLD))
    assert [way.permitted for way in found] == sorted((way.permitted for way in found), reverse=True)
    assert not by_kind(move(NEW, OLD))[WayKind.RESTART].permitted


def test_the_next_qemu_is_named_where_it_opens_the_way() -> None:
    way = by_kind(move(host("a", "6.12.94", "qemu-10.0.13"), host("b", "7.3.4", "qemu-10.0.13")))[WayKind.RELEASE]
    assert (way.release, way.offered) == (Release("7.3.4", "qemu-11.1"), False)


def test_the_inventory_s_own_releases_come_first() -> None:
    spare = host("c", "7.3.4", "qemu-11.1.3")
    asked = move(host("a", "6.12.94", "qemu-10.0.13"), spare, host("b", "7.3.4", "qemu-10.0.13"))
    way = by_kind(asked)[WayKind.RELEASE]
    assert (way.release, way.offered) == (Release("7.3.4", "qemu-11.1.3"), True)


def test_a_waiver_names_what_is_lost() -> None:
    facts = (replace(N1, platform=Platform(counter_hz=hz)) for hz in (25_000_000, 100_000_000))
    found = by_kind(move(*(host(name, "6.12.94", "qemu-11.1.3", one) for name, one in zip("ab", facts, strict=True))))
    assert found[WayKind.WAIVER].keys == ("counter_hz",)


def test_unknown_names_the_fact_and_what_it_may_come_to() -> None:
    asked = move(host("a", "6.18.15", "qemu-11.1.3"), host("b", "6.1.176", "qemu-10.1.0-19.el10"), born=Birth(kernel="6.1.176"))
    found = by_kind(asked)
    assert hop(asked).verdict is Verdict.UNKNOWN
    assert found[WayKind.FACT].fact == "the changelog of the VMM's package (qemu-10.1.0-19.el10)"
    assert len(found[WayKind.FACT].outcomes) > 1
    assert found[WayKind.POLICY].keys == ("unknown",)


def test_disks_may_be_copied_along() -> None:
    asked = move(OLD, host("b", "6.12.94", "qemu-11.1.3"), equipment=Equipment(disks=Disks.LOCAL))
    assert by_kind(asked)[WayKind.EQUIPMENT].keys == ("disks",)


def test_a_machine_type_that_both_know_is_named() -> None:
    asked = move(host("a", "6.12.94", "qemu-11.1.3"), host("b", "6.12.94", "qemu-10.0.13"), machine="virt-11.1", restartable=True)
    assert by_kind(asked)[WayKind.RESTART].machine == "virt-10.0"


def test_another_host_may_be_a_stepping_stone() -> None:
    # 6.12 brings TCR2_EL1 and PIR, which 11.1 tolerates on 6.18 and 10.0 does not; from there on the guest has them no more.
    asked = move(
        host("a", "6.12.94", "qemu-10.0.13"),
        host("b", "6.18.15", "qemu-11.1.3"),
        host("c", "6.18.15", "qemu-10.0.13"),
        born=Birth(psci=None),
    )
    assert by_kind(asked)[WayKind.STEPPING_STONE].hosts == ("b",)


def test_an_allowed_move_needs_no_way() -> None:
    assert ways(move(OLD, NEW)) == ()

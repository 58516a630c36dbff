"""What a guest may be: births that are given, captured, assumed or contradict themselves; boots and reboots under several candidates."""

from __future__ import annotations

from typing import Any

import pytest

from fleetplan.firmware.guest_view import Item
from fleetplan.firmware.registers import BY_NAME, psci_value
from fleetplan.fleet.model import Birth, Fleet, Guest, GuestName, Host, HostFacts, HostName, Reboot, Release, Workarounds
from fleetplan.migration.births import Doubt
from fleetplan.migration.classes import ClassTable, Judgment
from fleetplan.migration.reasons import ReasonKind, Verdict

N1 = HostFacts(midr=0x413FD0C1, revidr=0, cmdline="quiet")
A72 = HostFacts(midr=0x410FD083, revidr=0, cmdline="quiet")
GOOD = HostFacts(midr=0x410FD083, revidr=0, cmdline="quiet", workarounds=Workarounds(1, 3, 1))
EITHER = "6.12.0-33.el9.aarch64"
"""A kernel of which it is not proven what it is."""

PSCI, STD, HYP, VENDOR = (BY_NAME[name].id for name in ("PSCI_VERSION", "STD_BMAP", "STD_HYP_BMAP", "VENDOR_HYP_BMAP"))
LEVELS = tuple(BY_NAME[f"SMCCC_ARCH_WORKAROUND_{number}"].id for number in (1, 2, 3))


def table_of(kernels: tuple[str, str], facts: HostFacts = N1, vmm: str = "qemu-11.1.3", **guest: Any) -> ClassTable:
    hosts = tuple(
        Host(name=HostName(name), release=Release(kernel, vmm), vcpus=8, memory_mib=8, facts=facts)
        for name, kernel in zip("ab", kernels, strict=True)
    )
    guests = (Guest(name=GuestName("g"), on=HostName("a"), vcpus=1, memory_mib=1, **guest),)
    return ClassTable(Fleet(target=hosts[1].release, hosts=hosts, guests=guests))


def judged(table: ClassTable) -> Judgment:
    return table.judgment(table.guests[0], table.hosts_now[0], table.hosts_now[1])


def decided_by(judgment: Judgment) -> list[str]:
    return [dict(reason.detail)["decided_by"] for reason in judgment.reasons if reason.kind is ReasonKind.UNDECIDED]


# --- where it was born ----------------------------------------------------------------------------------------------------------------


def test_a_birth_that_is_not_given_is_that_of_its_host_and_marked() -> None:
    table = table_of(("6.12.117", "6.12.117"))
    (possible,) = table.possible(table.guests[0])
    assert possible.state.assumed_birth
    assert possible.state.psci == psci_value("1.1")
    given = table_of(("6.12.117", "6.12.117"), born=Birth(kernel="6.12.117"))
    assert not given.guest_class(given.guests[0]).assumed_birth


@pytest.mark.parametrize("kernel", ["5.10.223", "6.1.176", "6.12.117"])
def test_a_birth_without_a_vmm_is_under_that_of_its_host(kernel: str) -> None:
    without, given = (
        table_of(("6.12.117", "6.12.117"), born=Birth(kernel=kernel, vmm=vmm), rebooted=Reboot(ever=False)) for vmm in (None, "qemu-11.1.3")
    )
    (one,), (other,) = without.possible(without.guests[0]), given.possible(given.guests[0])
    assert (one.state.psci, one.state.bitmaps, one.state.promise) == (other.state.psci, other.state.bitmaps, other.state.promise)


def test_a_kernel_that_may_be_several_gives_all_that_a_guest_may_be() -> None:
    table = table_of((EITHER, EITHER), vmm="qemu-11.1.3")
    host = table.host_class(table.hosts_now[0])
    assert len(host.kvms) > 1
    versions = {possible.state.psci for possible in table.possible(table.guests[0])}
    assert versions == {kvm.profile.psci_default for kvm in host.kvms}


def test_a_kernel_of_one_name_is_the_same_on_both_hosts() -> None:
    """Whatever it is, a guest of it may go to another host that runs it: no two candidates are mixed."""
    told = judged(table_of((EITHER, EITHER)))
    assert told.verdict is Verdict.SAFE


def test_what_decides_is_the_birth_kernel_where_only_that_matters() -> None:
    table = table_of(("6.18.15", "6.12.94"), born=Birth(kernel=EITHER), rebooted=Reboot(ever=False))
    versions = {possible.state.psci for possible in table.possible(table.guests[0])}
    told = judged(table)
    if len(versions) > 1:
        assert told.verdict is Verdict.UNKNOWN
        assert any(EITHER in fact for fact in decided_by(told))
    else:
        assert told.verdict is not Verdict.UNKNOWN


def test_a_birth_at_levels_that_are_not_known_is_all_of_them() -> None:
    table = table_of(("6.12.117", "6.12.117"), facts=A72)
    promises = {possible.state.promise.workaround_1 for possible in table.possible(table.guests[0])}
    assert promises == {-1, 0, 1}


# --- pins -----------------------------------------------------------------------------------------------------------------------------


def test_a_pin_tells_candidates_apart() -> None:
    """Of the kernels that it may be, only those that accept the pin can have started the guest, and so its host is one of them."""
    table = table_of((EITHER, EITHER), born=Birth(psci="1.3"))
    accepting = [psci_value("1.3") in kvm.profile.psci_accepted for kvm in table.host_class(table.hosts_now[0]).kvms]
    assert any(accepting)
    assert not all(accepting)
    assert {possible.state.psci for possible in table.possible(table.guests[0])} == {psci_value("1.3")}
    assert judged(table).verdict is Verdict.SAFE


def test_a_pin_that_could_not_be_makes_both_readings_possible() -> None:
    born = Birth(kernel="6.1.176", psci="1.3")
    table = table_of(("6.18.15", "6.12.94"), born=born, rebooted=Reboot(ever=False))
    assert {possible.state.pin for possible in table.possible(table.guests[0])} == {None, psci_value("1.3")}
    assert list(table.doubts().values()) == [(Doubt.PIN_REFUSED,)]
    told = judged(table)
    assert told.verdict is Verdict.UNKNOWN
    assert decided_by(told)[0].startswith("`born.kernel` or `born.psci`")


def test_where_it_is_now_refutes_a_reading() -> None:
    """6.12 does not offer 1.3 either, so that a guest pinned to it cannot be there."""
    table = table_of(("6.12.117", "6.12.94"), born=Birth(kernel="6.1.176", psci="1.3"), rebooted=Reboot(ever=False))
    assert {possible.state.pin for possible in table.possible(table.guests[0])} == {None}


def test_a_vmm_without_the_property_is_doubted() -> None:
    table = table_of(("6.12.117", "6.12.94"), born=Birth(kernel="6.12.117", vmm="qemu-10.0.13", psci="1.0"))
    assert list(table.doubts().values()) == [(Doubt.NO_PROPERTY,)]


# --- dumps ----------------------------------------------------------------------------------------------------------------------------


def test_a_dump_says_what_the_guest_has_and_what_it_was_promised() -> None:
    dump = ((PSCI, psci_value("1.0")), (STD, 0), (HYP, 1), (VENDOR, 1))
    table = table_of(("6.12.117", "6.12.117"), born=Birth(registers=dump))
    state = table.guest_class(table.guests[0])
    assert (state.psci, dict(state.bitmaps)["STD_BMAP"]) == (psci_value("1.0"), 0)
    assert state.promise.psci == psci_value("1.0")
    assert Item.TRNG not in state.promise.services
    assert list(table.doubts().values()) == [()]


def test_a_dump_tells_the_levels_at_birth() -> None:
    dump = tuple(zip(LEVELS, (0, 0, 0), strict=True))
    table = table_of(("6.12.117", "6.12.117"), facts=GOOD, born=Birth(registers=dump), rebooted=Reboot(ever=False))
    assert {possible.state.promise.workaround_1 for possible in table.possible(table.guests[0])} == {-1}


def test_a_dump_of_a_guest_that_hopped_is_carried_along() -> None:
    dump = ((PSCI, psci_value("0.2")),)
    table = table_of(("6.12.117", "6.12.117"), born=Birth(kernel="5.10.223", registers=dump), rebooted=Reboot(ever=False))
    state = table.guest_class(table.guests[0])
    assert state.psci == psci_value("0.2")
    assert dict(state.bitmaps).keys() == {"STD_BMAP", "STD_HYP_BMAP", "VENDOR_HYP_BMAP"}


def test_a_dump_tells_candidates_apart() -> None:
    """Only some of the kernels that it may be give PSCI 1.3; the guest's host is one of them."""
    table = table_of((EITHER, "6.12.94"), born=Birth(registers=((PSCI, psci_value("1.3")),)))
    kernels = [options for possible in table.possible(table.guests[0]) for fact, options in possible.given if fact.of == EITHER]
    accepting = {
        number for number, kvm in enumerate(table.host_class(table.hosts_now[0]).kvms) if psci_value("1.3") in kvm.profile.psci_accepted
    }
    assert frozenset().union(*kernels) == accepting


@pytest.mark.parametrize(
    "dump",
    [
        ((BY_NAME["VENDOR_HYP_BMAP_2"].id, 0),),
        ((PSCI, psci_value("1.3")),),
        ((0x603000000013C000, 0x413FD0C1),),
    ],
    ids=["lists what the kernel has not", "has a version that it refuses", "is whole and lacks what the kernel has"],
)
def test_a_dump_that_the_kernel_cannot_give_is_doubted(dump: tuple[tuple[int, int], ...]) -> None:
    table = table_of(("6.12.117", "6.12.117"), born=Birth(registers=dump))
    assert list(table.doubts().values()) == [(Doubt.DUMP,)]
    assert table.possible(table.guests[0])


# --- boots and reboots ----------------------------------------------------------------------------------------------------------------


def test_a_cold_boot_under_several_candidates_gives_all_of_them() -> None:
    table = table_of(("6.12.117", EITHER))
    there = table.host_class(table.hosts_now[1])
    booted = table.cold_boot(table.guests[0], table.hosts_now[1])
    assert booted is not None
    assert {possible.state.psci for possible in table.possible(booted)} == {kvm.profile.psci_default for kvm in there.kvms}
    assert table.newest_psci(booted) == max(kvm.profile.psci_default for kvm in there.kvms)


def test_a_pin_that_one_candidate_refuses_is_not_relied_on() -> None:
    table = table_of(("6.12.117", EITHER))
    profiles = [kvm.profile for kvm in table.host_class(table.hosts_now[1]).kvms]
    for psci in ("1.0", "1.3"):
        takes = all(psci_value(psci) in profile.psci_accepted for profile in profiles)
        assert (table.cold_boot(table.guests[0], table.hosts_now[1], psci) is not None) == takes


def test_a_warm_reboot_renews_the_promise_in_every_way() -> None:
    table = table_of(("6.12.117", "6.12.117"), facts=A72, born=Birth(registers=tuple(zip(LEVELS, (0, 0, 0), strict=True))))
    again = table.warm_reboot(table.guests[0], table.hosts_now[0])
    assert {possible.state.promise.workaround_1 for possible in table.possible(again)} == {-1, 0, 1}


@pytest.mark.parametrize(
    ("rebooted", "verdict"),
    [
        (None, Verdict.UNKNOWN),
        (Reboot(ever=False), Verdict.CHANGES),
        (Reboot(), Verdict.STRIPS),
        (Reboot(kernel="5.15.100"), Verdict.STRIPS),
        (Reboot(kernel="5.10.223"), Verdict.CHANGES),
    ],
)
def test_a_guest_that_hopped_may_have_looked_again(rebooted: Reboot | None, verdict: Verdict) -> None:
    """Born on 5.10, it finds TRNG and vendor features on 5.15 once it looks, and loses them on its way back."""
    told = judged(table_of(("5.15.100", "5.10.223"), born=Birth(kernel="5.10.223"), rebooted=rebooted))
    assert (told.verdict is verdict) or (verdict is Verdict.CHANGES and told.verdict is Verdict.SAFE)
    if rebooted is None:
        assert decided_by(told) == ["`rebooted` of the guest"]


# --- chains ---------------------------------------------------------------------------------------------------------------------------


def test_a_hop_keeps_apart_what_the_guest_may_be() -> None:
    """Unknown at birth, it stays unknown over hops, and what is found out of it still decides."""
    table = table_of(("6.18.15", "6.18.15"), born=Birth(kernel="6.1.176", psci="1.3"), rebooted=Reboot(ever=False))
    hop = table.hop(table.guests[0], table.hosts_now[0], table.hosts_now[1])
    assert hop.allowed
    assert len(table.possible(hop.after)) == 2
    assert all(len(possible.given) == 1 for possible in table.possible(hop.after))

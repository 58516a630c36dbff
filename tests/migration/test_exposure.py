"""What a guest is exposed to, held against an executed kernel and guest; and the laws of restarts and of births that are not known."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fleetplan.firmware import registers as fw
from fleetplan.firmware.guest_view import MITIGATIONS, Item
from fleetplan.firmware.kernels import KernelProfile, Workaround2Era, parse, profiles
from fleetplan.firmware.vcpu import PFR1, Kvm, Levels, OtherRegister, VirtualMachine
from fleetplan.fleet.model import Birth, Equipment, Fleet, Guest, GuestName, Host, HostFacts, HostName, Reboot, Release
from fleetplan.migration.carry import Carried, GuestState, StartRefusedError, born, firmware_of, rebooted, resumed, start
from fleetplan.migration.classes import ClassTable
from fleetplan.migration.exposure import SAFE, Exposure, exposure, sight
from fleetplan.migration.offers import PLAIN
from fleetplan.migration.standing import Exposures, Restart, Standings, standings, tally

KERNELS = (
    "4.15.0", "4.16.3", "4.17.0", "4.19.100", "4.19.240", "5.4.100", "5.4.190", "5.6.19", "5.10.100", "5.10.223", "6.1.140", "6.12.8",
    "6.12.94", "6.18.15", "7.1.13",
)  # fmt: skip
HIDING = Carried((OtherRegister(id=PFR1, value=0),))
"""ID_AA64PFR1_EL1 without SSBS, as a VMM may write it from 6.12 on."""


def profile_of(kernel: str) -> KernelProfile:
    return next(iter(profiles(parse(kernel))))


# --- a guest and a kernel that are run: what is used is what was found at boot, and the host heeds it or not ---------------------------


class Linux(NamedTuple):
    """A guest: what it uses since its last boot."""

    calls_1: bool
    calls_3: bool
    sets_ssbs: bool


def boot(machine: VirtualMachine, kvm: Kvm) -> Linux:
    """A Linux guest looks at its PSCI version, then for SMCCC, then for each workaround; and at its ID registers."""
    psci = machine.get(0, fw.PSCI_VERSION.id).value or kvm.profile.psci_default
    asks = psci >= 0x10000 and kvm.profile.smccc
    bhb = kvm.profile.answers_workaround_3 and kvm.levels.bhb == 1
    return Linux(asks and kvm.levels.spectre_v2 == 1, asks and bhb, machine.ssbs(0))


def attack(item: Item, guest: Linux, machine: VirtualMachine, kvm: Kvm) -> bool:
    """Whether an attack on an affected CPU succeeds: nobody who could prevent it does."""
    levels, profile = kvm.levels, kvm.profile
    match item:
        case Item.SPECTRE_V2:
            return not (guest.calls_1 and levels.spectre_v2 == 1 and profile.smccc)
        case Item.SPECTRE_BHB:
            return not (guest.calls_3 and levels.bhb == 1 and profile.answers_workaround_3)
        case _:
            shown = machine.ssbs(0)
            always = levels.ssb == 3 or (levels.ssb == 2 and not shown)
            if profile.workaround_2 is Workaround2Era.FLAG:
                # On at every vCPU reset, until the guest turns it off; by a firmware call, which CPUs with SSBS have not.
                always = profile.answers_workaround_2 and (levels.ssb == 3 or (levels.ssb == 2 and not levels.ssbs))
            return not ((guest.sets_ssbs and shown) or always)


def hop(state: GuestState, source: Kvm, there: Kvm) -> GuestState:
    """A migration: what the source lists is written, what is refused stays as it was."""
    machine = start(there, state.features, None)
    if fw.PSCI_VERSION.name in source.profile.registers:
        machine.set(0, fw.PSCI_VERSION.id, state.psci)
    for name, value in state.bitmaps:
        machine.set(0, fw.BY_NAME[name].id, value)
    psci, bitmaps = firmware_of(machine, there)
    return replace(state, psci=psci, bitmaps=bitmaps)


@st.composite
def kvms(draw: st.DrawFn) -> Kvm:
    levels = Levels(spectre_v2=draw(st.integers(0, 2)), ssb=draw(st.integers(0, 3)), bhb=draw(st.integers(0, 2)), ssbs=draw(st.booleans()))
    others = (OtherRegister(id=PFR1, value=0x20 if levels.ssbs else 0),)
    return Kvm(profile=profile_of(draw(st.sampled_from(KERNELS))), levels=levels, others=others)


def on_5_6(ssb: int, *, ssbs: bool) -> Kvm:
    return Kvm(profile=profile_of("5.6.19"), levels=Levels(spectre_v2=2, ssb=ssb, bhb=0, ssbs=ssbs))


@settings(max_examples=600)
@example(on_5_6(0, ssbs=False), on_5_6(2, ssbs=True), None, False, True, False)
@given(kvms(), kvms(), st.sampled_from([None, 0x2, 0x10000, 0x10001]), st.booleans(), st.booleans(), st.booleans())
def test_a_guest_is_safe_exactly_where_no_attack_succeeds_and_restarts_heal_what_they_are_said_to(
    birthplace: Kvm, here: Kvm, pin: int | None, hides: bool, hops: bool, looks: bool
) -> None:
    try:
        state = born(birthplace, PLAIN, Carried(birthplace.others), pin)
    except StartRefusedError:
        return
    if hides and birthplace.profile.workaround_2 is Workaround2Era.VM and here.profile.workaround_2 is Workaround2Era.VM:
        state = rebooted(replace(state, carried=HIDING), birthplace)
    linux, on = boot(resumed(state, birthplace), birthplace), birthplace
    if hops:
        state, on = hop(state, birthplace, here), here
    if looks:
        state = rebooted(state, on)
        linux = boot(resumed(state, on), on)
    machine, fresh = resumed(state, on), start(on, state.features, None)
    seen = sight(state, on)
    for item in MITIGATIONS:
        assert exposure(item, seen, is_affected=False) is Exposure.NOT_NEEDED
        found = exposure(item, seen, is_affected=True)
        falls = attack(item, linux, machine, on)
        warm, cold = attack(item, boot(machine, on), machine, on), attack(item, boot(fresh, on), fresh, on)
        assert (found is Exposure.PROTECTED) == (not falls), (item, found)
        if falls and found is not Exposure.STRIPPED:
            expected = Exposure.STALE if not warm else Exposure.HIDDEN if not cold else Exposure.EXPOSED
            assert found is expected, item


def test_the_executed_guest_reaches_every_state() -> None:
    """Else the law above says less than it seems to."""
    found = set()
    levels = [Levels(spectre_v2=v2, ssb=ssb, bhb=v2, ssbs=False) for v2 in (0, 1) for ssb in (0, 3)]
    for kernel, one, other, pin in product(("4.15.0", "6.12.94"), levels, levels, (None, 0x2)):
        birthplace, here = Kvm(profile=profile_of(kernel), levels=one), Kvm(profile=profile_of("6.12.94"), levels=other)
        try:
            state = hop(born(birthplace, PLAIN, Carried(()), pin), birthplace, here)
        except StartRefusedError:
            continue
        found |= {exposure(item, sight(state, here), is_affected=True) for item in MITIGATIONS}
    assert found == set(Exposure) - {Exposure.NOT_NEEDED, Exposure.UNKNOWN}


# --- classes ------------------------------------------------------------------------------------------------------------------------

HELPED = "Mitigation: Branch predictor hardening, BHB"
PRCTL = "Mitigation: Speculative Store Bypass disabled via prctl"
A72 = HostFacts(midr=0x410FD083, revidr=0, cmdline="quiet", vulnerabilities={"spectre_v2": HELPED, "spec_store_bypass": PRCTL})
BARE = replace(A72, vulnerabilities={"spectre_v2": "Vulnerable", "spec_store_bypass": "Vulnerable"})
DARK = replace(A72, vulnerabilities=None)
N1 = HostFacts(midr=0x413FD0C1, revidr=0, cmdline="quiet")
A53 = HostFacts(midr=0x410FD034, revidr=0, cmdline="quiet")
V2 = HostFacts(cpu="neoverse-v2", cmdline="quiet")
UNLISTED = replace(V2, vulnerabilities={"spectre_v2": "Not affected"})


def standings_of(kernel: str, facts: HostFacts, **guest: Any) -> Standings:
    release = Release(kernel, "qemu-11.1.3")
    host = Host(name=HostName("a"), release=release, vcpus=8, memory_mib=8, facts=facts)
    table = ClassTable(
        Fleet(target=release, hosts=(host,), guests=(Guest(name=GuestName("g"), on=HostName("a"), vcpus=1, memory_mib=1, **guest),))
    )
    return Exposures(table).of(table.guests[0], table.hosts_now[0])


def told(standings: Standings) -> tuple[str, ...]:
    return tuple(each.exposure.name for each in standings.items)


HERE = Birth(kernel="6.12.94")


@pytest.mark.parametrize(
    ("kernel", "facts", "guest", "expected"),
    [
        ("6.12.94", A72, {"born": HERE}, ("PROTECTED", "PROTECTED", "PROTECTED")),
        ("6.12.94", BARE, {"born": HERE}, ("EXPOSED", "EXPOSED", "EXPOSED")),
        ("6.12.94", N1, {"born": HERE}, ("NOT_NEEDED", "PROTECTED", "PROTECTED")),
        # The host keeps v4 at bay for a guest that cannot ask; on a CPU with SSBS the guest does so itself.
        ("6.12.94", A72, {"born": Birth(kernel="6.12.94", psci="0.2")}, ("HIDDEN", "PROTECTED", "HIDDEN")),
        ("6.12.94", N1, {"born": Birth(kernel="6.12.94", psci="0.2")}, ("NOT_NEEDED", "PROTECTED", "HIDDEN")),
        ("6.12.94", A72, {"born": Birth(kernel="4.15.0"), "rebooted": Reboot(ever=False)}, ("STALE", "PROTECTED", "STALE")),
        ("6.12.94", A72, {"born": Birth(kernel="4.15.0"), "rebooted": Reboot()}, ("PROTECTED", "PROTECTED", "PROTECTED")),
        ("6.12.94", A72, {"born": Birth(kernel="4.15.0")}, ("UNKNOWN", "PROTECTED", "UNKNOWN")),
        ("6.12.94", A72, {}, ("UNKNOWN", "PROTECTED", "UNKNOWN")),
        ("6.12.94", DARK, {"born": HERE}, ("UNKNOWN", "UNKNOWN", "UNKNOWN")),
        # A CPU that no flaw touches needs nothing, whatever its kernel has heard of.
        ("4.15.0", A53, {"born": Birth(kernel="4.15.0")}, ("NOT_NEEDED", "NOT_NEEDED", "NOT_NEEDED")),
        ("5.6.19", A53, {}, ("NOT_NEEDED", "NOT_NEEDED", "NOT_NEEDED")),
        # A kernel that does not know BHB does not protect from it.
        ("5.4.100", N1, {"born": Birth(kernel="5.4.100")}, ("NOT_NEEDED", "PROTECTED", "EXPOSED")),
        # WORKAROUND_3 is 2 before 6.12.24 on a CPU that no list names, though such a CPU may well be affected; later lists say so.
        ("6.12.8", UNLISTED, {"born": Birth(kernel="6.12.8")}, ("NOT_NEEDED", "PROTECTED", "EXPOSED")),
        ("6.12.8", V2, {"born": Birth(kernel="6.12.8")}, ("NOT_NEEDED", "PROTECTED", "UNKNOWN")),
    ],
)  # fmt: skip
def test_known_cases(kernel: str, facts: HostFacts, guest: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert told(standings_of(kernel, facts, **guest)) == expected


def test_what_is_missing_is_named_and_nothing_else() -> None:
    found = standings_of("6.12.94", DARK, born=HERE)
    assert [[fact.words for fact in each.missing] for each in found.items] == [
        ["the spectre_v2 text"], ["the spec_store_bypass text"], ["the spectre_v2 text"],
    ]  # fmt: skip
    assert [each.restart for each in found.items] == [None, None, None]


def test_where_more_may_be_so_than_is_looked_at_nothing_is_known() -> None:
    standing = standings_of("6.12.94", N1, born=HERE)
    release = Release("6.12.94", "qemu-11.1.3")
    host = Host(name=HostName("a"), release=release, vcpus=8, memory_mib=8, facts=N1)
    table = ClassTable(Fleet(target=release, hosts=(host,), guests=(Guest(name=GuestName("g"), on=HostName("a"), vcpus=1, memory_mib=1),)))
    (possible,), offered = table.possible(table.guests[0]), table.host_class(table.hosts_now[0])
    many = tuple(replace(possible, state=replace(possible.state, psci=0x10000 + number)) for number in range(65))
    assert not any(each.at_most for each in standing.items)
    for each in standings(many, offered).items:
        assert each.exposure is Exposure.UNKNOWN
        assert (each.at_least, each.at_most, each.restart) == (False, True, None)


def test_a_birth_that_may_have_been_below_psci_1_takes_a_cold_boot_to_settle() -> None:
    assert standings_of("6.12.94", N1).restart is Restart.COLD
    assert standings_of("6.12.94", N1, born=Birth(psci="1.0")).restart is Restart.WARM
    assert standings_of("6.12.94", N1, rebooted=Reboot(), born=Birth(psci="1.0")).restart is None


def test_a_guest_that_bears_no_psci_1_is_healed_by_nothing() -> None:
    found = standings_of("6.12.94", N1, born=Birth(kernel="6.12.94", psci="0.2"), psci_max="0.2")
    assert told(found)[2] == "HIDDEN"
    assert (found.restart, found.boot) == (None, None)
    assert found.lasting


def births() -> Iterator[dict[str, Any]]:
    for kernel, psci, reboot in product(("4.15.0", "5.4.190", "6.1.140", "6.12.94"), (None, "0.2", "1.0"), (Reboot(ever=False), Reboot())):
        yield {"born": Birth(kernel=kernel, vmm="qemu-11.1.3", psci=psci), "rebooted": reboot}


@pytest.mark.parametrize("facts", [A72, BARE, DARK, N1, A53], ids=["a72", "bare", "dark", "n1", "a53"])
def test_a_birth_that_is_not_known_counts_at_least_and_at_most_what_any_birth_would(facts: HostFacts) -> None:
    """`at least` counts a guest only if every birth exposes it, `at most` as soon as one may."""
    open_one = standings_of("6.12.94", facts)
    assert any(each.at_most and not each.at_least for each in open_one.items) == (facts not in (BARE, A53))
    for guest in births():
        stated = standings_of("6.12.94", facts, **guest)
        for unknown, known in zip(open_one.items, stated.items, strict=True):
            assert known.at_least or not unknown.at_least, (guest, known)
            assert unknown.at_most or not known.at_most, (guest, known)


@pytest.mark.parametrize("facts", [A72, BARE, DARK, N1, A53, V2], ids=["a72", "bare", "dark", "n1", "a53", "v2"])
def test_a_cold_boot_on_a_host_ends_with_what_the_host_gives(facts: HostFacts) -> None:
    """Never stale, hidden or stripped; and on a host on which any guest is protected, protected or not needed."""
    for guest in births():
        release = Release("6.12.94", "qemu-11.1.3")
        host = Host(name=HostName("a"), release=release, vcpus=8, memory_mib=8, facts=facts)
        record = Guest(name=GuestName("g"), on=HostName("a"), vcpus=1, memory_mib=1, **guest)
        table = ClassTable(Fleet(target=release, hosts=(host,), guests=(record,)))
        known, here = Exposures(table), table.hosts_now[0]
        before = known.of(table.guests[0], here)
        fresh = table.cold_boot(table.guests[0], here, None if before.boot is None else fw.psci_text(before.boot.pin or 0x10001))
        assert fresh is not None
        after = known.of(fresh, here)
        for was, now in zip(before.items, after.items, strict=True):
            assert {Exposure.STALE, Exposure.HIDDEN, Exposure.STRIPPED}.isdisjoint(now.may)
            if was.exposure in SAFE or was.restart is not None:
                assert SAFE.issuperset(now.may)
        warm = known.of(table.warm_reboot(table.guests[0], here), here)
        assert all(Exposure.STALE not in each.may for each in warm.items)
        if before.restart is Restart.WARM:
            assert not any(each.at_most for each, was in zip(warm.items, before.items, strict=True) if was.restart is not None)


def test_a_tally_adds_up() -> None:
    open_one, bare, sound = standings_of("6.12.94", A72), standings_of("6.12.94", BARE), standings_of("6.12.94", A72, born=HERE)
    found = tally([(open_one, 5), (bare, 3), (sound, 2), (bare, 0)])
    assert (found.guests, found.at_least, found.at_most) == (10, 3, 8)
    assert all(sum(count.guests.values()) == 10 for count in found.items)
    assert [(count.at_least, count.at_most) for count in found.items] == [(3, 8), (3, 3), (3, 8)]


def test_a_guest_bound_to_cpus_that_need_nothing_needs_nothing() -> None:
    """On a host of two designs, where what the kernel shows is about the worse of them."""
    both = HostFacts(midr=0x410FD034, other_midrs=(0x410FD083,), revidr=0, cmdline="quiet")
    assert told(standings_of("6.12.94", both, born=HERE))[1] != "NOT_NEEDED"
    bound = standings_of("6.12.94", both, born=HERE, equipment=Equipment(bound_to=0x410FD034))
    assert told(bound) == ("NOT_NEEDED", "NOT_NEEDED", "NOT_NEEDED")

"""Laws of the verdict, start failures, waivers, candidates and mixed hosts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fleetplan.firmware.encodings import by_name
from fleetplan.firmware.registers import BY_NAME, REGISTERS, psci_value
from fleetplan.firmware.sightings import without_levels
from fleetplan.fleet.model import Birth, Fleet, Guest, GuestName, Host, HostFacts, HostName, Release, Workarounds
from fleetplan.fleet.policy import Policy, Waiver
from fleetplan.migration.classes import ClassTable, Hop, Judgment
from fleetplan.migration.reasons import RANK, ReasonKind, Stage, Verdict
from fleetplan.migration.verdict import judge

N1 = HostFacts(midr=0x413FD0C1, revidr=0, cmdline="quiet")
N2 = HostFacts(midr=0x411FD491, revidr=0, cmdline="quiet")
A72 = HostFacts(midr=0x410FD083, revidr=0, cmdline="quiet", workarounds=Workarounds(1, 3, 1))
BARE = HostFacts(midr=0x410FD083, revidr=0, cmdline="quiet", workarounds=Workarounds(0, 0, 0))
KERNELS = ["4.15", "4.16.3", "4.17", "5.3", "5.10.262", "5.18", "6.1.176", "6.12.94", "6.16.3", "6.18.15", "7.3.4"]
VMMS = ["qemu-5.2.0", "qemu-8.2.2", "qemu-10.0.13", "qemu-10.2.2", "qemu-11.0.3", "qemu-11.1.3", "firecracker-1.13", "crosvm-1"]


def host(name: str, kernel: str, vmm: str, facts: HostFacts = N1) -> Host:
    return Host(name=HostName(name), release=Release(kernel, vmm), vcpus=8, memory_mib=8192, facts=facts)


def table_of(source: Host, destination: Host, policy: Policy | None = None, waivers: tuple[Waiver, ...] = (), **guest: Any) -> ClassTable:
    record = Guest(name=GuestName("g"), on=source.name, vcpus=1, memory_mib=512, **guest)
    fleet = Fleet(target=destination.release, hosts=(source, destination), guests=(record,), policy=policy or Policy(), waivers=waivers)
    return ClassTable(fleet)


def judged(source: Host, destination: Host, **guest: Any) -> Judgment:
    table = table_of(source, destination, **guest)
    return table.judgment(table.guests[0], table.hosts_now[0], table.hosts_now[1])


def hop(source: Host, destination: Host, **options: Any) -> Hop:
    table = table_of(source, destination, **options)
    return table.hop(table.guests[0], table.hosts_now[0], table.hosts_now[1])


# --- start ---------------------------------------------------------------------------------------------------------------------------


def test_a_pin_is_sent_along_and_must_be_known_there() -> None:
    told = judged(host("a", "6.12.94", "qemu-11.1.3"), host("b", "6.12.94", "qemu-10.0.13"), born=Birth(psci="1.0"))
    assert (told.verdict, told.stage, told.reasons[0].kind) == (Verdict.FAILS, Stage.START, ReasonKind.NO_PIN_PROPERTY)


def test_a_pin_that_the_kernel_there_does_not_offer_fails_before_any_copy() -> None:
    told = judged(host("a", "6.18.15", "qemu-11.1.3"), host("b", "6.1.176", "qemu-11.1.3"), born=Birth(psci="1.3"))
    assert (told.verdict, told.stage, told.reasons[0].kind) == (Verdict.FAILS, Stage.START, ReasonKind.PIN_REFUSED)
    assert told.messages[0] == "KVM in this kernel does not support PSCI version 1.3"


@pytest.mark.parametrize(("machine", "fails"), [("virt-5.1", True), ("virt-5.2", False), ("virt-11.1", False), ("virt-12.0", True)])
def test_a_machine_type_must_be_known_there(machine: str, fails: bool) -> None:
    told = judged(host("a", "6.12.94", "qemu-10.2.2"), host("b", "6.12.94", "qemu-11.1.3"), machine=machine)
    assert (told.verdict is Verdict.FAILS and told.stage is Stage.START) == fails


def test_other_families_of_vmm_cannot_read_each_other() -> None:
    told = judged(host("a", "6.12.94", "firecracker-1.13"), host("b", "6.12.94", "qemu-11.1.3"))
    assert told.reasons[0].kind is ReasonKind.DIFFERENT_VMM


# --- what the story tells ------------------------------------------------------------------------------------------------------------


def test_a_pin_makes_the_way_back_from_6_18_to_6_12_and_none_to_6_1() -> None:
    new, old, older = (host(name, kernel, "qemu-11.1.3") for name, kernel in (("a", "6.18.15"), ("b", "6.12.94"), ("c", "6.1.176")))
    assert judged(new, old).verdict is Verdict.FAILS
    assert judged(new, old, born=Birth(psci="1.1")).verdict is Verdict.SAFE
    assert all(judged(new, older, born=Birth(psci=pin)).verdict is Verdict.FAILS for pin in ("0.2", "1.0", "1.1"))


def test_unlucky_pairs_fail_forward() -> None:
    assert judged(host("a", "6.12.94", "qemu-10.0.13"), host("b", "7.3.4", "qemu-10.0.13")).stage is Stage.LENGTH
    assert judged(host("a", "5.10.262", "qemu-7.2.18"), host("b", "6.1.176", "qemu-7.2.18")).verdict is Verdict.FAILS


def test_levels_are_read_from_the_host_and_refused_by_a_worse_one() -> None:
    good, bare = host("a", "6.12.94", "qemu-11.1.3", A72), host("b", "6.12.94", "qemu-11.1.3", BARE)
    there, back = judged(bare, good), judged(good, bare)
    assert there.verdict is Verdict.CHANGES
    assert back.verdict is Verdict.FAILS
    assert {reason.register for reason in back.reasons} == {f"SMCCC_ARCH_WORKAROUND_{number}" for number in (1, 2, 3)}
    assert {dict(reason.detail)["protects"] for reason in back.reasons} >= {"the guest's mitigation of spectre-v2"}


def test_a_guest_without_a_saved_version_finds_another_one() -> None:
    told = judged(host("a", "4.15", "qemu-5.2.0", A53), host("b", "4.17", "qemu-5.2.0", A53))
    assert told.verdict is Verdict.CHANGES
    assert told.reasons[0].kind is ReasonKind.PSCI_CHANGES
    assert told.after is not None
    assert told.after.psci == psci_value("1.0")


A53 = HostFacts(midr=0x410FD034, revidr=0, cmdline="quiet", firmware="edk2-2017.11")


def test_other_cpus_are_refused() -> None:
    told = judged(host("a", "6.12.94", "qemu-11.1.3"), host("b", "6.12.94", "qemu-11.1.3", HostFacts(midr=0x413FD0C2, revidr=0)))
    assert told.reasons[0].kind is ReasonKind.DIFFERENT_CPU
    assert told.reasons[0].register == "MIDR_EL1"


def test_crosvm_leaves_bitmaps_behind_and_the_guest_gets_the_destinations() -> None:
    told = judged(host("a", "6.12.94", "crosvm-1"), host("b", "6.12.94", "crosvm-1"))
    assert told.verdict is Verdict.SAFE


# --- policy and waivers --------------------------------------------------------------------------------------------------------------

QUIRK = (host("a", "6.18.15", "qemu-11.1.3"), host("b", "6.1.176", "qemu-11.1.3"))


def test_a_stripping_move_is_allowed_only_where_a_waiver_names_all_that_is_lost() -> None:
    source, destination = host("a", "5.18", "qemu-10.2.2"), host("b", "5.17", "qemu-10.2.2")
    waiver = Waiver(scope=("g*",), reason="r", owner="o", expires="2027-01-01", register="SMCCC_ARCH_WORKAROUND_1")
    assert not hop(source, destination, waivers=(waiver,)).allowed
    assert hop(source, source).allowed


def test_a_change_of_psci_can_be_forbidden() -> None:
    source, destination = host("a", "4.15", "qemu-5.2.0", A53), host("b", "4.17", "qemu-5.2.0", A53)
    assert hop(source, destination).allowed
    assert not hop(source, destination, policy=Policy(forbid_psci_change=True)).allowed


def test_what_is_not_known_is_named_and_only_allowed_where_policy_accepts_it() -> None:
    source, destination = host("a", "6.12.94", "qemu-11.1.3", HostFacts()), host("b", "6.18.15", "qemu-11.1.3", HostFacts())
    told = judged(source, destination)
    assert told.verdict is Verdict.UNKNOWN
    assert dict(told.reasons[0].detail)["decided_by"]
    assert not hop(source, destination).allowed
    assert hop(source, destination, policy=Policy(accept_unknown=True)).allowed


def test_only_the_evidence_that_makes_the_difference_is_asked_for() -> None:
    """All levels of the source that a mitigated destination refuses show in one of its two texts."""
    silent = HostFacts(midr=0x410FD083, revidr=0, cmdline="quiet")
    texts = {
        "spectre_v2": "Mitigation: Branch predictor hardening, BHB",
        "spec_store_bypass": "Mitigation: Speculative Store Bypass disabled via prctl",
    }
    release = ("6.12.117", "qemu-11.1.3")
    told = judged(host("a", *release, silent), host("b", *release, msgspec.structs.replace(silent, vulnerabilities=texts)))
    assert [fact.words for fact in told.deciding[0]] == ["the spectre_v2 text"]
    both = judged(host("a", *release, silent), host("b", *release, silent))
    assert [(fact.of, "spec_store_bypass" in fact.words) for fact in both.deciding[0]] == [("source", True), ("destination", True)]


def test_a_probe_tells_which_kernel_it_is() -> None:
    """Of the kernels that a name may stand for, those that would have answered the probe otherwise are out."""
    name = "6.12.0-33.el9.aarch64"
    silent = table_of(host("a", name, "qemu-11.1.3"), host("b", name, "qemu-11.1.3"))
    before = silent.host_class(silent.hosts_now[0]).kvms
    listed = before[0].profile.registers
    probe = tuple((BY_NAME[row].id, before[0].profile.psci_default if row == "PSCI_VERSION" else 0) for row in listed)
    table = table_of(host("a", name, "qemu-11.1.3", msgspec.structs.replace(N1, registers=probe)), host("b", name, "qemu-11.1.3"))
    after = {kvm.profile for kvm in table.host_class(table.hosts_now[0]).kvms}
    agreeing = (kvm.profile for kvm in before if (kvm.profile.registers, kvm.profile.psci_default) == (listed, probe[0][1]))
    assert after == {without_levels(profile) for profile in agreeing}
    assert len(after) < len(before)


def test_a_package_that_is_two_things_is_unknown_only_where_that_decides() -> None:
    twofold = host("b", "6.12.94", "qemu-10.1.0-19.el10")
    assert judged(host("a", "6.12.94", "qemu-10.0.13"), twofold).verdict is Verdict.SAFE
    told = judged(host("a", "6.6.67", "qemu-10.0.13"), host("b", "6.16.3", "qemu-10.1.0-19.el10"))
    assert told.verdict in {Verdict.UNKNOWN, Verdict.FAILS}


def test_hosts_whose_cpus_differ_leave_moves_undecided() -> None:
    mixed = HostFacts(midr=0x410FD083, other_midrs=(0x410FD034,), cmdline="quiet")
    told = judged(host("a", "6.12.94", "qemu-11.1.3", mixed), host("b", "6.12.94", "qemu-11.1.3", mixed))
    assert told.verdict is Verdict.UNKNOWN


# --- what no table has yet ---------------------------------------------------------------------------------------------------------

NEW_REGISTER = 0x6030000000140004
"""A firmware register that a kernel to come may add beside those for workarounds."""


def probed(name: str, *more: tuple[int, int]) -> Host:
    listed = tuple((row.id, value) for row, value in zip(REGISTERS, (0x10003, 2, 0, 1, 1, 1, 3, 0), strict=True))
    rest = ((by_name("MIDR_EL1"), 0x413FD0C1), (by_name("OSLSR_EL1"), 8), (by_name("CNTP_CTL_EL0"), 0), (0x6020000000110003, 2))
    return host(name, "7.3.4", "qemu-11.1.3", HostFacts(midr=0x413FD0C1, revidr=0, registers=(*listed, *more, *rest)))


def test_a_firmware_register_that_nobody_knows_yet_is_not_passed_over() -> None:
    with_one, with_another, without = probed("a", (NEW_REGISTER, 1)), probed("b", (NEW_REGISTER, 2)), probed("b")
    assert judged(with_one, probed("b", (NEW_REGISTER, 1))).verdict is Verdict.SAFE
    assert judged(with_one, with_another).verdict is Verdict.UNKNOWN
    told = judged(with_one, without)
    assert (told.verdict, told.stage) == (Verdict.FAILS, Stage.MERGE)
    assert "fw reg 4 in the incoming stream but unknown on the destination" in told.messages[0]


# --- laws ----------------------------------------------------------------------------------------------------------------------------


@settings(max_examples=80)
@given(kernel=st.sampled_from(KERNELS), vmm=st.sampled_from(VMMS), facts=st.sampled_from([N1, A53]))
def test_a_twin_is_safe(kernel: str, vmm: str, facts: HostFacts) -> None:
    assert judged(host("a", kernel, vmm, facts), host("b", kernel, vmm, facts)).verdict is Verdict.SAFE


@settings(max_examples=120)
@given(
    kernels=st.tuples(st.sampled_from(KERNELS), st.sampled_from(KERNELS)),
    vmms=st.tuples(st.sampled_from(VMMS), st.sampled_from(VMMS)),
    psci=st.sampled_from([None, "0.2", "1.0", "1.1"]),
)
def test_a_verdict_is_whole(kernels: tuple[str, str], vmms: tuple[str, str], psci: str | None) -> None:
    ends = [host(name, kernel, vmm) for name, kernel, vmm in zip("ab", kernels, vmms, strict=True)]
    born = Birth(psci=psci) if psci else None
    told = judged(ends[0], ends[1], born=born)
    assert (told.after is None) == (told.verdict is Verdict.FAILS)
    assert bool(told.reasons) == (told.verdict is not Verdict.SAFE)
    assert (told.stage is Stage.AFTER) or told.verdict in {Verdict.FAILS, Verdict.UNKNOWN}
    assert told == judged(ends[0], ends[1], born=born) or told.after is not None
    if told.stage is not Stage.START and told.verdict is Verdict.FAILS:
        assert told.messages or vmms[1].startswith("crosvm"), "of crosvm no words are known"


def test_precedence() -> None:
    assert sorted(Verdict, key=lambda verdict: RANK[verdict]) == [
        Verdict.SAFE,
        Verdict.CHANGES,
        Verdict.STRIPS,
        Verdict.UNKNOWN,
        Verdict.FAILS,
    ]


@settings(max_examples=60)
@given(
    pairs=st.lists(
        st.tuples(st.sampled_from(KERNELS), st.sampled_from(VMMS), st.sampled_from([N1, N2, A53, A72, BARE, HostFacts()])),
        min_size=2,
        max_size=5,
    ),
    psci=st.sampled_from([None, "1.0", "1.3"]),
)
@example(pairs=[("5.10.262", "qemu-5.2.0", N2), ("5.3", "qemu-5.2.0", N2)], psci="1.3")
def test_what_a_judge_remembers_changes_no_judgment(pairs: list[tuple[str, str, HostFacts]], psci: str | None) -> None:
    hosts = tuple(host(f"h{number}", kernel, vmm, facts) for number, (kernel, vmm, facts) in enumerate(pairs))
    born = Birth(psci=psci) if psci else None
    guests = tuple(Guest(name=GuestName(f"g{h.name}"), on=h.name, vcpus=1, memory_mib=1, born=born) for h in hosts)
    table = ClassTable(Fleet(target=hosts[0].release, hosts=hosts, guests=guests))
    for guest, here in table.states_now():
        for there in table.host_classes:
            told = table.judgment(guest, here, there)
            fresh = judge(table.possible(guest), table.host_class(here), table.host_class(there))
            assert (told.verdict, told.stage, told.reasons, told.messages) == (fresh.verdict, fresh.stage, fresh.reasons, fresh.messages)
            assert table.ruling(guest, here, there) == (told.verdict, told.stage)
        assert table.rulings(guest, here, table.host_classes) == [table.ruling(guest, here, there) for there in table.host_classes]


def test_hosts_that_are_alike_now_may_differ_once_upgraded() -> None:
    """6.18 ignores `nospectre_bhb`, 7.2 obeys it."""
    lines = ("quiet", "quiet nospectre_bhb")
    hosts = tuple(
        host(name, "6.18.15", "qemu-11.1.3", HostFacts(midr=0x413FD0C1, revidr=0, cmdline=line))
        for name, line in zip("ab", lines, strict=True)
    )
    table = ClassTable(Fleet(target=Release("7.2.13", "qemu-11.1.3"), hosts=hosts))
    assert table.hosts_now[0] == table.hosts_now[1]
    assert table.hosts_then[0] != table.hosts_then[1]


@pytest.mark.parametrize(
    ("machine", "here", "there", "verdict"),
    [
        ("virt", "qemu-11.1.2", "qemu-11.1.3", Verdict.SAFE),
        ("virt", "qemu-11.0.3", "qemu-11.1.3", Verdict.UNKNOWN),
        ("virt-rhel9.6.0", "qemu-10.1.0-16.el10", "qemu-11.1.3", Verdict.FAILS),
        ("virt-10.0", "qemu-10.0.13", "qemu-10.1.0-16.el10", Verdict.FAILS),
        ("virt-rhel9.6.0", "qemu-10.1.0-16.el10", "qemu-10.1.0-16.el10", Verdict.SAFE),
        ("virt-rhel10.2.0", "qemu-10.1.0-16.el10", "qemu-10.0.0-14.el10_1", Verdict.UNKNOWN),
        ("sbsa-ref", "qemu-11.1.2", "qemu-11.1.3", Verdict.SAFE),
        ("sbsa-ref", "qemu-11.0.3", "qemu-11.1.3", Verdict.UNKNOWN),
        (None, "qemu-11.0.3", "qemu-11.1.3", Verdict.SAFE),
        (None, "qemu-4.2.1", "qemu-11.1.3", Verdict.FAILS),
        (None, "qemu-5.2.0", "qemu-11.1.3", Verdict.SAFE),
    ],
)
def test_a_machine_type_is_looked_for_there(machine: str | None, here: str, there: str, verdict: Verdict) -> None:
    told = judged(host("a", "6.12.94", here), host("b", "6.12.94", there), machine=machine)
    assert told.verdict is verdict, told.reasons
    assert told.stage is (Stage.AFTER if verdict is Verdict.SAFE else Stage.START)


def test_a_host_can_state_how_its_vmm_loads() -> None:
    source = host("a", "6.16.3", "qemu-10.0.13")
    plain, stated = (
        host("b", "6.12.94", "qemu-10.1.0-30.el10", HostFacts(midr=0x413FD0C1, revidr=0, cmdline="quiet", vmm_profile=profile))
        for profile in (None, "B1-S4")
    )
    assert judged(source, plain).verdict is not Verdict.UNKNOWN or "changelog" in str(judged(source, plain).reasons)
    assert any("fw reg 0" in line for line in judged(source, stated).messages)

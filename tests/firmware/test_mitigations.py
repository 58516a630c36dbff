from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fleetplan.firmware.candidates import Candidates, certain
from fleetplan.firmware.cpus import TABLE, by_name, unlisted
from fleetplan.firmware.id_rules import SILENT
from fleetplan.firmware.kernels import BhbRule, KernelProfile, Workaround2Era, parse, profiles
from fleetplan.firmware.mitigations import (
    BY_PROBE,
    LAST_CPU,
    Affected,
    LevelFacts,
    affected,
    affected_of_several,
    assumptions,
    firmware_answers,
    host_levels,
    mixed,
)
from fleetplan.firmware.platforms import (
    UNAFFECTED,
    Answer,
    Branch,
    Platform,
    Store,
    Switches,
    bhb_affected,
    levels,
    read,
    ssb_affected,
    sysfs,
    v2_affected,
)
from fleetplan.firmware.vcpu import Levels

Kernels = dict[str, KernelProfile]
ANSWERS = (Answer.NONE, Answer.NEEDED, Answer.NOT_HERE)


def facts_of(host: dict[str, Any]) -> LevelFacts:
    return LevelFacts(
        midr=int(host["midr"], 16),
        cmdline=host["cmdline"],
        spectre_v2=host["spectre_v2"],
        spec_store_bypass=host["spec_store_bypass"],
    )


def same_machine(hosts: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Every pair of hosts that differ in nothing but the kernel; each host with itself included."""
    words = [host["cmdline"].partition("oracle=1")[2] for host in hosts]
    key = [(host["cpu"], host["firmware"], word) for host, word in zip(hosts, words, strict=True)]
    return [(a, b) for i, a in enumerate(hosts) for j, b in enumerate(hosts) if key[i] == key[j]]


def readings(facts: LevelFacts, read_on: KernelProfile, profile: KernelProfile) -> set[tuple[int, int, int]]:
    return {read(value, profile) for value in host_levels(facts=facts, read_on=read_on, profile=profile)}


# --- against observed hosts ---------------------------------------------------------------------------------------------------------


def test_levels_from_sysfs_midr_and_command_line_hold_on_every_observed_host(
    observed: dict[str, Any], observed_kernels: Kernels, capsys: pytest.CaptureFixture[str]
) -> None:
    decided = 0
    for host in observed["hosts"]:
        kernel = observed_kernels[host["kernel"]]
        found = readings(facts_of(host), kernel, kernel)
        assert tuple(host["workarounds"]) in found, host
        decided += len(found) == 1
    with capsys.disabled():
        print(f"\nlevels on the running kernel: {decided} of {len(observed['hosts'])} decided, 0 wrong")

    assert decided == sum(host["cpu"] != "max" for host in observed["hosts"]), "only a CPU that no list names may stay open"


def test_levels_on_another_kernel_hold_for_every_observed_machine(
    observed: dict[str, Any], observed_kernels: Kernels, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = [(a, b) for a, b in same_machine(observed["hosts"]) if a is not b]
    decided = 0
    for host, then in pairs:
        found = readings(facts_of(host), observed_kernels[host["kernel"]], observed_kernels[then["kernel"]])
        assert tuple(then["workarounds"]) in found, (host, then["kernel"])
        decided += len(found) == 1
    with capsys.disabled():
        print(f"\nlevels on another kernel: {decided} of {len(pairs)} decided, 0 wrong")

    assert decided == sum(host["cpu"] != "max" for host, _ in pairs)


def test_fewer_facts_are_never_wrong(observed: dict[str, Any], observed_kernels: Kernels) -> None:
    for host, then in same_machine(observed["hosts"]):
        read_on, profile = observed_kernels[host["kernel"]], observed_kernels[then["kernel"]]
        full = facts_of(host)
        stated = tuple(host["workarounds"])
        fewer = [
            replace(full, midr=None),
            replace(full, spectre_v2=None),
            replace(full, spec_store_bypass=None),
            replace(full, spectre_v2=None, spec_store_bypass=None),
            LevelFacts(workarounds=stated),
            LevelFacts(midr=full.midr, cmdline=full.cmdline, workarounds=stated),
            LevelFacts(),
        ]
        for facts in fewer:
            assert tuple(then["workarounds"]) in readings(facts, read_on, profile), (facts, then)


def test_stated_workarounds_decide_what_is_read_on_the_running_kernel(observed: dict[str, Any], observed_kernels: Kernels) -> None:
    for host in observed["hosts"]:
        kernel = observed_kernels[host["kernel"]]
        stated = tuple(host["workarounds"])

        assert readings(LevelFacts(workarounds=stated), kernel, kernel) == {stated}


# --- laws ---------------------------------------------------------------------------------------------------------------------------

platforms = st.builds(
    Platform,
    cpu=st.sampled_from([*TABLE, unlisted(0, 0x51)]),
    branch=st.builds(
        Branch,
        csv2=st.sampled_from([0, 1, 3]),
        workaround_1=st.sampled_from(ANSWERS),
        workaround_3=st.sampled_from(ANSWERS),
        ecbhb=st.booleans(),
        clrbhb=st.booleans(),
    ),
    store=st.builds(Store, ssbs=st.booleans(), workaround_2=st.sampled_from(Answer)),
)
command_lines = st.lists(
    st.sampled_from(["nospectre_v2", "nospectre_bhb", "mitigations=off", "ssbd=force-off", "ssbd=force-on", "quiet"]), max_size=3
).map(" ".join)
known_texts = st.sampled_from(["as shown", None])


def eras(kernels: Kernels) -> list[KernelProfile]:
    before_5_10 = replace(kernels["5.10.223"], workaround_2=Workaround2Era.FLAG)
    return [before_5_10, replace(before_5_10, bhb=BhbRule.NONE), *kernels.values()]


@given(platform=platforms, cmdline=command_lines, v2=known_texts, ssb=known_texts, data=st.data())
def test_a_platform_is_always_among_what_its_evidence_leaves(
    observed_kernels: Kernels, platform: Platform, cmdline: str, v2: str | None, ssb: str | None, data: st.DataObject
) -> None:
    read_on, profile = (data.draw(st.sampled_from(eras(observed_kernels))) for _ in range(2))
    switches = Switches.parse(cmdline)
    texts = sysfs(platform, read_on, switches)
    facts = LevelFacts(
        cmdline=cmdline,
        spectre_v2=data.draw(st.sampled_from(texts.spectre_v2)) if v2 else None,
        spec_store_bypass=texts.spec_store_bypass[0] if ssb else None,
    )

    found = host_levels(facts=facts, read_on=read_on, profile=profile)

    assert levels(platform, profile, switches) in set(found)
    assert (found.known is None) == bool(found.decided_by)


@given(platform=platforms, cmdline=command_lines, data=st.data())
def test_a_later_fact_never_adds_a_candidate(observed_kernels: Kernels, platform: Platform, cmdline: str, data: st.DataObject) -> None:
    kernel = data.draw(st.sampled_from(eras(observed_kernels)))
    switches = Switches.parse(cmdline)
    texts = sysfs(platform, kernel, switches)
    little = LevelFacts(cmdline=cmdline, spectre_v2=texts.spectre_v2[0])
    more = replace(little, workarounds=read(levels(platform, kernel, switches), kernel))

    few = set(host_levels(facts=more, read_on=kernel, profile=kernel))

    assert few <= set(host_levels(facts=little, read_on=kernel, profile=kernel))


# --- single rules of the reference --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cpu", "expected"),
    [("neoverse-n1", (2, 0, 1)), ("neoverse-v1", (2, 0, 1)), ("cortex-a76", (2, 0, 1)), ("graviton2", (2, 0, 1))],
)
def test_a_cpu_by_name_is_enough_where_firmware_has_no_say(observed_kernels: Kernels, cpu: str, expected: tuple[int, int, int]) -> None:
    kernel = observed_kernels["6.1.192"]

    assert readings(LevelFacts(cpu=cpu), kernel, kernel) == {expected}


def test_a_cpu_that_depends_on_firmware_names_the_texts_that_decide(observed_kernels: Kernels) -> None:
    kernel = observed_kernels["6.1.192"]

    found = host_levels(facts=LevelFacts(cpu="cortex-a72"), read_on=kernel, profile=kernel)

    assert found.known is None
    assert found.decided_by == "the spectre_v2 text and the spec_store_bypass text"
    assert all("spectre_v2 reads" in option.assuming for option in found.options)


def test_kunpeng_920_loses_and_regains_workaround_3_over_ordinary_updates(observed_kernels: Kernels) -> None:
    old = observed_kernels["5.10.223"]
    unknown = replace(old, bhb=BhbRule.NEW)
    listed = replace(unknown, loop_cpus=old.loop_cpus | {(0x48, 0xD01)})
    facts = LevelFacts(cpu="kunpeng-920", cmdline="", spectre_v2="Not affected")

    third = [
        {read(value, kernel)[2] for value in host_levels(facts=facts, read_on=old, profile=kernel)} for kernel in (old, unknown, listed)
    ]

    assert third[0] == {2}
    assert 0 in third[1]
    assert third[2] <= {1, 2}


@pytest.mark.parametrize(
    ("cmdline", "expected"),
    [("", 0x12), ("ssbd=force-on", 3), ("ssbd=force-off", 0), ("mitigations=off", 0)],
)
def test_before_5_10_an_ssbs_cpu_keeps_the_state_of_the_command_line(observed_kernels: Kernels, cmdline: str, expected: int) -> None:
    kernel = replace(observed_kernels["5.10.223"], workaround_2=Workaround2Era.FLAG)

    assert {second for _, second, _ in readings(LevelFacts(cpu="neoverse-n1", cmdline=cmdline), kernel, kernel)} == {expected}


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("Not affected", {0, 1, 3, 0x12}),
        ("Mitigation: Speculative Store Bypass disabled via prctl", {0x12, 3}),
        ("Vulnerable", {0, 1}),
    ],
)
def test_texts_before_5_10_are_as_ambiguous_as_the_reference_says(observed_kernels: Kernels, text: str, second: set[int]) -> None:
    kernel = replace(observed_kernels["5.10.223"], workaround_2=Workaround2Era.FLAG)

    assert {w2 for _, w2, _ in readings(LevelFacts(spec_store_bypass=text), kernel, kernel)} == second


@pytest.mark.parametrize(
    ("text", "levels_1_and_3"),
    [
        ("Not affected", {(2, 2)}),
        ("Mitigation: CSV2, BHB", {(2, 1)}),
        ("Mitigation: CSV2, but not BHB", {(2, 0)}),
        ("Mitigation: Branch predictor hardening", {(1, 2)}),
        ("Mitigation: Branch predictor hardening, BHB", {(1, 1)}),
        ("Mitigation: Branch predictor hardening, but not BHB", {(1, 0)}),
        ("Vulnerable: Unprivileged eBPF enabled", {(1, 1), (2, 1)}),
        ("Vulnerable", {(0, 0), (0, 2)}),
    ],
)
def test_spectre_v2_texts_say_what_the_table_of_the_reference_says(
    observed_kernels: Kernels, text: str, levels_1_and_3: set[tuple[int, int]]
) -> None:
    kernel = observed_kernels["6.12.117"]
    found = readings(LevelFacts(spectre_v2=text), kernel, kernel)

    assert {(first, third) for first, _, third in found} == levels_1_and_3


@pytest.mark.parametrize(
    ("text", "second"),
    [("Not affected", {3}), ("Mitigation: Speculative Store Bypass disabled via prctl", {0, 3}), ("Vulnerable", {0})],
)
def test_spec_store_bypass_texts_say_what_the_table_of_the_reference_says(observed_kernels: Kernels, text: str, second: set[int]) -> None:
    kernel = observed_kernels["6.12.117"]

    assert {w2 for _, w2, _ in readings(LevelFacts(spec_store_bypass=text), kernel, kernel)} == second


def test_facts_that_contradict_each_other_leave_more_than_one_answer_or_the_measured_one(observed_kernels: Kernels) -> None:
    kernel = observed_kernels["6.12.117"]
    odd = LevelFacts(cpu="neoverse-n1", cmdline="", spectre_v2="Vulnerable", workarounds=(0, 0, 0))

    assert readings(odd, kernel, kernel) == {(0, 0, 0)}


def test_a_text_that_no_kernel_prints_is_no_evidence(observed_kernels: Kernels) -> None:
    kernel = observed_kernels["6.12.117"]

    found = host_levels(facts=LevelFacts(cpu="neoverse-n1", spectre_v2="Mitigation: magic"), read_on=kernel, profile=kernel)

    assert (2, 0, 1) in {read(value, kernel) for value in found}
    assert found.known is None


def test_assumptions_name_what_would_replace_them() -> None:
    assert [a.subject for a in assumptions(LevelFacts(cpu="neoverse-n1"))] == ["midr", "cmdline"]
    assert assumptions(LevelFacts(midr=0x413FD0C1, cmdline="quiet")) == ()
    assert all(a.source for a in assumptions(LevelFacts(cpu="neoverse-n1")))


@pytest.mark.parametrize(
    ("cmdline", "expected"),
    [
        ("quiet mitigations=off", Switches(mitigations_off=True)),
        ("mitigations=off mitigations=auto", Switches()),
        ("ssbd=force-on ssbd=force-off", Switches(ssbd="force-off")),
        ("nospectre_v2 -- nospectre_bhb", Switches(nospectre_v2=True)),
        ("nospectre_bhb ssbd=nonsense", Switches(nospectre_bhb=True)),
    ],
)
def test_words_of_a_command_line(cmdline: str, expected: Switches) -> None:
    assert Switches.parse(cmdline) == expected


def test_the_probe_is_named_where_no_cheaper_fact_decides(observed_kernels: Kernels) -> None:
    kernel = observed_kernels["6.12.117"]
    facts = LevelFacts(
        midr=0x000F0510,
        cmdline="",
        spectre_v2="Not affected",
        spec_store_bypass="Mitigation: Speculative Store Bypass disabled via prctl",
    )

    assert host_levels(facts=facts, read_on=kernel, profile=kernel).decided_by == BY_PROBE
    assert host_levels(facts=replace(facts, ssbs=True), read_on=kernel, profile=kernel).known is not None


def alone(cpu: str, kernel: KernelProfile, **facts: str) -> Candidates[Levels]:
    return host_levels(facts=LevelFacts(cpu=cpu, cmdline="", **facts), read_on=kernel, profile=kernel)


def test_the_worst_cpu_of_a_host_wins(observed_kernels: Kernels) -> None:
    kernel = observed_kernels["6.12.117"]
    safe, big = alone("cortex-a55", kernel), alone("neoverse-n1", kernel)
    hopeless = alone("cortex-a57", kernel, spectre_v2="Vulnerable", spec_store_bypass="Vulnerable")

    assert {read(value, kernel) for value in mixed([safe, big], kernel)} == {(2, 3, 1), (2, 0, 1)}, "A55 may have SSBS or not"
    assert {read(value, kernel) for value in mixed([big, hopeless], kernel)} == {(0, 0, 0)}
    assert mixed([big], kernel).known == big.known


def test_before_5_10_the_last_cpu_decides_on_v4(observed_kernels: Kernels) -> None:
    kernel = replace(observed_kernels["5.10.223"], workaround_2=Workaround2Era.FLAG)
    states = [certain(Levels(spectre_v2=2, ssb=ssb, bhb=2, ssbs=False)) for ssb in (1, 2)]

    found = mixed(states, kernel)

    assert {read(value, kernel)[1] for value in found} == {1, 0x12}
    assert found.decided_by == LAST_CPU
    assert mixed(states, observed_kernels["5.10.223"]).known is not None


@given(st.lists(platforms, min_size=1, max_size=3), command_lines, st.data())
def test_more_cpus_never_make_a_host_better(observed_kernels: Kernels, parts: list[Platform], cmdline: str, data: st.DataObject) -> None:
    kernel = data.draw(st.sampled_from(list(observed_kernels.values())))
    each = [levels(part, kernel, Switches.parse(cmdline)) for part in parts]

    system = mixed(map(certain, each), kernel).known

    assert system is not None
    assert all(system.spectre_v2 <= one.spectre_v2 and system.bhb <= one.bhb and system.ssb <= one.ssb for one in each)


def test_a_host_without_a_cpu_is_an_error(observed_kernels: Kernels) -> None:
    with pytest.raises(ValueError, match="at least one CPU"):
        mixed([], observed_kernels["6.12.117"])


def test_cpus_of_the_tests_are_in_the_table() -> None:
    assert all(by_name(name) for name in ("neoverse-n1", "neoverse-v1", "cortex-a76", "cortex-a72", "kunpeng-920"))


# --- firmware above the hypervisor ---------------------------------------------------------------------------------------------------


def test_what_firmware_may_answer_is_never_what_it_does_not(observed: dict[str, Any], observed_kernels: dict[str, KernelProfile]) -> None:
    """Silence is among what it may answer wherever there is none, and is not where it must have mitigated."""
    told = 0
    for host in observed["hosts"]:
        facts = LevelFacts(
            midr=int(host["midr"], 16),
            cmdline=host["cmdline"],
            spectre_v2=host["spectre_v2"],
            spec_store_bypass=host["spec_store_bypass"],
        )
        answers = firmware_answers(facts, observed_kernels[host["kernel"]])
        assert answers & SILENT or host["firmware"] != "none", host
        if host["workarounds"][0] == 1:
            assert not answers & SILENT, host
            told += 1
    assert told > 20


def test_hosts_of_one_firmware_are_never_told_apart(observed: dict[str, Any], observed_kernels: dict[str, KernelProfile]) -> None:
    seen: dict[tuple[str, str], list[int]] = {}
    for host in observed["hosts"]:
        facts = LevelFacts(midr=int(host["midr"], 16), cmdline=host["cmdline"], spectre_v2=host["spectre_v2"])
        seen.setdefault((host["cpu"], host["firmware"]), []).append(firmware_answers(facts, observed_kernels[host["kernel"]]))
    assert all(one & other for answers in seen.values() for one in answers for other in answers)


# --- whether the CPU is affected ------------------------------------------------------------------------------------------------------


@given(cpu=st.sampled_from(TABLE), data=st.data())
def test_whether_a_cpu_is_affected_holds_of_every_platform_that_shows_the_evidence(
    observed_kernels: Kernels, cpu: Any, data: st.DataObject
) -> None:
    """Read on one kernel, asked on another: what is true of the machine is always among the answers."""
    read_on, profile = (data.draw(st.sampled_from(list(observed_kernels.values()))) for _ in range(2))
    branch = Branch(
        csv2=data.draw(st.sampled_from(cpu.csv2)),
        workaround_1=data.draw(st.sampled_from(ANSWERS)),
        workaround_3=data.draw(st.sampled_from(ANSWERS)),
        ecbhb=bool(cpu.ecbhb),
        clrbhb=bool(cpu.clrbhb),
    )
    platform = Platform(cpu=cpu, branch=branch, store=Store(ssbs=bool(cpu.ssbs), workaround_2=data.draw(st.sampled_from(Answer))))
    texts = sysfs(platform, read_on, Switches())
    midr = cpu.implementer << 24 | cpu.part << 4
    facts = LevelFacts(midr=midr, cmdline="", spectre_v2=texts.spectre_v2[0], spec_store_bypass=texts.spec_store_bypass[0])
    found = affected(facts, read_on, profile, levels(platform, profile, Switches()))
    assert v2_affected(cpu, branch) in found.spectre_v2
    assert ssb_affected(cpu, platform.store) in found.spectre_v4
    assert bhb_affected(cpu, branch) in found.spectre_bhb
    newest = levels(platform, observed_kernels["7.3.4"], Switches())
    assert v2_affected(cpu, branch) == (newest.spectre_v2 != UNAFFECTED)
    assert bhb_affected(cpu, branch) == (newest.bhb != UNAFFECTED)


def test_what_an_old_kernel_has_not_heard_of_says_nothing_of_the_cpu(observed_kernels: Kernels) -> None:
    old = next(iter(profiles(parse("5.4.100"))))
    facts = LevelFacts(midr=0x410FD034, cmdline="")
    nothing = Levels(spectre_v2=2, ssb=1, bhb=0, ssbs=False)
    assert affected(facts, old, old, nothing) == Affected(*[frozenset({False})] * 3)
    a72 = LevelFacts(midr=0x410FD083, cmdline="", spectre_v2="Vulnerable")
    kernel = observed_kernels["6.12.117"]
    assert affected(a72, kernel, kernel, None).spectre_v2 == {True}
    assert affected_of_several([affected(facts, old, old, nothing), affected(a72, kernel, kernel, None)]).spectre_bhb == {True}


@pytest.mark.parametrize("cpu", ["neoverse-n1", "cortex-a72", "cortex-a57"])
def test_the_observed_hosts_of_a_cpu_that_is_affected_by_bhb_agree(observed: dict[str, Any], observed_kernels: Kernels, cpu: str) -> None:
    """Whatever they read of it: firmware, kernel and command line differ, the CPU does not."""
    asked = [host for host in observed["hosts"] if host["cpu"] == cpu]
    for host in asked:
        kernel = observed_kernels[host["kernel"]]
        first, second, third = host["workarounds"]
        for level in host_levels(facts=facts_of(host), read_on=kernel, profile=kernel):
            if read(level, kernel) == (first, second, third):
                assert affected(facts_of(host), kernel, kernel, level).spectre_bhb == {True}, host
    assert asked

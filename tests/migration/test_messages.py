"""What a VMM prints is written and read by the same rows: they must give back what they were given, and know all that was seen."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetplan.firmware.encodings import AARCH64_IDS, CCSIDR_IDS, EVENT_IDS, by_name
from fleetplan.firmware.errno import Errno
from fleetplan.firmware.registers import BY_ID, BY_NAME, PSCI_VERSION
from fleetplan.migration import messages
from fleetplan.migration.reasons import Stage
from fleetplan.migration.recognise import nearest, printers, read, registers_named
from fleetplan.migration.vmm import Load, Text, VmmProfile, parse, profiles
from fleetplan.migration.wordings import MEANS, SCRIPTS, STRERROR, WORDINGS, Role, Wording, display

REGISTERS = (*BY_ID, *AARCH64_IDS, *CCSIDR_IDS, *EVENT_IDS)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "register": st.sampled_from(REGISTERS),
    "written": st.integers(0, 2**64 - 1),
    "there": st.integers(0, 2**64 - 1),
    "errno": st.sampled_from(sorted(STRERROR)),
    "brought": st.integers(0, 999),
    "listed": st.integers(0, 999),
    "instance": st.integers(0, 20),
    "version": st.sampled_from(["0.2", "1.3", "2.0"]),
    "machine": st.sampled_from(["virt-5.0", "virt-rhel9.6.0"]),
    "local_machine": st.just("virt-11.1"),
    "emulator": st.just("/usr/bin/qemu-system-aarch64"),
    "guest": st.just("web-1"),
    "direction": st.sampled_from(["migration in", "migration out"]),
    "vcpu": st.integers(0, 9),
    "signal": st.just(15),
}


def qemu(name: str) -> VmmProfile:
    return next(iter(profiles(parse(name))))


def facts_of(data: st.DataObject, wording: Wording) -> dict[str, Any]:
    return {MEANS.get(name, name): data.draw(VALUES[MEANS.get(name, name)]) for name in wording.fields}


def written(wording: Wording, facts: dict[str, Any], text: Text) -> str:
    spelled = {**facts, "register": display(text, facts["register"])} if "register" in wording.fields else facts
    return wording.write(spelled)


@pytest.mark.parametrize("wording", WORDINGS, ids=lambda wording: wording.name)
@settings(deadline=None)
@given(data=st.data())
def test_what_is_written_is_read(wording: Wording, data: st.DataObject) -> None:
    facts, text = facts_of(data, wording), data.draw(st.sampled_from([Text.S3, Text.S4]))
    lines = read(written(wording, facts, text)).lines
    assert [line.wording for line in lines] == [wording]
    assert {name: getattr(lines[0], name) for name in facts if hasattr(lines[0], name)} == {
        name: value for name, value in facts.items() if hasattr(lines[0], name)
    }


@settings(deadline=None)
@given(data=st.data())
def test_prefixes_time_stamps_quoting_and_broken_lines_are_read_over(data: st.DataObject) -> None:
    wordings = data.draw(st.lists(st.sampled_from([row for row in WORDINGS if row.role is not Role.NOISE]), min_size=1, max_size=4))
    lines = [written(row, facts_of(data, row), Text.S4) for row in wordings]
    prefix = data.draw(
        st.sampled_from(["", "2026-11-24T10:33:21.123456Z qemu-system-aarch64: ", "error: ", "Nov 24 10:33:21 n1-01 qemu[12]: "])
    )
    quote = data.draw(st.sampled_from(["", "> "]))
    width = data.draw(st.sampled_from([60, 80, 500]))
    pasted = "\n".join(quote + part for line in lines for part in textwrap.wrap(prefix + line, width, break_on_hyphens=False))
    assert {line.facts for line in read(pasted).lines} == {line.facts for text in lines for line in read(text).lines}


def test_a_terminal_breaks_within_words() -> None:
    line = "Could not set register system register op0:3 op1:0 crn:0 crm:5 op2:0 to 10305408 (is 10305406)"
    for place in range(1, line.index(" to 1")):
        found = read(f"{line[:place]}\n{line[place:]}").lines
        assert [(one.register, one.written, one.there) for one in found] == [(by_name("ID_AA64DFR0_EL1"), 0x10305408, 0x10305406)]


# --- what was seen at start --------------------------------------------------------------------------------------------------------------


def test_refused_starts_were_seen_with_these_words() -> None:
    seen = (
        "KVM in this kernel does not support PSCI version 1.3",
        "Consider setting the kvm-psci-version property on the migration source.",
        "kvm_init_vcpu: kvm_arch_init_vcpu failed (0): Invalid argument",
    )
    assert messages.pin_refused("1.3") == seen
    reading = read("\n".join((*seen, "QEMU 11.1.3 monitor - type 'help' for more information")))
    assert reading.stages == (Stage.START,)
    assert not reading.unread


# --- who says what -------------------------------------------------------------------------------------------------------------------


def test_the_words_of_a_merge_differ_by_version() -> None:
    place = [by_name("OSLSR_EL1")]
    ends = {
        name: messages.merge(qemu(name), place, [], failed=True) for name in ("qemu-7.2.0", "qemu-10.2.2", "qemu-11.0.3", "qemu-11.1.3")
    }
    assert ends["qemu-7.2.0"][-1] == "load of migration failed: Operation not permitted"
    assert ends["qemu-10.2.2"] == (
        "load of migration failed: Operation not permitted: error while loading state for instance 0x0 of device 'cpu': "
        "post load hook failed for: cpu, version_id: 22, minimum_version: 22, ret: -1",
    )
    assert ends["qemu-11.0.3"][0].startswith("handle_cpreg_only_in_incoming_stream: system register op0:2 op1:0 crn:1 crm:1 op2:4 in the")
    assert "Operation not permitted" in ends["qemu-11.0.3"][-1]
    assert "Invalid argument" in ends["qemu-11.1.3"][-1]


@pytest.mark.parametrize(
    ("pasted", "versions"),
    [
        ("Could not set register op0:3 op1:0 crn:0 crm:0 op2:0 to c00fac31 (is 413fd0c1)", [((10, 2), (11, 0))]),
        ("Could not set register system register op0:3 op1:0 crn:0 crm:0 op2:0 to 1 (is 2)", [((11, 0), ())]),
        ("Invalid value 258 expecting positive value <= 237", [((2, 6), (11, 0))]),
        ("Failed to load cpu:cpreg_vmstate_array_len", [((2, 6), (10, 2))]),
        ("KVM in this kernel does not support PSCI version 1.3", [((11, 0), ())]),
        ('unsupported machine type: "virt-5.0"', [((9, 1), ())]),
        ("unsupported machine type", [((2, 6), (9, 1))]),
    ],
)
def test_a_line_says_which_versions_print_it(pasted: str, versions: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> None:
    assert [(one.first, one.before) for one in printers(read(pasted)) if not one.package] == versions


def test_other_vmms_and_libvirt_are_known() -> None:
    strict = VmmProfile(family=parse("firecracker-1.13").family, load=Load.STRICT, text=Text.OWN, knows_pin=False)
    told = messages.refused(strict, [(PSCI_VERSION.id, 0x10003, 0x10001, Errno.EINVAL)])
    assert told == ("Failed to set register 0x6030000000140000 to value 0x10003: Invalid argument (os error 22)",)
    assert messages.refused(qemu("crosvm-1"), [(PSCI_VERSION.id, 0x10003, 0x10001, Errno.EINVAL)]) == ()
    wrapped = messages.wrapped(qemu("qemu-10.0.13"), Stage.LENGTH, messages.length(qemu("qemu-10.0.13"), 258, 237))
    assert wrapped[0] == "operation failed: job 'migration in' failed: load of migration failed: Invalid argument"
    for text in wrapped:
        reading = read(text)
        assert {line.wording.role for line in reading.lines} == {Role.WRAP, Role.ONCE}
        assert not reading.unread


@pytest.mark.parametrize(
    ("errno", "stages"), [("Operation not permitted", (Stage.MERGE, Stage.SET)), ("Invalid argument", (Stage.START, Stage.LENGTH))]
)
def test_the_errno_tells_stages_apart(errno: str, stages: tuple[Stage, ...]) -> None:
    assert read(f"qemu-system-aarch64: load of migration failed: {errno}").stages == stages


@pytest.mark.parametrize(
    ("name", "stage", "forms"), [("qemu-7.2.0", Stage.SET, 2), ("qemu-8.2.2", Stage.SET, 1), ("qemu-11.1.3", Stage.START, 1)]
)
def test_a_qemu_that_has_exited_answers_libvirt_in_one_way_only(name: str, stage: Stage, forms: int) -> None:
    lines = messages.refused(qemu(name), [(PSCI_VERSION.id, 0x10003, 0x10001, Errno.EINVAL)])
    if stage is Stage.START:
        lines = messages.pin_refused("1.3")
    told = messages.wrapped(qemu(name), stage, lines)
    assert len(told) == forms
    assert told[-1].startswith("internal error: QEMU unexpectedly closed the monitor")


def test_what_is_not_known_stays_unread_and_has_a_neighbour() -> None:
    reading = read("2026-11-24T10:33:21Z qemu-system-aarch64: Could not write register fw reg zero")
    assert (reading.lines, reading.scripts) == ((), ())
    assert reading.unread == ("Could not write register fw reg zero",)
    assert nearest(reading.unread[0]).template.startswith("Could not set register {register}")


def test_registers_are_known_by_any_name() -> None:
    text = "S2_0_C1_C1_4, PSCI_VERSION, demuxed reg 6020000000110003 and 0x6030000000140003"
    expected = (by_name("OSLSR_EL1"), PSCI_VERSION.id, CCSIDR_IDS[3], BY_NAME["SMCCC_ARCH_WORKAROUND_3"].id)
    assert registers_named(text) == expected


def test_every_line_and_script_has_its_source_and_name() -> None:
    assert all(row.source for row in WORDINGS)
    assert len({row.name for row in WORDINGS}) == len(WORDINGS)
    assert len({row.name for row in SCRIPTS}) == len(SCRIPTS)

"""The table of firmware registers, and the rules of its three kinds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetplan.firmware import registers as fw
from fleetplan.firmware.errno import Errno
from fleetplan.firmware.registers import BY_NAME, REGISTERS, Change, Kind

VALUES = st.one_of(st.integers(0, 0x20), st.sampled_from([0x10000, 0x10001, 0x10003]), st.integers(0, 2**64 - 1))


@pytest.mark.parametrize("row", REGISTERS, ids=lambda row: row.name)
def test_every_row_has_a_source_words_and_valid_bits(row: fw.FirmwareRegister) -> None:
    assert row.source
    assert row.words
    values = row.words if row.kind is not Kind.BITMAP else [1 << bit for bit in row.words]
    assert all(value & ~row.valid == 0 for value in values)
    assert (row.kind is Kind.LEVEL) == bool(row.ladder)


def test_ids_are_those_of_the_kernel() -> None:
    assert [f"{row.id:#x}" for row in REGISTERS] == [f"0x603000000014000{n}" for n in range(4)] + [
        f"0x603000000016000{n}" for n in range(4)
    ]
    assert BY_NAME["SMCCC_ARCH_WORKAROUND_2"].arm32_id == 0x4030000000140002


@given(st.sampled_from(["0.1", "0.2", "1.0", "1.1", "1.2", "1.3"]))
def test_versions_are_text_and_number(text: str) -> None:
    assert fw.psci_text(fw.psci_value(text)) == text
    assert fw.describe(fw.PSCI_VERSION, fw.psci_value(text)) == f"PSCI {text}"


@given(value=VALUES, host=st.integers(0, 2))
def test_a_better_host_accepts_all_that_a_worse_one_does(value: int, host: int) -> None:
    if fw.level_refusal(value, host) is None:
        assert all(fw.level_refusal(value, better) is None for better in range(host, 3))


ACCEPTED_BEFORE_5_10 = {0: {0}, 1: {0, 1}, 2: {0, 1, 2, 0x12}, 3: {0, 1, 2, 0x12, 3}}
ACCEPTED_FROM_5_10 = {0: {0, 1}, 3: {0, 1, 2, 0x12, 3}}


@given(value=VALUES)
def test_workaround_2_accepts_what_the_reference_lists(value: int) -> None:
    for host, accepted in ACCEPTED_BEFORE_5_10.items():
        assert (fw.flag_era_refusal(value, host) is None) == (value in accepted)
    for host, accepted in ACCEPTED_FROM_5_10.items():
        assert (fw.workaround_2_refusal(value, host) is None) == (value in accepted)


@given(value=VALUES, supported=st.integers(0, 3), current=st.integers(0, 3), ran=st.booleans())
def test_an_unsupported_bit_comes_before_a_frozen_bitmap(value: int, supported: int, current: int, ran: bool) -> None:
    refusal = fw.bitmap_refusal(value, supported=supported, current=current, ran=ran)
    if value & ~supported:
        assert refusal is Errno.EINVAL
    else:
        assert refusal is (Errno.EBUSY if ran and value != current else None)


@given(row=st.sampled_from(REGISTERS), one=VALUES, other=VALUES)
def test_a_change_and_its_reverse_are_opposites(row: fw.FirmwareRegister, one: int, other: int) -> None:
    there, back = fw.change(row, one, other), fw.change(row, other, one)
    assert (there is Change.SAME) == (one == other) == (back is Change.SAME)
    if row.kind is Kind.VERSION and one != other:
        assert there is back is Change.DIFFERENT
    if there is Change.GAINED and row.kind is Kind.BITMAP:
        assert back is Change.LOST


def test_only_an_empty_bitmap_gives_nothing() -> None:
    assert [row.name for row in REGISTERS if fw.gives_nothing(row, 0)] == [row.name for row in REGISTERS if row.kind is Kind.BITMAP]
    assert not any(fw.gives_nothing(row, 1) for row in REGISTERS)

"""Kernel releases: how they are named, and what is proven of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetplan.firmware.candidates import MOST_CANDIDATES
from fleetplan.firmware.distributions import BUILDS
from fleetplan.firmware.errno import Errno
from fleetplan.firmware.kernels import KernelNameError, parse, profiles
from fleetplan.firmware.profile import BhbRule, IdRule, KernelProfile, Listed, Workaround2Era
from fleetplan.firmware.timeline import ROWS


def known(text: str) -> KernelProfile:
    profile = profiles(parse(text)).known
    assert profile is not None, text
    return profile


def test_every_row_has_a_source() -> None:
    assert all(row.source and row.what for row in ROWS)
    assert all(build.source for build in BUILDS)
    assert len({row.what for row in ROWS}) == len(ROWS)


PARSED = {
    "6.12.48+deb13-arm64": (6, 12, 48),
    "5.14.0-503.el9.aarch64": (5, 14, 0),
    "6.8.0-51-generic": (6, 8, 0),
    "6.1.172-216.329.amzn2023.aarch64": (6, 1, 172),
    "4.19.0-26-arm64": (4, 19, 0),
    "5.10.0-216.0.0.115.oe2203sp4.aarch64": (5, 10, 0),
    "6.13-rc3": (6, 13, 0),
    "6.10": (6, 10, 0),
    "5.15.149.1-1.cm2": (5, 15, 149),
    "6.6.64.2-7.azl3": (6, 6, 64),
}


@pytest.mark.parametrize("text", PARSED)
def test_real_names_are_parsed(text: str) -> None:
    assert parse(text).numbers == PARSED[text]
    assert profiles(parse(text)).options


@pytest.mark.parametrize("text", ["", "6", "linux-6.12", "v6.12", "6.12.", "six", "6.12 ", "6.12\n", "6..12"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(KernelNameError):
        parse(text)


def test_a_release_candidate_comes_before_its_release() -> None:
    assert parse("6.12.9").order < parse("6.13-rc1").order < parse("6.13-rc2").order < parse("6.13").order < parse("6.13.1").order


PSCI = {
    "4.4.121": (0x2, ()),
    "4.15.3": (0x2, ()),
    "4.15.4": (0x10000, ()),
    "4.16.6": (0x10000, ()),
    "4.16.7": (0x10000, (0x2, 0x10000)),
    "4.17": (0x10000, (0x2, 0x10000)),
    "5.17.15": (0x10000, (0x2, 0x10000)),
    "5.18": (0x10001, (0x2, 0x10000, 0x10001)),
    "6.12.94": (0x10001, (0x2, 0x10000, 0x10001)),
    "6.16.3": (0x10003, (0x2, 0x10000, 0x10001, 0x10002, 0x10003)),
    "7.1.13": (0x10003, (0x2, 0x10000, 0x10001, 0x10002, 0x10003)),
}


@pytest.mark.parametrize("text", PSCI)
def test_the_psci_timeline(text: str) -> None:
    assert (known(text).psci_default, known(text).psci_accepted) == PSCI[text]


COUNTS = {"4.16.6": 0, "4.17": 1, "5.2.21": 1, "5.3": 3, "5.4.185": 3, "5.4.186": 4, "5.16.13": 3, "5.16.14": 4, "5.10.262": 4, "5.18": 4}
COUNTS |= {"5.19": 7, "6.1.176": 7, "6.12.8": 7, "6.15.1": 8, "7.3.4": 8, "4.19.300": 1, "5.15.28": 4}


@pytest.mark.parametrize("text", COUNTS)
def test_how_many_firmware_registers_are_listed(text: str) -> None:
    counts = {len(profile.registers) for profile in profiles(parse(text))}
    assert counts == {COUNTS[text]}


def test_unknown_ids_answer_einval_in_kernels_with_one_register_only() -> None:
    assert [known(text).unknown_id for text in ("4.15.10", "4.17", "5.2", "5.3")] == [
        Errno.ENOENT,
        Errno.EINVAL,
        Errno.EINVAL,
        Errno.ENOENT,
    ]


def test_the_eras_of_workaround_2_and_of_id_registers() -> None:
    assert [known(text).workaround_2 for text in ("5.9.16", "5.10", "6.11.11", "6.12.8")] == [
        Workaround2Era.FLAG,
        Workaround2Era.HOST,
        Workaround2Era.HOST,
        Workaround2Era.VM,
    ]
    assert [known(text).id_rule for text in ("5.9.16", "6.6.10", "6.7")] == [IdRule.EQUAL, IdRule.CSV, IdRule.FIELDS]
    assert [known(text).tcr2_pir for text in ("6.4", "6.5", "6.12.94", "6.16.3")] == [
        Listed.NEVER,
        Listed.ALWAYS,
        Listed.ALWAYS,
        Listed.BY_FEATURE,
    ]


def test_4_x_backports_answer_the_guest_without_a_register() -> None:
    profile = known("4.19.236")
    assert profile.answers_workaround_3
    assert "SMCCC_ARCH_WORKAROUND_3" not in profile.registers
    assert not known("4.19.235").answers_workaround_3


def test_what_is_not_proven_is_a_set_with_what_would_decide() -> None:
    for text in ("4.14.100", "4.9.150", "5.10.0-20-arm64", "5.15.0-100-generic", "6.1.0-acme", "5.10.0-216.0.0.115.oe2203sp4.aarch64"):
        found = profiles(parse(text))
        assert found.known is None, text
        assert found.decided_by, text
        assert all(option.assuming for option in found.options) or text.startswith("4."), text


PROVEN = {
    "4.18.0-80.el8.aarch64": (1, 0x10000),
    "4.18.0-553.16.1.el8_10.aarch64": (4, 0x10000),
    "5.14.0-70.13.1.el9_0.aarch64": (4, 0x10000),
    "5.14.0-162.6.1.el9_1.aarch64": (4, 0x10001),
    "5.14.0-284.11.1.el9_2.aarch64": (7, 0x10001),
    "5.14.0-570.12.1.el9_6.aarch64": (7, 0x10001),
    "6.12.0-55.9.1.el10_0.aarch64": (7, 0x10001),
    "5.4.0-216-generic": (4, 0x10000),
    "6.8.0-51-generic": (7, 0x10001),
}


@pytest.mark.parametrize("text", PROVEN)
def test_builds_that_were_read_are_certain_whatever_their_number(text: str) -> None:
    assert (len(known(text).registers), known(text).psci_default) == PROVEN[text]


def test_9_5_to_9_6_changes_workaround_2_and_nothing_else_of_the_list() -> None:
    before, after = known("5.14.0-503.11.1.el9_5.aarch64"), known("5.14.0-570.12.1.el9_6.aarch64")
    assert (before.workaround_2, after.workaround_2) == (Workaround2Era.HOST, Workaround2Era.VM)
    assert before.registers == after.registers


@given(st.integers(4, 7), st.integers(0, 20), st.integers(0, 300))
def test_a_later_mainline_release_never_lists_fewer_firmware_registers(major: int, minor: int, patch: int) -> None:
    if (major, minor) < (4, 4):
        return
    now, later = profiles(parse(f"{major}.{minor}")), profiles(parse(f"{major}.{minor + 1}"))
    assert max(len(profile.registers) for profile in now) <= max(len(profile.registers) for profile in later)
    point = profiles(parse(f"{major}.{minor}.{patch}"))
    assert 1 <= len(point.options) <= MOST_CANDIDATES
    assert min(len(profile.registers) for profile in point) >= min(len(profile.registers) for profile in now)


def test_a_kernel_newer_than_all_that_is_known_is_an_assumption() -> None:
    found = profiles(parse("9.9.9"))
    assert found.known == known("7.3.4")
    assert all("nothing has changed" in option.assuming for option in found.options)


def test_bhb_rules_move_within_a_long_term_series() -> None:
    assert [known(text).bhb for text in ("5.10.104", "5.10.105", "5.10.239", "6.12.23", "6.12.31")] == [
        BhbRule.NONE,
        BhbRule.OLD,
        BhbRule.NEW,
        BhbRule.OLD,
        BhbRule.NEW,
    ]


@pytest.mark.parametrize(
    ("build", "release"),
    [
        ("6.1.0-56-cloud-arm64", "6.1.192"),
        ("6.1.0-0.deb11.44-cloud-arm64", "6.1.164"),
        ("5.10.0-46-arm64", "5.10.262"),
        ("5.10.0-32-rt-arm64", "5.10.223"),
    ],
)
def test_debians_abi_numbers_tell_the_point_release(build: str, release: str) -> None:
    assert list(profiles(parse(build))) == list(profiles(parse(release)))


def test_an_abi_number_between_two_known_ones_lies_between_them() -> None:
    """5.10.223 to 5.10.251: with 5.10.239 came the newer rule of BHB."""
    between = list(profiles(parse("5.10.0-35-arm64")))
    assert next(iter(profiles(parse("5.10.223")))) in between
    assert next(iter(profiles(parse("5.10.239")))) in between
    assert next(iter(profiles(parse("5.10.262")))) not in between
    assert len(list(profiles(parse("5.10.0-20-arm64")))) > len(between)

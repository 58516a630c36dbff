from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetplan.firmware import cpus


@given(st.integers(0, 255), st.integers(0, 0xFFF), st.integers(0, 15), st.integers(0, 15))
def test_midr_comes_apart_into_what_it_was_made_of(implementer: int, part: int, variant: int, revision: int) -> None:
    midr = implementer << 24 | variant << 20 | 0xF << 16 | part << 4 | revision

    assert cpus.parts(midr) == (implementer, part, variant, revision)


def test_every_row_has_a_source_and_a_model_of_its_own() -> None:
    assert all(cpu.source for cpu in cpus.TABLE)
    assert len({cpu.model for cpu in cpus.TABLE}) == len(cpus.TABLE)
    assert len(cpus.NAMES) == sum(len(cpu.names) for cpu in cpus.TABLE) == len(set(cpus.NAMES))


@pytest.mark.parametrize("name", ["neoverse-n1", "Neoverse-N1", "NEOVERSE_N1", " neoverse n1 "])
def test_case_and_blanks_of_a_name_do_not_count(name: str) -> None:
    cpu = cpus.by_name(name)

    assert cpu is not None
    assert cpu.model == (0x41, 0xD0C)


def test_any_stepping_is_the_same_design() -> None:
    assert cpus.by_midr(0x414FD0C1) is cpus.by_midr(0x413FD0C1) is cpus.by_name("graviton2")


def test_what_the_table_does_not_know_is_none() -> None:
    assert cpus.by_midr(0x000F0510) is None
    assert cpus.by_name("pentium") is None


@pytest.mark.parametrize(
    ("flag", "count"),
    [("v2_safe", 8), ("v4_safe", 6), ("bhb_safe", 9), ("bhb_firmware", 2)],
)
def test_lists_are_as_long_as_the_kernels(flag: str, count: int) -> None:
    assert sum(getattr(cpu, flag) for cpu in cpus.TABLE) == count

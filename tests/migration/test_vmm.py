"""VMMs by name and version: which algorithm loads, which words are printed, which properties and machine types are known."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetplan.migration.stream import merge
from fleetplan.migration.vmm import (
    PROFILES,
    ROWS,
    TOLERANCES,
    Family,
    Load,
    Text,
    VmmNameError,
    VmmProfile,
    knows_machine,
    on_kernel,
    parse,
    profiles,
    stated,
)
from fleetplan.migration.vmm_packages import PACKAGES

UPSTREAM = {
    # version: load, text, pin, oldest machine type
    "2.6": ("A", "S1", False, "2.6"),
    "4.1": ("A", "S1", False, "2.6"),
    "5.2.0": ("A", "S1", False, "2.6"),
    "6.0": ("A", "S1", False, "2.6"),
    "6.2.0": ("A", "S1", False, "2.6"),
    "7.2.18": ("A", "S1", False, "2.6"),
    "8.1.5": ("A", "S1", False, "2.6"),
    "8.2.2": ("A", "S2", False, "2.6"),
    "9.0.4": ("A", "S2", False, "2.6"),
    "9.2.1": ("A", "S2", False, "2.6"),
    "10.0.13": ("A", "S2", False, "2.6"),
    "10.1.0": ("A", "S2", False, "4.2"),
    "10.2.2": ("A", "S3", False, "5.0"),
    "11.0.0": ("B0", "S4", True, "5.1"),
    "11.0.3": ("B0", "S4", True, "5.1"),
    "11.1.0": ("B1", "S4", True, "5.2"),
    "11.1.3": ("B1", "S4", True, "5.2"),
}


def only(name: str) -> VmmProfile:
    (profile,) = profiles(parse(name))
    return profile


def loads(name: str) -> list[str]:
    return [f"{profile.load.value}-{profile.text.value}" for profile in profiles(parse(name))]


@pytest.mark.parametrize("version", UPSTREAM)
def test_every_upstream_version(version: str) -> None:
    profile = only(f"qemu-{version}")
    load, text, pin, oldest = UPSTREAM[version]
    newest = ".".join(version.split(".")[:2])
    assert (profile.load.value, profile.text.value, profile.knows_pin, profile.pmu) == (load, text, pin, True)
    assert profile.machines is not None
    assert [f"{major}.{minor}" for major, minor in profile.machines] == [oldest, newest]
    assert knows_machine(profile, f"virt-{newest}")
    assert knows_machine(profile, "virt-99.0") is False


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("qemu-5.2+dfsg-11+deb11u3", ["A-S1"]),
        ("qemu-7.2+dfsg-7+deb12u18", ["A-S1"]),
        ("qemu-10.0.13+ds-0+deb13u1", ["A-S2"]),
        ("qemu-11.1.3+ds-1~bpo13+1", ["B1-S4"]),
        ("qemu-system-arm 1:11.1.2+ds-3", ["B1-S4"]),
        ("qemu-6.2+dfsg-2ubuntu6.31", ["A-S1"]),
        ("qemu-8.2.2+ds-0ubuntu1.18", ["A-S2"]),
        ("qemu-1:9.2.1+ds-1ubuntu5", ["A-S2"]),
        ("qemu-10.1.0+ds-5ubuntu2", ["A-S2"]),
        ("qemu-10.2.1+ds-1ubuntu3.3", ["A-S3"]),
        ("qemu-11.0.3+ds-2ubuntu2", ["B0-S4"]),
        ("qemu-kvm-6.2.0-53.module+el8.10.0+22375+ea5e8167.2", ["A-S1"]),
        ("qemu-kvm-17:9.1.0-15.el9_6.7", ["A-S2"]),
        ("qemu-kvm-10.0.0-14.el10_1.2", ["A-S2"]),
        ("qemu-kvm-10.1.0-2.el10", ["A-S2"]),
        ("qemu-10.1.0-16.el10", ["A-S3"]),
        ("qemu-10.1.0-16.el10_2.1", ["A-S3"]),
        ("qemu-kvm-core-10.1.0-17.el9_8", ["A-S3"]),
        ("qemu-kvm-10.1.0-20.el9_8", ["B1-S4", "A-S3"]),
        ("qemu-kvm-10.1.0-19.el10", ["B1-S4", "A-S3"]),
        ("qemu-kvm-10.1.0.el10", ["B1-S4", "A-S3"]),
        ("qemu-8.2.0-20.oe2403", ["A-S2"]),
        ("qemu-6.2.0-85.oe2203sp2", ["A-S1"]),
        ("qemu-4.1.0-80.oe2003", ["A-S1"]),
        ("qemu-10.1.0-1.lp160", ["A-S2"]),
        ("qemu-9.2.4-2.fc42", ["A-S2"]),
        ("QEMU 10.0.13", ["A-S2"]),
        ("qemu-11.0.0-rc2", ["B0-S4", "A-S3"]),
        ("qemu-11.0.4-rc1", ["B0-S4"]),
        ("qemu-11.2.0", ["B1-S4", "B1-fixed-S4"]),
        ("qemu-12.0", ["B1-S4", "B1-fixed-S4"]),
        ("cloud-hypervisor-v48.0", ["strict-own"]),
        ("firecracker-1.13.1", ["strict-own"]),
        ("crosvm-1", ["strict-own"]),
    ],
)
def test_names_as_people_and_package_managers_write_them(name: str, expected: list[str]) -> None:
    assert loads(name) == expected
    assert bool(profiles(parse(name)).decided_by) == (len(expected) > 1)


@pytest.mark.parametrize("name", ["qemu", "qemu-", "qemu-kvm", "kvmtool-1.0", "qemu-ten", "10.0.13", "qemu-10.0.13 (Debian)", ""])
def test_what_is_no_vmm_is_refused(name: str) -> None:
    with pytest.raises(VmmNameError):
        parse(name)


def test_a_bare_10_1_on_a_kernel_of_rhel_is_two_things() -> None:
    plain = parse("qemu-10.1.0")
    assert len(list(profiles(on_kernel(plain, "6.12.94")))) == 1
    for kernel in ("6.12.0-124.8.1.el10_1.aarch64", "5.14.0-611.el9.aarch64"):
        assert {profile.load for profile in profiles(on_kernel(plain, kernel))} == {Load.A, Load.B1}
    assert on_kernel(parse("qemu-10.1.0-16.el10"), "6.12.0-124.el10").package == "-16.el10"
    assert on_kernel(parse("qemu-9.1.0"), "6.12.0-124.el10") == parse("qemu-9.1.0")


def test_every_row_has_a_source_and_every_package_is_met() -> None:
    assert all(row.source for row in (*ROWS, *PACKAGES, *TOLERANCES))
    assert [row.first for row in ROWS if row.family is Family.QEMU] == sorted(row.first for row in ROWS if row.family is Family.QEMU)
    assert {row.family for row in ROWS} == set(Family)
    assert all(re.compile(row.pattern) for row in PACKAGES)


def test_a_package_that_its_upstream_number_explains_does_what_it_says() -> None:
    """All but RHEL's 10.1: what was read in packages is what was read upstream."""
    for package in PACKAGES:
        if "RHEL" not in package.product:
            upstream = only(f"qemu-{'.'.join(map(str, package.numbers))}.0")
            assert (package.load, package.text, package.knows_pin) == (upstream.load, upstream.text, upstream.knows_pin), package.product


@pytest.mark.parametrize("name", PROFILES)
def test_a_host_may_state_any_way_to_load(name: str) -> None:
    release = parse("qemu-10.1.0-19.el10")
    profile = stated(release, name)
    assert (profile.load, profile.text) == PROFILES[name][:2]
    assert profile.own_machines == "-19.el10"
    assert (profile.saves_bitmaps, profile.text is Text.OWN) == (name != "crosvm", name in {"strict", "crosvm"})


# --- the algorithms on lists -----------------------------------------------------------------------------------------------------------

lists = st.frozensets(st.integers(0, 12))


@given(brought=lists, listed=lists, tolerated=lists)
def test_loads_differ_in_the_order_of_their_strictness(brought: frozenset[int], listed: frozenset[int], tolerated: frozenset[int]) -> None:
    """B0 refuses what a mended B1 refuses, and that what B1 refuses; without tolerances the first two are one."""
    ends = {load: merge(sorted(brought), sorted(listed), load, tolerated).stage is not None for load in Load}
    assert ends[Load.B0] >= ends[Load.B1_FIXED] >= ends[Load.B1]
    assert ends[Load.B0] == bool(brought - listed)
    assert merge(sorted(brought), sorted(listed), Load.B1_FIXED, ()).stage == merge(sorted(brought), sorted(listed), Load.B0, ()).stage


@given(brought=lists, listed=lists)
def test_load_a_is_the_loop_that_qemu_runs(brought: frozenset[int], listed: frozenset[int]) -> None:
    """`i` over the destination's list, `v` over the stream: the two indices of cpu_post_load."""
    incoming, known = sorted(brought), sorted(listed)
    copied, i, v, failed = [], 0, 0, len(incoming) > len(known)
    while not failed and i < len(known) and v < len(incoming):
        if incoming[v] > known[i]:
            i += 1
        elif incoming[v] < known[i]:
            failed = True
        else:
            copied.append(known[i])
            i, v = i + 1, v + 1
    merged = merge(incoming, known, Load.A, ())
    assert (merged.stage is not None) == failed
    assert list(merged.copied) == copied

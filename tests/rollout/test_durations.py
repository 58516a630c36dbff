"""Forecast times."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fleetplan.fleet.model import Guest, GuestName, Host, HostName, Release
from fleetplan.rollout.copying import migration_s
from fleetplan.rollout.durations import drain_s


def host(bandwidth_mib_s: int) -> Host:
    return Host(name=HostName("h"), release=Release("6.12.1", "qemu-10.0.0"), vcpus=1, memory_mib=1, bandwidth_mib_s=bandwidth_mib_s)


def guest(memory_mib: int, dirty_rate_mib_s: int = 0) -> Guest:
    return Guest(name=GuestName("g"), on=HostName("h"), vcpus=1, memory_mib=memory_mib, dirty_rate_mib_s=dirty_rate_mib_s)


def test_the_slower_end_counts_and_seconds_are_rounded_up() -> None:
    assert migration_s(guest(2001), host(1000), host(5000)) == 3


def test_what_is_dirtied_meanwhile_slows_the_copy_down() -> None:
    assert migration_s(guest(1000, dirty_rate_mib_s=900), host(1000), host(1000)) == 10


def test_a_guest_that_dirties_faster_than_the_link_is_throttled() -> None:
    assert migration_s(guest(1000, dirty_rate_mib_s=5000), host(1000), host(1000)) == 20


@given(st.integers(1, 10**6), st.integers(1, 10**5), st.integers(0, 10**6))
def test_a_drain_bound_is_never_longer_than_the_migrations_it_bounds(memory_mib: int, bandwidth: int, dirty: int) -> None:
    assert drain_s(memory_mib, bandwidth) <= migration_s(guest(memory_mib, dirty), host(bandwidth), host(bandwidth))

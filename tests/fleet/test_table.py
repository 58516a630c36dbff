"""A table of guests is the guests."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fleetplan.fleet.model import Birth, Disks, Equipment, Fleet, GroupName, Guest, GuestName, HostName, Release
from fleetplan.fleet.source import Location
from fleetplan.fleet.table import GuestRows, GuestTable, Names

BIRTHS = st.none() | st.builds(Birth, kernel=st.sampled_from(["6.1", "6.12"]), registers=st.none() | st.just(((1, 2),)))
GUESTS = st.builds(
    Guest,
    name=st.text(max_size=3).map(GuestName),
    on=st.sampled_from(["a", "b", "ü"]).map(HostName),
    vcpus=st.integers(1, 65_536),
    memory_mib=st.integers(1, 1 << 40),
    group=st.none() | st.sampled_from(["w", "x"]).map(GroupName),
    migratable=st.booleans(),
    born=BIRTHS,
    equipment=st.just(Equipment()) | st.just(Equipment(disks=Disks.LOCAL)),
    allow=st.just(()) | st.just(("a*",)),
    dirty_rate_mib_s=st.integers(0, 1 << 40),
    at=st.builds(Location, file=st.sampled_from(["f", "g"]), line=st.integers(0, 1 << 31), column=st.integers(0, 1 << 31)),
)


@given(st.lists(GUESTS))
def test_records_come_back_as_they_were(guests: list[Guest]) -> None:
    table = GuestTable.of(guests)
    assert list(table) == guests
    assert [table[place] for place in range(len(table))] == guests
    assert [table[place] for place in range(-len(table), 0)] == guests
    assert table[1:] == tuple(guests[1:])
    assert table == GuestTable.of(tuple(guests))
    assert GuestTable.of(table) is table


@given(st.lists(st.text(max_size=4)))
def test_names_come_back_as_they_were(given_names: list[str]) -> None:
    names = Names.of(given_names)
    assert list(names) == [names[place] for place in range(len(names))] == given_names
    assert names[::-2] == given_names[::-2]
    assert names[-1:] == given_names[-1:]
    assert names.ascend() is (given_names == sorted(set(given_names)))


@given(st.lists(GUESTS), st.data())
def test_rows_are_sorted_and_left_out(guests: list[Guest], data: st.DataObject) -> None:
    rows = GuestRows()
    for guest in guests:
        rows.add(guest)
    rows.sort()
    ordered = sorted(guests, key=lambda guest: guest.name)
    gone = data.draw(st.sets(st.integers(0, len(guests) - 1))) if guests else set()
    rows.drop(gone)
    kept = [guest for place, guest in enumerate(ordered) if place not in gone]
    assert list(rows.table()) == kept
    numbered = rows.table([HostName(name) for name in ("ü", "b", "a", "more")])
    assert list(numbered) == kept
    assert numbered.host_names == ("ü", "b", "a", "more")


def test_a_fleet_takes_records_and_has_a_table() -> None:
    guest = Guest(name=GuestName("g"), on=HostName("a"), vcpus=1, memory_mib=1)
    fleet = Fleet(target=Release("6.18", "qemu-11.1"), hosts=(), guests=(guest,))  # type: ignore[arg-type] # any sequence will do
    assert isinstance(fleet.guests, GuestTable)
    assert fleet.guests[0] == guest

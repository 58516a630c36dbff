"""What the keys of a filter mean for hosts and guests."""

from __future__ import annotations

from itertools import compress
from pathlib import Path

import pytest

from fleetplan.fleet.filter import parse
from fleetplan.fleet.guest import Birth
from fleetplan.fleet.model import Fleet, GroupName, Guest, GuestName, Host, HostFacts, HostName, HostState, Release
from fleetplan.fleet.selection import KEYS, FleetColumns

ROOT = Path(__file__).resolve().parent.parent.parent
OLD, NEW = Release("6.12.48", "qemu-10.0.13"), Release("6.18.15", "qemu-11.1.3")


def host(name: str, release: Release, **more: object) -> Host:
    return Host(name=HostName(name), release=release, vcpus=8, memory_mib=8192, **more)


def guest(name: str, on: str, **more: object) -> Guest:
    return Guest(name=GuestName(name), on=HostName(on), vcpus=1, memory_mib=512, **more)


FLEET = Fleet(
    target=NEW,
    hosts=(
        host("n1", OLD, zone="a", rack="r1", facts=HostFacts(midr=0x413FD0C1)),
        host("n2", NEW, zone="b", pool="gpu", state=HostState.DOWN, facts=HostFacts(cpu="ampere")),
    ),
    guests=(
        guest("db-1", "n2", migratable=False, restartable=True, machine="virt-10.0"),
        guest("web-1", "n1", group=GroupName("web"), born=Birth(kernel="6.1.140")),
        guest("web-2", "n2", group=GroupName("web")),
    ),
)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("n1", ["n1"]),
        ("web", ["web-1", "web-2"]),
        ("host:n1", ["n1", "web-1"]),
        ("guest:*-1", ["db-1", "web-1"]),
        ("on:n2", ["db-1", "web-2"]),
        ("group:web", ["web-1", "web-2"]),
        ("group:''", ["db-1"]),
        ("zone:a", ["n1", "web-1"]),
        ("rack:r1", ["n1", "web-1"]),
        ("pool:gpu", ["n2", "db-1", "web-2"]),
        ("kernel:6.12.*", ["n1", "web-1"]),
        ("vmm:qemu-11*", ["n2", "db-1", "web-2"]),
        ("cpu:neoverse-n1", ["n1", "web-1"]),
        ("state:down", ["n2", "db-1", "web-2"]),
        ("migrate:never", ["db-1"]),
        ("restart:never", ["web-1", "web-2"]),
        ("born:6.1.*", ["web-1"]),
        ("machine:virt-*", ["db-1"]),
        ("group:web zone:b", ["web-2"]),
        ("nothing", []),
    ],
)
def test_a_key_picks_hosts_and_guests(text: str, names: list[str]) -> None:
    found = FleetColumns(FLEET).select(parse(text, KEYS))
    hosts = compress((host.name for host in FLEET.hosts), found.hosts)
    assert [*hosts, *compress(FLEET.guests.names, found.guests)] == names
    assert bool(found) == bool(names)


def test_every_key_has_a_column() -> None:
    columns = FleetColumns(FLEET)
    assert set(KEYS) == {*columns.hosts, *columns.guests}


def test_the_page_lists_every_key() -> None:
    page = (ROOT / "docs" / "filter.md").read_text()
    assert [line for line in page.splitlines() if line.startswith("| `")] == [f"| `{key}` | {means} |" for key, means in KEYS.items()]

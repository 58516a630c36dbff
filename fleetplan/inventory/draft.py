"""What has been read so far: raw records and findings, before anything is put together."""

from __future__ import annotations

from typing import Any

import msgspec

from fleetplan.findings.finding import Finding, Rule
from fleetplan.fleet.model import Host
from fleetplan.fleet.source import Location
from fleetplan.fleet.table import GuestRows
from fleetplan.inventory.events import Mark


class Raw(msgspec.Struct):
    """The keys of one host, guest or other record as they were given, where it begins, and where its references stand.

    `sound` False: something in it was wrong and has been reported; nothing else about it is.
    """

    values: dict[str, Any]
    at: Location
    refers: tuple[tuple[str, Location], ...] = ()
    sound: bool = True


class Draft(msgspec.Struct):
    """The records of all files. Hosts and guests of people's files and of facts are kept apart, so that overrides can be told.

    `plain_hosts` and `plain_guests` are those of facts that are sound and whole as they stand, and that nothing else touches.
    """

    findings: list[Finding] = []
    hosts: dict[str, Raw] = {}
    guests: dict[str, Raw] = {}
    host_facts: dict[str, Raw] = {}
    guest_facts: dict[str, Raw] = {}
    plain_hosts: list[Host] = []
    plain_guests: GuestRows = msgspec.field(default_factory=GuestRows)
    groups: dict[str, Raw] = {}
    sections: dict[str, Raw] = {}
    """Of the other top-level keys: `target`, `policy`, `defaults`; the value is under the section's own name."""
    waivers: list[Raw] = []
    releases: list[Raw] = []
    seen: set[str] = set()
    """Top-level keys met, whatever came of them."""
    compared: int = 0
    """Names that a name of nothing was compared with, to suggest another."""

    def report(self, rule: Rule, subject: str, at: Location, **facts: str) -> None:
        """Note a finding."""
        self.findings.append(Finding(rule=rule.id, subject=subject, at=at, facts=facts))


def place_of(raw: Raw, key: str) -> Location:
    """Where the value of a key that refers to something stands."""
    return dict(raw.refers).get(key, raw.at)


def location(file: str, mark: Mark) -> Location:
    """A place as people count: from 1."""
    return Location(file, mark.line + 1, mark.column + 1)


def place_from(file: str, at: Location) -> str:
    """A place as seen from a file: its line alone where it is in the same file."""
    return f"line {at.line}" if at.file == file else str(at)

"""What has been read so far: raw records and findings, before anything is put together."""

from __future__ import annotations

from typing import Any

import msgspec

from fleetplan.findings.finding import Finding, Rule
from fleetplan.fleet.source import Location
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
    """The records of all files. Hosts and guests of people's files and of facts are kept apart, so that overrides can be told."""

    findings: list[Finding] = []
    hosts: dict[str, Raw] = {}
    guests: dict[str, Raw] = {}
    host_facts: dict[str, Raw] = {}
    guest_facts: dict[str, Raw] = {}
    groups: dict[str, Raw] = {}
    sections: dict[str, Raw] = {}
    """Of the other top-level keys: `target`, `policy`, `defaults`; the value is under the section's own name."""
    waivers: list[Raw] = []
    releases: list[Raw] = []
    seen: set[str] = set()
    """Top-level keys met, whatever came of them."""

    def report(self, rule: Rule, subject: str, at: Location, **facts: str) -> None:
        """Note a finding."""
        self.findings.append(Finding(rule=rule.id, subject=subject, at=at, facts=facts))


def place_of(raw: Raw, key: str) -> Location:
    """Where the value of a key that refers to something stands."""
    return dict(raw.refers).get(key, raw.at)


def location(file: str, mark: Mark) -> Location:
    """A place as people count: from 1."""
    return Location(file, mark.line + 1, mark.column + 1)

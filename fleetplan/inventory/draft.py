"""What has been read so far: raw records and findings, before anything is put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fleetplan.findings.finding import Finding, Rule
from fleetplan.fleet.source import Location
from fleetplan.inventory.events import Mark


@dataclass(slots=True)
class Raw:
    """The keys of one host, guest or other record as they were given, where it begins, and where its references stand.

    `sound` False: something in it was wrong and has been reported; nothing else about it is.
    """

    values: dict[str, Any]
    at: Location
    refers: Mapping[str, Location]
    sound: bool = True


@dataclass(slots=True)
class Draft:
    """The records of all files. Hosts and guests of people's files and of facts are kept apart, so that overrides can be told."""

    findings: list[Finding] = field(default_factory=list)
    hosts: dict[str, Raw] = field(default_factory=dict)
    guests: dict[str, Raw] = field(default_factory=dict)
    host_facts: dict[str, Raw] = field(default_factory=dict)
    guest_facts: dict[str, Raw] = field(default_factory=dict)
    groups: dict[str, Raw] = field(default_factory=dict)
    sections: dict[str, Raw] = field(default_factory=dict)
    """Of the other top-level keys: `target`, `policy`, `defaults`; the value is under the section's own name."""
    waivers: list[Raw] = field(default_factory=list)
    releases: list[Raw] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    """Top-level keys met, whatever came of them."""

    def report(self, rule: Rule, subject: str, at: Location, **facts: str) -> None:
        """Note a finding."""
        self.findings.append(Finding(rule=rule.id, subject=subject, at=at, facts=facts))


def location(file: str, mark: Mark) -> Location:
    """A place as people count: from 1."""
    return Location(file, mark.line + 1, mark.column + 1)

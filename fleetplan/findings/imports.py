"""What an import came to, for those who tell of it."""

from __future__ import annotations

import msgspec

from fleetplan.findings.finding import Finding


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """A source that was read, and as what."""

    source: str
    kind: str


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """A key of hosts or guests that no source says, and the names of those hosts or guests."""

    noun: str
    key: str
    names: tuple[str, ...]


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """An import: what was read, how much came of it, what was found, and what is not known.

    `written` is the file of facts, None where an error kept it from being written;
    `replaced` are the other files of facts that it replaces.
    """

    sources: tuple[Read, ...]
    hosts: int
    guests: int
    findings: tuple[Finding, ...]
    missing: tuple[Missing, ...]
    written: str | None = None
    replaced: tuple[str, ...] = ()

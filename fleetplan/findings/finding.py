"""One reported problem, and the rule that reports it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from fleetplan.fleet.source import NOWHERE, Location


class Severity(StrEnum):
    """How bad a finding is, worst first in the order of `RANK`."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


RANK: Mapping[Severity, int] = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of finding.

    `message` is a sentence with `{names}` of facts. `help` says why it matters and `fix` what to do; `source` where the fact behind
    the rule stands (a kernel, VMM or design reference), empty for rules about the inventory's form.
    """

    id: str
    severity: Severity
    title: str
    message: str
    help: str
    fix: str
    source: str = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A rule, the thing it is about, where that stands, and the facts that fill the rule's message.

    `excerpt` is the line of the file at `at`, as it was read, or empty where no file line applies.
    """

    rule: str
    subject: str
    at: Location = NOWHERE
    facts: Mapping[str, str] = {}
    excerpt: str = ""

    def sort_key(self) -> tuple[Location, str, str, tuple[tuple[str, str], ...]]:
        """Findings are shown in the order of files and lines, then rules."""
        return (self.at, self.rule, self.subject, tuple(sorted(self.facts.items())))

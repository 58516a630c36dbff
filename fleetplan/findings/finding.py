"""One reported problem, and the rule that reports it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from fleetplan.fleet.guest import GuestName, HostName
from fleetplan.fleet.source import NOWHERE, Location


class Severity(StrEnum):
    """How bad a finding is, worst first in the order of `RANK`."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


RANK: Mapping[Severity, int] = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of finding.

    `message` is a sentence with `{names}` of facts. `help` says why it matters and `fix` what to do. `fact` is what KVM, the kernel or a
    VMM does that is behind the rule, and `source` where that stands (empty for rules about the form of an inventory).

    `example` is part of an inventory that the rule fires on, `mended` the same part when all is well; sections of which they have nothing
    are those of a sound inventory. `same_by` are the facts that tell findings of this rule apart for a baseline, whatever else changes of
    them; without any, the subject does. `firm`: no waiver and no baseline takes a finding away.
    """

    id: str
    severity: Severity
    title: str
    message: str
    help: str
    fix: str
    fact: str = ""
    source: str = ""
    example: str = ""
    mended: str = ""
    same_by: tuple[str, ...] = ()
    firm: bool = False


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A rule, the thing it is about, where that stands, and the facts that fill the rule's message.

    `hosts` and `guests` are all that it is about, where that is hosts or guests: limits, waivers and baselines go by them. `subject` is the
    first of them, or what else it is about. `because` is what it follows from (a judgment, a cause, a violation, a wait), whose sentence is
    `{because}` of the message. `place` orders findings that are steps of one answer. `excerpt` is the line of the file at `at`, as it was
    read, or empty where no file line applies.
    """

    rule: str
    subject: str
    at: Location = NOWHERE
    facts: Mapping[str, str] = {}
    hosts: Sequence[HostName] = ()
    guests: Sequence[GuestName] = ()
    because: Any = None
    place: int = 0
    excerpt: str = ""

    @property
    def names(self) -> Sequence[str]:
        """What limits, waivers and baselines know it by: all its hosts and guests, or its subject."""
        return [*self.hosts, *self.guests] or [self.subject]

    def sort_key(self) -> tuple[int, Location, str, str, tuple[tuple[str, str], ...]]:
        """Steps of one answer in their order; else the order of files and lines, then of rules."""
        return (self.place, self.at, self.rule, self.subject, tuple(sorted(self.facts.items())))


def fingerprint(finding: Finding, rule: Rule) -> str:
    """32 hex digits that stay when lines move and counts change: the rule, and what tells its findings apart."""
    from hashlib import sha256  # noqa: PLC0415 - a check that prints text for people needs none

    told = [finding.facts[name] for name in rule.same_by if name in finding.facts] or [finding.subject]
    return sha256("\0".join((rule.id, *told)).encode(errors="surrogatepass")).hexdigest()[:32]

"""What is reported of all that was found: waivers, the choice of rules, limits and a baseline taken off, in this order.

Nothing is taken off in silence: a report says what was waived and by which waivers, and how many findings the baseline knows. A finding
about several hosts or guests is taken off only where that holds for every one of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fnmatch import translate
from typing import TYPE_CHECKING

import msgspec

from fleetplan.findings.catalogue import RULES, findings, in_order
from fleetplan.findings.finding import RANK, Finding, Severity, fingerprint
from fleetplan.findings.policy import unused_registers
from fleetplan.findings.registry import CHECKS, Evidence
from fleetplan.fleet.model import Fleet
from fleetplan.fleet.policy import Waiver

if TYPE_CHECKING:
    from fleetplan.fleet.selection import Selection


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A finding in a baseline: its fingerprint, and the hosts and guests (or the subject) that it was about."""

    rule: str
    fingerprint: str
    names: tuple[str, ...]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What of the findings is asked for. `rules` are ids; `limit` None: all hosts and guests; `baseline` None: there is none."""

    rules: Collection[str] = frozenset(RULES)
    limit: Selection | None = None
    baseline: tuple[Known, ...] | None = None


class Waived(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that waivers take off, and these."""

    finding: Finding
    waivers: tuple[Waiver, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What is left, worst first, and what was taken off. `known` are in the baseline; `gone` is how many of it no longer occur."""

    findings: tuple[Finding, ...]
    waived: tuple[Waived, ...] = ()
    known: tuple[Finding, ...] = ()
    gone: int = 0

    def reaches(self, limit: Severity) -> bool:
        """Whether anything that is left is as bad as `limit`, or worse."""
        return any(RANK[RULES[finding.rule].severity] <= RANK[limit] for finding in self.findings)


def report(evidence: Evidence, remarks: Iterable[Finding], waivers: Sequence[Waiver], wanted: Wanted) -> Report:
    """Run all rules, and take off what is not to be reported. `waivers` are those that hold; `remarks` are the loader's."""
    found = in_order((*remarks, *findings(evidence)))
    left, waived, unused = _waive(found, waivers, {name for name, check in CHECKS.items() if check.runs(evidence)})
    if evidence.unused is not None:
        loose = msgspec.structs.replace(evidence, unused=(*unused, *unused_registers(evidence, waivers)))
        left = in_order((*left, *CHECKS["FP503"].run(loose)))
    asked = [finding for finding in left if finding.rule in wanted.rules]
    if wanted.limit is not None:
        asked = _limited(asked, evidence.fleet, wanted.limit)
    if wanted.baseline is None:
        return Report(findings=tuple(asked), waived=waived)
    return _new_only(asked, wanted.baseline, waived)


# --- waivers --------------------------------------------------------------------------------------------------------------------------


def _waive(
    found: Iterable[Finding], waivers: Sequence[Waiver], ran: Collection[str]
) -> tuple[tuple[Finding, ...], tuple[Waived, ...], list[Waiver]]:
    """Findings that are left, those that are waived as a whole, and waivers of rules that ran which match nothing."""
    by_rule: dict[str, list[tuple[Waiver, Callable[[str], object]]]] = {}
    for waiver in waivers:
        row = RULES.get(waiver.rule or "")
        if row is not None and not row.firm:
            by_rule.setdefault(row.id, []).append((waiver, one_of(waiver.scope)))
    left: list[Finding] = []
    waived: list[Waived] = []
    used: set[int] = set()
    for finding in found:
        names = finding.names if finding.rule in by_rule else ()
        matched = [(waiver, like) for waiver, like in by_rule.get(finding.rule, ()) if any(map(like, names))]
        used.update(id(waiver) for waiver, _ in matched)
        if matched and all(any(like(name) for _, like in matched) for name in names):
            waived.append(Waived(finding=finding, waivers=tuple(waiver for waiver, _ in matched)))
        else:
            left.append(finding)
    unused = [waiver for rule, own in by_rule.items() if rule in ran for waiver, _ in own if id(waiver) not in used]
    return tuple(left), tuple(waived), unused


def one_of(patterns: Iterable[str]) -> Callable[[str], object]:
    """Whether a name matches any of these patterns (fnmatch, with case)."""
    return re.compile("|".join(map(translate, patterns))).match


# --- limits and baselines -------------------------------------------------------------------------------------------------------------


def _limited(found: Iterable[Finding], fleet: Fleet, limit: Selection) -> list[Finding]:
    """Findings about anything that is picked, and those about no single host or guest."""
    hosts = {host.name for host, picked in zip(fleet.hosts, limit.hosts, strict=True) if picked}
    guests = {name for name, picked in zip(fleet.guests.names, limit.guests, strict=True) if picked}
    return [
        finding
        for finding in found
        if not (finding.hosts or finding.guests) or not hosts.isdisjoint(finding.hosts) or not guests.isdisjoint(finding.guests)
    ]


def known_of(found: Iterable[Finding]) -> tuple[Known, ...]:
    """A baseline that knows these findings; those that no baseline takes off are left out."""
    return tuple(
        Known(rule=finding.rule, fingerprint=fingerprint(finding, RULES[finding.rule]), names=tuple(sorted(finding.names)))
        for finding in found
        if not RULES[finding.rule].firm
    )


def _new_only(found: Iterable[Finding], baseline: Iterable[Known], waived: tuple[Waived, ...]) -> Report:
    """A finding is known if one of its fingerprint is, that was about all that it is about now; each known one counts once."""
    open_ones: dict[str, list[Known]] = {}
    for known in baseline:
        open_ones.setdefault(known.fingerprint, []).append(known)
    new: list[Finding] = []
    old: list[Finding] = []
    for finding in found:
        rule = RULES[finding.rule]
        entry = None if rule.firm else _entry(finding, open_ones.get(fingerprint(finding, rule), []))
        (new if entry is None else old).append(finding)
    return Report(findings=tuple(new), waived=waived, known=tuple(old), gone=sum(map(len, open_ones.values())))


def _entry(finding: Finding, entries: list[Known]) -> Known | None:
    """The entry of a baseline that knows a finding, taken out of it."""
    for number, known in enumerate(entries):
        if set(known.names).issuperset(finding.names):
            return entries.pop(number)
    return None


def by_id(words: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """For each word the ids of rules that it means: an id, or the beginning of some (`FP2`, `FP2xx`); none where it means none."""
    return {word: tuple(rule for rule in RULES if rule.startswith(word.upper().rstrip("X"))) if word else () for word in words}

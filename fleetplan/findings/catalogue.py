"""All rules, and the run over a fleet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fleetplan.findings import capacity, exposure, migration, policy, restraints  # noqa: F401 - importing a family declares its rules
from fleetplan.findings.finding import RANK, Finding, Rule
from fleetplan.findings.inventory_rules import INVENTORY_RULES
from fleetplan.findings.registry import CHECKS, Evidence

RULES: Mapping[str, Rule] = {row.id: row for row in (*INVENTORY_RULES, *(row for row, _ in CHECKS.values()))}
"""Every rule by its id."""

FORM = frozenset(row.id for row in INVENTORY_RULES)
"""Rules about the form of the input: their findings stand in the order of its lines, whatever the rule."""


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """What all rules over a fleet find, in the order of `in_order`. O(hosts + guests)."""
    return in_order(finding for _, check in CHECKS.values() for finding in check(evidence))


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The worst first; then rule by rule, those about the input's form together; then by place."""

    def key(finding: Finding) -> tuple[Any, ...]:
        return (RANK[RULES[finding.rule].severity], "" if finding.rule in FORM else finding.rule, *finding.sort_key())

    return tuple(sorted(findings, key=key))

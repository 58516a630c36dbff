"""All rules, and the run over a fleet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fleetplan.findings import (  # noqa: F401 - importing a family declares its rules
    capacity,
    exposure,
    migration,
    moves,
    plans,
    policy,
    restraints,
)
from fleetplan.findings.finding import RANK, Finding, Rule
from fleetplan.findings.import_rules import IMPORT_RULES
from fleetplan.findings.inventory_rules import INVENTORY_RULES
from fleetplan.findings.registry import CHECKS, Evidence

RULES: Mapping[str, Rule] = {
    row.id: row for row in sorted((*INVENTORY_RULES, *IMPORT_RULES, *(check.rule for check in CHECKS.values())), key=lambda row: row.id)
}
"""Every rule by its id, in the order of ids."""

FORM = frozenset(row.id for row in (*INVENTORY_RULES, *IMPORT_RULES))
"""Rules about the form of the input: their findings stand in the order of its lines, whatever the rule."""


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """What all rules over a fleet find that have what they need, in the order of `in_order`. O(hosts + guests)."""
    return in_order(finding for check in CHECKS.values() if check.runs(evidence) for finding in check.run(evidence))


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The worst first; then rule by rule, those about the input's form together; then by place."""

    def key(finding: Finding) -> tuple[Any, ...]:
        return (RANK[RULES[finding.rule].severity], "" if finding.rule in FORM else finding.rule, *finding.sort_key())

    return tuple(sorted(findings, key=key))

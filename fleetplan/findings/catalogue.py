"""All rules, and the run over a fleet."""

from __future__ import annotations

from collections.abc import Mapping

from fleetplan.findings import capacity, migration, policy  # noqa: F401 - importing a family declares its rules
from fleetplan.findings.finding import Finding, Rule
from fleetplan.findings.inventory_rules import INVENTORY_RULES
from fleetplan.findings.registry import CHECKS, Evidence

RULES: Mapping[str, Rule] = {row.id: row for row in (*INVENTORY_RULES, *(row for row, _ in CHECKS.values()))}
"""Every rule by its id."""


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """What all rules over a fleet find, sorted. O(hosts + guests)."""
    found = (finding for _, check in CHECKS.values() for finding in check(evidence))
    return tuple(sorted(found, key=Finding.sort_key))

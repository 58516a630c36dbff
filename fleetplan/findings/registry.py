"""How rules over a sound fleet are declared and run.

A rule is one function and its text: write a generator of findings, put `@rule(Rule(...))` above it, in the file of its family
(`capacity`, `migration`, `policy`). What the loader reports about an inventory's form stands in `inventory_rules`. A test walks all rules:
each needs an example that it fires on, and the same mended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from functools import cached_property

import msgspec

from fleetplan.findings.finding import Finding, Rule
from fleetplan.fleet.model import Fleet
from fleetplan.migration.classes import ClassTable
from fleetplan.rollout.audit import Band, bands


class Evidence(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What rules look at. `today` is the day as of which waivers count."""

    fleet: Fleet
    classes: ClassTable
    today: date

    @cached_property
    def bands(self) -> tuple[Band, ...]:
        """What guests are exposed to; several rules look."""
        return bands(self.fleet, self.classes)[0]


Check = Callable[[Evidence], Iterator[Finding]]

CHECKS: dict[str, tuple[Rule, Check]] = {}
"""Every rule over a fleet by its id, in the order of declaration."""


def rule(row: Rule) -> Callable[[Check], Check]:
    """Declare a rule. Raises ValueError if the id is taken."""

    def declare(check: Check) -> Check:
        if row.id in CHECKS:
            message = f"rule {row.id} is declared twice"
            raise ValueError(message)
        CHECKS[row.id] = (row, check)
        return check

    return declare

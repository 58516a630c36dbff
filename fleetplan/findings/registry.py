"""How rules over a sound fleet are declared and run.

A rule is one function and its text: write a generator of findings, put `@rule(Rule(...))` above it, in the file of its family (`capacity`,
`migration`, `policy` ...). What the loader reports about an inventory's form stands in `inventory_rules`. A test walks all rules: each has
an example that it fires on, and the same mended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from fleetplan.findings.finding import Finding, Rule
from fleetplan.fleet.model import Fleet
from fleetplan.fleet.policy import Waiver
from fleetplan.migration.classes import ClassTable
from fleetplan.migration.crossings import Crossings, crossings

if TYPE_CHECKING:
    from fleetplan.findings.plans import Standing
    from fleetplan.rollout.audit import Band
    from fleetplan.rollout.plan import Infeasible, Plan


class Evidence(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What rules look at; None: nobody asked for it, and rules that need it do not run.

    `today` is the day as of which waivers count. `outcome` is what planning came to, `standing` how a given plan stands. `unused` are
    waivers that matched nothing that any other rule found.
    """

    fleet: Fleet
    classes: ClassTable
    today: date
    outcome: Plan | Infeasible | None = None
    standing: Standing | None = None
    unused: tuple[Waiver, ...] | None = None

    @cached_property
    def crossings(self) -> Crossings:
        """The moves of a rollout by classes."""
        return crossings(self.fleet, self.classes)

    @cached_property
    def bands(self) -> tuple[Band, ...]:
        """What guests are exposed to; several rules look."""
        from fleetplan.rollout.audit import bands  # noqa: PLC0415 - not every reader of rules runs them

        return bands(self.fleet, self.classes)[0]


class Check(NamedTuple):
    """A rule, what finds it, and the field of the evidence without which it does not run."""

    rule: Rule
    run: Callable[[Evidence], Iterator[Finding]]
    needs: str

    def runs(self, evidence: Evidence) -> bool:
        """Whether the evidence has what the rule needs."""
        return getattr(evidence, self.needs) is not None


CHECKS: dict[str, Check] = {}
"""Every rule over a fleet by its id, in the order of declaration."""

Finder = Callable[[Evidence], Iterator[Finding]]


def rule(row: Rule, *, needs: str = "fleet") -> Callable[[Finder], Finder]:
    """Declare a rule. Raises ValueError if the id is taken."""

    def declare(run: Finder) -> Finder:
        if row.id in CHECKS:
            message = f"rule {row.id} is declared twice"
            raise ValueError(message)
        CHECKS[row.id] = Check(row, run, needs)
        return run

    return declare

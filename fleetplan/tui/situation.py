"""What a screen looks at: an inventory, its plan or why there is none, and all that follows. What changes is another value."""

from __future__ import annotations

from functools import cached_property

import msgspec

from fleetplan.rollout.columns import FleetColumns, StepColumns, fleet_columns, step_columns
from fleetplan.rollout.invariants import Violation
from fleetplan.rollout.plan import Infeasible, Plan
from fleetplan.tui.exposure.census import Course
from fleetplan.tui.moves.landings import Landings, landings, would_be
from fleetplan.tui.moves.table import move_table
from fleetplan.tui.table.model import Table
from fleetplan.tui.waves.journey import Journey
from fleetplan.tui.whatif.change import Change
from fleetplan.workflow import Study


class Situation(msgspec.Struct, frozen=True, kw_only=True, dict=True, eq=False):
    """`name` is what people call the inventory. `plan_name` says which file the plan is from; empty: it was made here.

    `changes` were tried on the inventory, the last of them on the situation `before`.
    What is costly is worked out when it is first asked for: ask in a worker (`prepare`) before a screen does.
    """

    name: str
    study: Study
    outcome: Plan | Infeasible
    violations: tuple[Violation, ...] = ()
    plan_name: str = ""
    changes: tuple[Change, ...] = ()
    before: Situation | None = None

    @property
    def history(self) -> list[Situation]:
        """The situations from the inventory as it is to this one, each with a change more."""
        found = [self]
        while found[-1].before is not None:
            found.append(found[-1].before)
        return found[::-1]

    @property
    def plan(self) -> Plan | None:
        """The plan, if there is one that may be used: one that the judge refutes is shown as refuted, and nothing else of it."""
        return self.outcome if isinstance(self.outcome, Plan) and not self.violations else None

    @cached_property
    def columns(self) -> FleetColumns:
        """The fleet as columns."""
        return fleet_columns(self.study.fleet, self.study.classes)

    @cached_property
    def steps(self) -> StepColumns | None:
        """The steps of the plan as columns."""
        if self.plan is None:
            return None
        return step_columns(self.plan, self.columns.hosts.names, self.columns.guests.names)

    @cached_property
    def landings(self) -> Landings:
        """Every landing of the plan; without one, those that guests would have to make."""
        classes = self.study.classes
        return would_be(self.columns, classes) if self.plan is None else landings(self.columns, classes, self.plan)

    @cached_property
    def moves(self) -> Table:
        """The landings as a table."""
        return move_table(self.columns, self.study.classes, self.landings)

    @cached_property
    def journey(self) -> Journey:
        """The rollout by time."""
        return Journey(self.columns, self.landings, self.plan, self.steps)

    @cached_property
    def course(self) -> Course:
        """Exposure over the rollout."""
        return Course(self.study.fleet, self.columns, self.study.classes, self.plan)

    @cached_property
    def host_numbers(self) -> dict[str, int]:
        """The number of each host by its name."""
        return {name: number for number, name in enumerate(self.columns.hosts.names)}

    def prepare(self) -> Situation:
        """Work out what the first screen asks for."""
        _ = self.columns, self.steps, self.moves.warmed(), self.host_numbers
        return self

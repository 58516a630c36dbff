"""A case before the judge: the plan laid out, what its guests become, and what its `after` orders."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TypeVar, cast

import numpy as np

from fleetplan.fleet.model import Fleet
from fleetplan.judge.layout import BEFORE, NEVER, Layout
from fleetplan.judge.precedence import Precedence
from fleetplan.judge.walk import Walk, walk
from fleetplan.migration.classes import ClassTable
from fleetplan.rollout.calendar import Calendar
from fleetplan.rollout.columns import NONE, Flags, FleetColumns, Places
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import Plan, StepKind

T = TypeVar("T")


class Case(Layout):
    """What the checks look at, and how they say what they found."""

    def __init__(self, fleet: Fleet, classes: ClassTable, plan: Plan, digest: str, columns: FleetColumns | None = None) -> None:
        super().__init__(fleet, classes, plan, digest, columns)
        self._made: dict[object, object] = {}

    def once(self, make: Callable[[Case], T]) -> T:
        """What a function makes of the case, made once."""
        if make not in self._made:
            self._made[make] = make(self)
        return cast(T, self._made[make])

    @cached_property
    def walk(self) -> Walk:
        """What every guest becomes."""
        return walk(self)

    @cached_property
    def calendar(self) -> Calendar:
        """The windows, as the plan meets them."""
        return Calendar.of(self.fleet.policy, self.plan.begins_min)

    @cached_property
    def precedence(self) -> Precedence:
        """What comes before what, whatever steps take."""
        return Precedence(self)

    @cached_property
    def later(self) -> Flags:
        """Hosts that the plan says it leaves to later waves of the rollout that it is a part of."""
        found, named = np.zeros(len(self.hosts.names), np.bool_), set(self.plan.later)
        if named:
            found[:] = [name in named for name in self.hosts.names]
        return found

    @cached_property
    def leaves(self) -> Places:
        """By step that takes a guest off a host before that is upgraded (it migrates, stops, is given a pin): the host. Else NONE."""
        found = np.full(len(self.steps), NONE, np.int32)
        upgraded = self.start_of(StepKind.UPGRADE, BEFORE)
        for kind, hosts in ((StepKind.MIGRATE, self.steps.source), (StepKind.STOP, self.steps.host), (StepKind.PIN, self.steps.host)):
            steps = self.by_kind[kind]
            early = steps[self.steps.end_s[steps] <= upgraded[hosts[steps]]]
            found[early] = hosts[early]
        return found

    @cached_property
    def lands(self) -> Places:
        """By migration to a host that has been uncordoned by then in this plan: the host. Else NONE."""
        found = np.full(len(self.steps), NONE, np.int32)
        moves = self.migrations
        there = self.steps.destination[moves]
        late = self.steps.start_s[moves] >= self.end_of(StepKind.UNCORDON, NEVER)[there]
        found[moves[late]] = there[late]
        return found

    @cached_property
    def segment(self) -> Places:
        """By step, how many waves with a gate come before its own."""
        gated = np.zeros(len(self.plan.waves) + 1, np.int32)
        gated[self.wave[self.by_kind[StepKind.GATE]]] = 1
        before = np.cumsum(gated) - gated
        return before[self.wave].astype(np.int32)

    def guest_subject(self, step: int) -> str:
        """The guest of a step, as a subject."""
        return f"guest {self.guests.names[self.steps.guest[step]]}"

    def broken(self, invariant: InvariantId, subject: str, *steps: int, **facts: object) -> Violation:
        """A violation; its time is that of the first step."""
        when = max(int(self.steps.start_s[steps[0]]), 0) if steps else 0
        words = tuple((name, str(value)) for name, value in sorted(facts.items()))
        return Violation(invariant=invariant, subject=subject, at_s=when, steps=tuple(self.steps.id(step) for step in steps), facts=words)

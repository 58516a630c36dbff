"""The part that the models of single-move plans share: who lands where.

Every guest that must move does so once, onto a host that was upgraded before. Then upgraded hosts only receive, so capacity and
anti-affinity by host are a matter of the last state alone (planning study, section 1).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleetplan.planner.exact.case import Case
from fleetplan.planner.exact.solver import total

if TYPE_CHECKING:
    from ortools.sat.python.cp_model import CpModel, CpSolver, IntVar

Goals = dict[int, int]
"""Guest to the host where it lands."""


@dataclass(frozen=True, slots=True)
class Succession:
    """A member comes to a rack or zone (if `comes`) that others on `source` leave: `source` goes first, or at the same time."""

    comes: tuple[IntVar, ...]
    source: int
    comer: int


@dataclass(slots=True)
class Landings:
    """Variables: of each lot and goal how many guests go there, and which host sends any to which pending one."""

    model: CpModel
    case: Case
    count: dict[tuple[int, int], IntVar] = field(default_factory=dict)
    sends: dict[tuple[int, int], IntVar] = field(default_factory=dict)
    successions: list[Succession] = field(default_factory=list)

    @classmethod
    def of(cls, model: CpModel, case: Case) -> Landings:
        """All variables and rules that do not speak of order or time."""
        landings = cls(model, case)
        landings._place()
        landings._link()
        landings._fit()
        landings._keep_apart()
        return landings

    def _place(self) -> None:
        for number, lot in enumerate(self.case.lots):
            for goal in lot.goals:
                name, most = f"n{number}_{goal}", len(lot.guests)
                self.count[number, goal] = self.model.new_bool_var(name) if most == 1 else self.model.new_int_var(0, most, name)
            if lot.goals:
                self.model.add(total(self.count[number, goal] for goal in lot.goals) == len(lot.guests))
            else:
                self.model.add_bool_or([])

    def _link(self) -> None:
        pending = set(self.case.pending)
        for (number, goal), count in self.count.items():
            if goal in pending:
                pair = (self.case.lots[number].source, goal)
                if pair not in self.sends:
                    self.sends[pair] = self.model.new_bool_var(f"d{pair[0]}_{pair[1]}")
                self.model.add(count <= len(self.case.lots[number].guests) * self.sends[pair])

    def arrivals(self, goal: int) -> Iterator[tuple[int, IntVar]]:
        """Lots that may land on a host, and how many of them do."""
        return ((number, self.count[number, goal]) for number, lot in enumerate(self.case.lots) if goal in lot.goals)

    def _fit(self) -> None:
        for goal in (*self.case.pending, *self.case.opened):
            arriving = list(self.arrivals(goal))
            for resource in (0, 1) if arriving else ():
                taken = total(self.case.lots[number].size[resource] * count for number, count in arriving)
                self.model.add(taken <= self.case.room[goal][resource])

    # --- groups -------------------------------------------------------------------------------------------------------------------

    def _keep_apart(self) -> None:
        members: dict[str, list[int]] = defaultdict(list)
        for number, lot in enumerate(self.case.lots):
            if lot.group is not None:
                members[lot.group].append(number)
        for group, lots in members.items():
            for place in dict.fromkeys(self.case.places[group]):
                self._keep_place(group, place, lots)

    def _keep_place(self, group: str, place: str, lots: list[int]) -> None:
        """One member comes to a place at most, none where one stays, and others that are there must leave before."""
        case, places = self.case, self.case.places[group]
        comers = {number: self._into(number, group, place) for number in lots if places[case.lots[number].source] != place}
        coming = [count for counts in comers.values() for count in counts]
        if not coming:
            return
        stands = any(count and places[host] == place for (name, host), count in case.standing.items() if name == group)
        self.model.add(total(coming) <= (0 if stands else 1))
        hosts = {host for host in range(len(places)) if places[host] == place}
        for number in lots:
            source = case.lots[number].source
            if source in hosts and len(hosts) > 1:
                self.model.add(total((*coming, *self._into(number, group, place))) <= 1)
                self.successions += [Succession(counts, source, case.lots[comer].source) for comer, counts in comers.items() if counts]

    def _into(self, number: int, group: str, place: str) -> tuple[IntVar, ...]:
        goals = self.case.lots[number].goals
        return tuple(self.count[number, goal] for goal in goals if self.case.places[group][goal] == place)

    # --- in and out ---------------------------------------------------------------------------------------------------------------

    def hint(self, goals: Mapping[int, int]) -> None:
        """A landing of each guest to begin with."""
        for (number, goal), count in self.count.items():
            self.model.add_hint(count, sum(goals.get(guest) == goal for guest in self.case.lots[number].guests))

    def fix(self, goals: Mapping[int, int]) -> None:
        """Leave nothing of it open."""
        for (number, goal), count in self.count.items():
            self.model.add(count == sum(goals.get(guest) == goal for guest in self.case.lots[number].guests))

    def goals(self, solver: CpSolver) -> Goals:
        """Where each guest lands in the solution; guests of a lot in their order."""
        found: Goals = {}
        for number, lot in enumerate(self.case.lots):
            waiting = iter(lot.guests)
            for goal in lot.goals:
                for _, guest in zip(range(solver.value(self.count[number, goal])), waiting, strict=False):
                    found[guest] = goal
        return found

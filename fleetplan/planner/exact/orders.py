"""The fewest moves of any plan of one pool, or that there is none, over all orders of its hosts.

Guests may move as often as they like. Of a plan, take its hosts in the order of their upgrades, and let every guest stay where it is until
its host is upgraded; then move it to where the plan has it at that time. That is a plan, too: hosts that wait hold no more than they
did, upgraded ones only receive, and no guest moves more often. So it is enough to look at plans that empty one host after the other. Gates,
which this leaves out, can only make more plans impossible.

The argument needs what `provable` asks: a move in two steps is worth no more than one. And it does not hold for members that are kept
apart over racks or zones, since who waits is still in a place that another one enters. So for a bound that rule is left out, but that
nobody comes to where a member stays for good; for a plan (`strict`) it is kept.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

from fleetplan.planner.exact.case import Case, Limit
from fleetplan.planner.exact.solver import Allowance, Answer, total

if TYPE_CHECKING:
    from ortools.sat.python.cp_model import CpModel, CpSolver, IntVar, LinearExpr

MOST_HOSTS = 8
"""Pools with more hosts to upgrade are not looked at: the model has (steps x guests x hosts) variables."""


@dataclass(frozen=True, slots=True)
class Step:
    """A host is emptied: its guests, and where they go."""

    host: int
    goals: dict[int, int]


@dataclass(frozen=True, slots=True)
class Fewest:
    """What was found for a pool: steps, if any; and no plan has fewer moves than `bound` (None: there is no plan)."""

    answer: Answer
    steps: tuple[Step, ...]
    bound: int | None


def provable(case: Case, pool: str) -> bool:
    """Whether the answer holds for every plan of a pool."""
    hosts = [host for host in case.pending if case.pool[host] == pool]
    return len(hosts) <= MOST_HOSTS and case.alike[pool]


@dataclass(slots=True)
class _Model:
    model: CpModel
    case: Case
    hosts: list[int]
    opened: list[int]
    lot: dict[int, int]
    """Guests that must move, with their lot."""
    strict: bool
    at: dict[tuple[int, int, int], IntVar] = field(default_factory=dict)
    """Guest, step, host: the guest is there when the step is over."""
    turn: dict[tuple[int, int], IntVar] = field(default_factory=dict)
    """Host, step: the host is emptied and upgraded."""

    @property
    def steps(self) -> range:
        return range(1, len(self.hosts) + 1)

    def done(self, host: int, step: int) -> LinearExpr:
        """1 if a host is upgraded when a step is over."""
        return total((1,)) if host in self.opened else total(self.turn[host, earlier] for earlier in range(1, step + 1))

    def build(self) -> None:
        model = self.model
        for step in self.steps:
            for host in self.hosts:
                self.turn[host, step] = model.new_bool_var(f"turn{host}_{step}")
            model.add_exactly_one(self.turn[host, step] for host in self.hosts)
        for host in self.hosts:
            model.add_exactly_one(self.turn[host, step] for step in self.steps)
        for guest in self.lot:
            self._follow(guest)
        for host in (*self.hosts, *self.opened):
            for step in self.steps:
                self._land(host, step)
        for limit in self.case.limits:
            self._limit(limit)
        members: dict[str, list[int]] = defaultdict(list)
        for guest, lot in self.lot.items():
            group = self.case.lots[lot].group
            if group is not None:
                members[group].append(guest)
        for group, guests in members.items():
            for place in dict.fromkeys(self.case.places[group]):
                self._keep_apart(group, place, guests)

    def _limit(self, limit: Limit) -> None:
        """While a host is away that has no slot from the start, those that have are away too, or upgraded."""
        for host in set(limit.hosts).intersection(self.hosts).difference(limit.held):
            for step in self.steps:
                away = total(1 - self.done(held, step - 1) for held in limit.held if held in self.hosts)
                self.model.add(away + 1 <= limit.most).only_enforce_if(self.turn[host, step])

    def _follow(self, guest: int) -> None:
        """It is somewhere, stays unless its host has its turn, and leaves then."""
        model, case = self.model, self.case
        source = case.lots[self.lot[guest]].source
        where = (*self.hosts, *self.opened)
        for host in where:
            self.at[guest, 0, host] = model.new_constant(host == source)
        for step in self.steps:
            for host in where:
                self.at[guest, step, host] = model.new_bool_var(f"at{guest}_{step}_{host}")
            model.add_exactly_one(self.at[guest, step, host] for host in where)
            for host in self.hosts:
                model.add_implication(self.turn[host, step], ~self.at[guest, step, host])
                model.add_bool_or(~self.at[guest, step - 1, host], self.turn[host, step], self.at[guest, step, host])
            for host in self.opened:
                model.add_implication(self.at[guest, step - 1, host], self.at[guest, step, host])
            self._choose(guest, step)

    def _choose(self, guest: int, step: int) -> None:
        """It lands on upgraded hosts that take it, and on old ones on which it can wait."""
        lot = self.case.lots[self.lot[guest]]
        for host in (*self.hosts, *self.opened):
            takes, waits = host in lot.goals or (host == lot.source and lot.returns), host in lot.halts
            if not (takes and (waits or host in self.opened)):
                done = self.done(host, step - 1)
                may = done if takes else 1 - done if waits else total(())
                self.model.add(self.at[guest, step, host] <= self.at[guest, step - 1, host] + may)

    def _land(self, host: int, step: int) -> None:
        """Where somebody lands, all fit."""
        model, case = self.model, self.case
        lands = model.new_bool_var(f"lands{host}_{step}")
        for guest in self.lot:
            model.add_bool_or(~self.at[guest, step, host], self.at[guest, step - 1, host], lands)
        for resource in (0, 1):
            load = total(case.lots[lot].size[resource] * self.at[guest, step, host] for guest, lot in self.lot.items())
            model.add(load <= case.room[host][resource]).only_enforce_if(lands)

    def _keep_apart(self, group: str, place: str, guests: list[int]) -> None:
        """Nobody comes to a place where another member is, or was a step before."""
        case, model = self.case, self.model
        inside = [host for host, there in enumerate(case.places[group]) if there == place]
        stands = any((group, host) in case.standing for host in inside)
        if not (stands or self.strict or len(inside) == 1):
            return
        where = [host for host in (*self.hosts, *self.opened) if host in inside]
        there = {(guest, step): total(self.at[guest, step, host] for host in where) for guest in guests for step in (0, *self.steps)}
        for guest, step in product(guests, self.steps):
            comes = model.new_bool_var("")
            model.add(comes >= there[guest, step] - there[guest, step - 1])
            if stands:
                model.add(comes == 0)
                continue
            for other in guests:
                if other != guest:
                    model.add(comes + there[other, step] <= 1)
                    model.add(comes + there[other, step - 1] <= 1)

    def moves(self) -> LinearExpr:
        """How often guests leave a host."""
        left = []
        for guest in self.lot:
            mine = []
            for step in self.steps:
                for host in self.hosts:
                    leaves = self.model.new_bool_var("")
                    self.model.add_bool_or(~self.turn[host, step], ~self.at[guest, step - 1, host], leaves)
                    mine.append(leaves)
            self.model.add(total(mine) >= 1)
            left += mine
        return total(left)

    def solution(self, solver: CpSolver) -> tuple[Step, ...]:
        """The steps in their order."""
        found = []
        for step in self.steps:
            host = next(host for host in self.hosts if solver.value(self.turn[host, step]))
            guests = [guest for guest in self.lot if solver.value(self.at[guest, step - 1, host])]
            goals = {
                guest: next(there for there in (*self.hosts, *self.opened) if solver.value(self.at[guest, step, there])) for guest in guests
            }
            found.append(Step(host, goals))
        return tuple(found)


def fewest_moves(case: Case, pool: str, allowance: Allowance, *, share: float = 1.0, strict: bool = True, least: int = 0) -> Fewest:
    """Look for the plan of a pool with the fewest moves; `least` is a bound that is known."""
    from ortools.sat.python.cp_model import CpModel  # noqa: PLC0415 - an extra, and slow to load

    hosts = [host for host in case.pending if case.pool[host] == pool]
    opened = [host for host in case.opened if case.pool[host] == pool]
    lot = {guest: number for number, lot in enumerate(case.lots) if case.pool[lot.source] == pool for guest in lot.guests}
    model = _Model(CpModel(), case, hosts, opened, lot, strict)
    model.build()
    moves = model.moves()
    model.model.add(moves >= least)
    model.model.minimize(moves)
    answer, solver = allowance.solve(model.model, share)
    if answer in {Answer.NONE, Answer.OPEN}:
        return Fewest(answer, (), None if answer is Answer.NONE else least)
    return Fewest(answer, model.solution(solver), round(solver.best_objective_bound))

"""The fewest waves of a plan in which every guest moves once.

Order is encoded by `by[h, t]`: host h is upgraded in wave t or before. A guest lands on a host of an earlier wave, so

    sends[s, h'] and by[s, t + 1]  =>  by[h', t]

and what is drained by wave t + 1 fits into the room of what was upgraded by wave t, in each pool and resource (a cut: it follows from the
rest, but the solver would not see it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleetplan.planner.exact.case import Case, Limit
from fleetplan.planner.exact.landings import Goals, Landings
from fleetplan.planner.exact.solver import Allowance, Answer, total

if TYPE_CHECKING:
    from ortools.sat.python.cp_model import CpModel, CpSolver, IntVar, LinearExpr

Waves = tuple[tuple[int, ...], ...]
"""Hosts by wave."""


@dataclass(frozen=True, slots=True)
class Course:
    """Which hosts go in which wave, and where guests land."""

    waves: Waves
    goals: Goals


@dataclass(frozen=True, slots=True)
class Fewest:
    """What was found: a course, if any; no plan with one move a guest has fewer waves than `bound` (None: there is no such plan)."""

    answer: Answer
    course: Course | None
    bound: int | None


@dataclass(slots=True)
class Order:
    """Variables that say in which wave each host goes, and the rules of waves."""

    model: CpModel
    case: Case
    most: int
    by: dict[tuple[int, int], IntVar] = field(default_factory=dict)
    used: list[IntVar] = field(default_factory=list)
    """Wave t + 1 has hosts."""

    @classmethod
    def of(cls, landings: Landings, most: int, *, strict: bool) -> Order:
        """All rules of at most `most` waves. `strict`: who comes to a place that is left comes in a later wave, not in the same one."""
        order = cls(landings.model, landings.case, most)
        order._number()
        for limit in order.case.limits:
            order._limit(limit)
        order._canary()
        order._precede(landings, strict=strict)
        order._fluid()
        return order

    def done(self, host: int, wave: int) -> LinearExpr:
        """1 if a host is upgraded by the end of a wave: constant for hosts that are on the target, and before the first wave."""
        if wave < 1:
            return total(())
        return total((1,)) if wave >= self.most else self.by[host, wave]

    def goes(self, host: int, wave: int) -> LinearExpr:
        """1 if a host goes in a wave."""
        return self.done(host, wave) - self.done(host, wave - 1)

    def _number(self) -> None:
        model = self.model
        for host in self.case.pending:
            for wave in range(1, self.most):
                self.by[host, wave] = model.new_bool_var(f"by{host}_{wave}")
                if wave > 1:
                    model.add_implication(self.by[host, wave - 1], self.by[host, wave])
        for wave in range(1, self.most + 1):
            used = model.new_bool_var(f"used{wave}")
            if self.used:
                model.add_implication(used, self.used[-1])
            self.used.append(used)
            going = [self.goes(host, wave) for host in self.case.pending]
            model.add(total(going) >= used)
            model.add(total(going) <= len(going) * used)

    def _limit(self, limit: Limit) -> None:
        """Hosts of a wave can be away together; held ones are away until they are upgraded."""
        others = [host for host in limit.hosts if host not in limit.held]
        for wave in range(1, self.most + 1) if others else ():
            going = total(self.goes(host, wave) for host in others)
            away = going + total(1 - self.done(host, wave - 1) for host in limit.held)
            if not limit.held:
                self.model.add(away <= limit.most)
                continue
            some = self.model.new_bool_var("")
            self.model.add(going <= len(others) * some)
            self.model.add(away <= limit.most).only_enforce_if(some)

    def _canary(self) -> None:
        for rule in self.case.gates:
            if rule.hosts:
                for wave in range(1, min(self.most, rule.after or self.most) + 1):
                    self.model.add(total(self.goes(host, wave) for host in self.case.pending) <= rule.hosts)

    def _precede(self, landings: Landings, *, strict: bool) -> None:
        for (source, goal), sends in landings.sends.items():
            for wave in range(1, self.most + 1):
                self.model.add(self.done(source, wave) <= self.done(goal, wave - 1)).only_enforce_if(sends)
        for late in landings.successions:
            for comes in late.comes:
                for wave in range(1, self.most + 1):
                    first = self.done(late.source, wave - 1 if strict else wave)
                    self.model.add(self.done(late.comer, wave) <= first).only_enforce_if(comes)

    def _fluid(self) -> None:
        case = self.case
        for pool in dict.fromkeys(case.pool[host] for host in case.pending):
            hosts = [host for host in case.pending if case.pool[host] == pool]
            opened = [host for host in case.opened if case.pool[host] == pool]
            for resource in (0, 1):
                load = dict.fromkeys(hosts, 0)
                for lot in case.lots:
                    if lot.source in load:
                        load[lot.source] += lot.size[resource] * len(lot.guests)
                free = sum(case.room[host][resource] for host in opened)
                for wave in range(1, self.most + 1):
                    drained = total(load[host] * self.done(host, wave) for host in hosts)
                    self.model.add(drained <= free + total(case.room[host][resource] * self.done(host, wave - 1) for host in hosts))

    def hint(self, waves: Waves) -> None:
        """An order to begin with."""
        for number, hosts in enumerate(waves, 1):
            for host in hosts:
                for wave in range(1, self.most):
                    self.model.add_hint(self.by[host, wave], wave >= number)

    def waves(self, solver: CpSolver) -> Waves:
        """The waves of the solution."""
        found: list[tuple[int, ...]] = []
        before: set[int] = set()
        for wave in range(1, self.most + 1):
            now = {host for host in self.case.pending if wave == self.most or solver.value(self.by[host, wave])}
            found.append(tuple(sorted(now - before)))
            before = now
        return tuple(hosts for hosts in found if hosts)


def fewest_waves(
    case: Case,
    allowance: Allowance,
    *,
    share: float = 1.0,
    most: int,
    strict: bool = True,
    least: int = 0,
    fixed: Mapping[int, int] | None = None,
    hint: Course | None = None,
) -> Fewest:
    """Look for a plan with at most `most` waves, and for the fewest. `least`: a bound that is known. `fixed`: where guests land."""
    from ortools.sat.python.cp_model import CpModel  # noqa: PLC0415 - an extra, and slow to load

    model = CpModel()
    landings = Landings.of(model, case)
    order = Order.of(landings, most, strict=strict)
    if fixed is not None:
        landings.fix(fixed)
    if hint is not None:
        landings.hint(hint.goals)
        order.hint(hint.waves)
    model.add(total(order.used) >= least)
    model.minimize(total(order.used))
    answer, solver = allowance.solve(model, share)
    match answer:
        case Answer.NONE:
            return Fewest(answer, None, None)
        case Answer.OPEN:
            return Fewest(answer, None, max(least, 0))
        case Answer.BEST | Answer.FOUND:
            bound = round(solver.best_objective_bound)
            return Fewest(answer, Course(order.waves(solver), landings.goals(solver)), bound)

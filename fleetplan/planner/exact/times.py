"""The shortest plan in which every guest moves once, by the times of hosts: a bound, and landings that come near it.

Hosts are intervals from cordon to uncordon, which share the slots of max-unavailable. Streams are not laid out one by one. Rules that
follow from them stand for them, so no plan is shorter than the solution, and a plan with these landings may be longer:

    a host is away for what its streams need to send all its guests, and for its reboot and check
    what goes from s to h' is sent after h' is back, and before s reboots
    what comes to h' is received after h' is back, by its streams, and before the last sender reboots
    a gate waits for all hosts before it, and all hosts after it wait for the gate
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleetplan.planner.exact.case import Case, Limit
from fleetplan.planner.exact.landings import Goals, Landings
from fleetplan.planner.exact.solver import Allowance, Answer, total
from fleetplan.planner.exact.waves import Course, Order, Waves

if TYPE_CHECKING:
    from ortools.sat.python.cp_model import CpModel, IntervalVar, IntVar, LinearExpr


@dataclass(frozen=True, slots=True)
class Shortest:
    """What was found: landings, with the waves if gates made them part of the question; and the bound in seconds (None: no plan)."""

    answer: Answer
    goals: Goals
    waves: Waves | None
    bound_s: int | None


@dataclass(slots=True)
class _Times:
    model: CpModel
    case: Case
    landings: Landings
    horizon: int
    end: dict[int, IntVar] = field(default_factory=dict)
    begin: dict[int, IntVar] = field(default_factory=dict)
    """When a host begins to send; that is its cordon, but for hosts that are held."""
    away: dict[int, IntervalVar] = field(default_factory=dict)

    @property
    def makespan(self) -> IntVar:
        """The end of the plan."""
        return self.end[-1]

    def lay_out(self) -> None:
        self.end[-1] = self.model.new_int_var(0, self.horizon, "makespan")
        for host in self.case.pending:
            self._host(host)
        for limit in self.case.limits:
            self._limit(limit)
        for goal in (*self.case.pending, *self.case.opened):
            self._receive(goal)

    def _sent(self, source: int, goal: int | None = None) -> LinearExpr:
        """Seconds of copies from a host: all, or those to one goal."""
        case = self.case
        return total(
            copy_s * self.landings.count[number, there]
            for number, lot in enumerate(case.lots)
            if lot.source == source
            for there, copy_s in zip(lot.goals, lot.copies_s, strict=True)
            if goal in {None, there}
        )

    def _host(self, host: int) -> None:
        model, case, streams = self.model, self.case, self.case.streams
        begin = self.begin[host] = model.new_int_var(0, self.horizon, f"begin{host}")
        end = self.end[host] = model.new_int_var(0, self.horizon, f"end{host}")
        model.add(streams * (end - begin - case.back_s[host]) >= self._sent(host))
        model.add(end - begin >= case.back_s[host] + case.stops_s[host])
        model.add(self.makespan >= end + case.starts_s[host])
        start = 0 if case.is_held(host) else begin
        size = model.new_int_var(0, self.horizon, f"away{host}")
        self.away[host] = model.new_interval_var(start, size, end, f"away{host}")

    def _limit(self, limit: Limit) -> None:
        most = max(limit.most, len(limit.held))
        self.model.add_cumulative([self.away[host] for host in limit.hosts], [1] * len(limit.hosts), most)

    def _receive(self, goal: int) -> None:
        """What comes to a host: all of it before the end, and what one host sends before that reboots."""
        case, streams, model = self.case, self.case.streams, self.model
        arriving = dict(self.landings.arrivals(goal))
        if not arriving:
            return
        back = self.end.get(goal, total(()))
        sources = sorted({case.lots[number].source for number in arriving})
        some = model.new_bool_var(f"receives{goal}")
        model.add(total(arriving.values()) <= case.movers * some)
        least = min(case.back_s[source] for source in sources)
        received = total(self._sent(source, goal) for source in sources)
        model.add(streams * (self.makespan - back - least) >= received).only_enforce_if(some)
        for source in sources if goal in self.end else ():
            ends = self.end[source] - case.back_s[source]
            model.add(streams * (ends - back) >= self._sent(source, goal)).only_enforce_if(self.landings.sends[source, goal])

    def gate(self, order: Order) -> None:
        """Gates between the waves."""
        for wave in range(1, order.most):
            rules = [rule for rule in self.case.gates if rule.after in {None, wave}]
            if rules:
                self._gate(order, wave, max(rule.soak_s for rule in rules))

    def _gate(self, order: Order, wave: int, soak_s: int) -> None:
        opens = self.model.new_int_var(0, self.horizon, f"gate{wave}")
        for host in self.case.pending:
            before, after = order.by[host, wave], order.used[wave]
            self.model.add(opens >= self.end[host] + self.case.starts_s[host] + soak_s).only_enforce_if(before, after)
            self.model.add(self.begin[host] >= opens).only_enforce_if(~before)


def shortest(case: Case, allowance: Allowance, *, share: float = 1.0, horizon: int, least: int = 0, hint: Course | None = None) -> Shortest:
    """Look for landings with which a plan may be at most `horizon` seconds long. `least`: a bound that is known."""
    from ortools.sat.python.cp_model import CpModel  # noqa: PLC0415 - an extra, and slow to load

    model = CpModel()
    landings = Landings.of(model, case)
    times = _Times(model, case, landings, horizon)
    times.lay_out()
    order = None
    if case.gates:
        order = Order.of(landings, _most_waves(case, horizon), strict=False)
        times.gate(order)
    if hint is not None:
        landings.hint(hint.goals)
        if order is not None:
            order.hint(hint.waves)
    model.add(times.makespan >= least)
    model.minimize(times.makespan)
    answer, solver = allowance.solve(model, share)
    if answer in {Answer.NONE, Answer.OPEN}:
        return Shortest(answer, {}, None, None if answer is Answer.NONE else least)
    bound = max(round(solver.best_objective_bound), least)
    return Shortest(answer, landings.goals(solver), order.waves(solver) if order is not None else None, bound)


def _most_waves(case: Case, horizon: int) -> int:
    """No plan within the horizon has more waves: each has a host, and with a gate after every wave they follow one after the other."""
    most = len(case.pending)
    if any(rule.after is None for rule in case.gates):
        least = min(case.back_s[host] for host in case.pending) + max(rule.soak_s for rule in case.gates if rule.after is None)
        most = min(most, horizon // max(least, 1) + 1)
    return most

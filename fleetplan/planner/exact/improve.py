"""Better plans than those of the search, and what is proved of the best one.

The order of aims: fewest moves, then the shortest time, then the fewest waves. What a model finds goes through the ordinary timetable, as
every plan does, and counts by what comes out of that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from msgspec.structs import replace

from fleetplan.planner.exact.case import Case, Limit
from fleetplan.planner.exact.orders import Step, fewest_moves, provable
from fleetplan.planner.exact.solver import Allowance, Answer
from fleetplan.planner.exact.times import shortest
from fleetplan.planner.exact.waves import Course, fewest_waves
from fleetplan.rollout.plan import Among, Bound, Bounds, Plan, PlanStatus

BY = "solver"
"""What bounds that were proved here are `by`."""

MOST_LANDINGS = 50_000
"""Pairs of a lot and a host on which it may land; models of larger fleets are not made."""

FOR_WAVES, FOR_TIME = 0.4, 0.8
"""The shares of what is left of the allowance."""


class TooLargeError(Exception):
    """The fleet is too large for the models."""


@dataclass(frozen=True, slots=True)
class Round:
    """A wave in full: its hosts, and where the guests on them go."""

    hosts: tuple[int, ...]
    goals: dict[int, int]


Lay = Callable[[Sequence[Round]], Plan]
"""Makes a plan of rounds, with its timetable and the ordinary bounds."""


@dataclass(slots=True)
class Proved:
    """What holds beyond the ordinary bounds. `moves`: of every plan; the others: of plans in which each guest moves once."""

    moves: int = 0
    waves: int = 0
    makespan_s: int = 0


def improve(case: Case, allowance: Allowance, lay: Lay, found: tuple[Plan, Sequence[Round]] | None) -> tuple[Plan | None, bool]:
    """The best plan that is known afterwards, with the bounds that were proved; and whether it is proved that there is none.

    `found` is that of the search, if it has one. Raises TooLargeError, SolverMissingError.
    """
    if sum(len(lot.goals) for lot in case.lots) > MOST_LANDINGS:
        raise TooLargeError
    allowance.require()
    work = _Work(case, allowance, lay, found[0] if found is not None else None)
    if case.pending:
        work.run(found[1] if found is not None else ())
    return work.outcome()


class _Work:
    def __init__(self, case: Case, allowance: Allowance, lay: Lay, best: Plan | None) -> None:
        self._case = case
        self._allowance = allowance
        self._lay = lay
        self.best = best
        self.proved = Proved()
        self.impossible = False

    def run(self, rounds: Sequence[Round]) -> None:
        """Plans with one move a guest first; others only where there are none."""
        first = self._course(rounds)
        course = self._fewest_waves(first)
        if course is not None:
            self._shortest(course)
        elif first is None:
            self._fewest_moves()

    def outcome(self) -> tuple[Plan | None, bool]:
        """What it came to."""
        if self.best is None:
            return None, self.impossible
        if self.best.bounds.moves.plan > self._case.movers:
            self.proved.waves = self.proved.makespan_s = 0
        return _with(self.best, self.proved), False

    def _course(self, rounds: Sequence[Round]) -> Course | None:
        """The plan of the search, if each guest moves once in it."""
        if self.best is None or self.best.bounds.moves.plan > self._case.movers:
            return None
        return Course(tuple(each.hosts for each in rounds), dict(chain.from_iterable(each.goals.items() for each in rounds)))

    def _consider(self, rounds: Sequence[Round]) -> bool:
        """Take a plan if it is better."""
        plan = self._lay(rounds)
        better = self.best is None or _score(plan) < _score(self.best)
        if better:
            self.best = plan
        return better

    def _rounds(self, course: Course) -> list[Round]:
        goals: dict[int, dict[int, int]] = defaultdict(dict)
        for lot in self._case.lots:
            for guest in lot.guests:
                goals[lot.source][guest] = course.goals[guest]
        return [Round(hosts, dict(chain.from_iterable(goals[host].items() for host in hosts))) for hosts in course.waves]

    def _fewest_waves(self, first: Course | None) -> Course | None:
        """The course with the fewest waves; else that which there was."""
        case, most = self._case, len(self._case.pending) if first is None else len(first.waves)
        strict = fewest_waves(case, self._allowance, share=FOR_WAVES, most=most, hint=first)
        loose = fewest_waves(case, self._allowance, share=FOR_WAVES, most=most, strict=False, hint=first) if case.wide else strict
        self.proved.waves = loose.bound or 0
        if strict.course is not None and self._consider(self._rounds(strict.course)):
            return strict.course
        return first

    def _shortest(self, course: Course) -> None:
        """A course that may be shorter, in as few waves as it can be had."""
        assert self.best is not None  # noqa: S101 - there is a course
        case, horizon = self._case, self.best.bounds.makespan_s.plan
        found = shortest(case, self._allowance, share=FOR_TIME, horizon=horizon, hint=course)
        self.proved.makespan_s = found.bound_s or 0
        if not found.goals:
            return
        if found.waves is not None:
            self._consider(self._rounds(Course(found.waves, found.goals)))
            return
        ordered = fewest_waves(case, self._allowance, most=len(case.pending), fixed=found.goals)
        if ordered.course is not None:
            self._consider(self._rounds(ordered.course))

    def _fewest_moves(self) -> None:
        """Each pool by itself, over all orders of its hosts."""
        if self.best is not None and self.best.bounds.moves.met:
            return
        case, steps = self._case, []
        pools = list(dict.fromkeys(case.pool[host] for host in case.pending))
        for pool in pools:
            least = sum(len(lot.guests) for lot in case.lots if case.pool[lot.source] == pool)
            if not provable(case, pool):
                self.proved.moves += least
                continue
            share = 1 / len(pools)
            found = fewest_moves(case, pool, self._allowance, share=share, least=least)
            loose = fewest_moves(case, pool, self._allowance, share=share, strict=False, least=least) if case.wide else found
            self.impossible |= loose.answer is Answer.NONE
            self.proved.moves += loose.bound or 0
            steps += [found.steps] if found.steps else []
        # Pools do not know of each other, so they must not share groups over racks or zones.
        rounds = in_turn(case, steps) if len(steps) == len(pools) and not (case.wide and len(pools) > 1) else None
        if rounds is not None:
            self._consider(rounds)


def in_turn(case: Case, steps: Sequence[Sequence[Step]]) -> list[Round] | None:
    """The steps of all pools, one of each in a wave as far as limits allow; None where they allow nothing."""
    waiting, rounds = [list(each) for each in steps if each], list[Round]()
    left = set(case.pending)
    while waiting:
        most = min((rule.hosts for rule in case.gates if rule.hosts and (rule.after or len(rounds) + 1) > len(rounds)), default=len(left))
        taken: list[Step] = []
        for queue in waiting:
            hosts = [step.host for step in taken] + [queue[0].host]
            if len(hosts) <= most and all(_allows(limit, hosts, left) for limit in case.limits):
                taken.append(queue.pop(0))
        if not taken:
            return None
        left -= {step.host for step in taken}
        waiting = [queue for queue in waiting if queue]
        rounds.append(Round(tuple(step.host for step in taken), {guest: goal for step in taken for guest, goal in step.goals.items()}))
    return rounds


def _allows(limit: Limit, hosts: Sequence[int], left: set[int]) -> bool:
    taking = [host for host in hosts if host in limit.hosts and host not in limit.held]
    return not taking or len(taking) + len(left.intersection(limit.held)) <= limit.most


def _score(plan: Plan) -> tuple[int, int, int]:
    """Less is better."""
    return (plan.bounds.moves.plan, plan.bounds.makespan_s.plan, plan.bounds.waves.plan)


def _with(plan: Plan, proved: Proved) -> Plan:
    """A plan with the bounds that were proved, where they are greater than those that it has."""
    bounds = plan.bounds
    moves = _sharper(bounds.moves, proved.moves, Among.ALL_PLANS)
    sharp = Bounds(
        moves=moves,
        waves=_sharper(bounds.waves, proved.waves, Among.FEWEST_MOVES),
        makespan_s=_sharper(bounds.makespan_s, proved.makespan_s, Among.FEWEST_MOVES),
    )
    met = sharp.moves.met and sharp.waves.met and sharp.makespan_s.met
    return replace(plan, bounds=sharp, status=PlanStatus.OPTIMAL if met else PlanStatus.WITHIN_GAP)


def _sharper(bound: Bound, proved: int, among: Among) -> Bound:
    return replace(bound, bound=proved, by=BY, among=among) if proved > bound.bound else bound

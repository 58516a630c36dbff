"""Whether budgets that span cells hold, for plans that each hold for their cell under its own limits.

A cell begins when the one that it waits for has ended, so of each chain of cells one runs at a time, and the hosts of the others are
unavailable only if they were so before. Whatever steps take, no more are unavailable in a place than, for each chain, the limit of the cell
that runs and what is unavailable in the others. And by forecast, moment by moment, the hosts are counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fleetplan.fleet.model import Fleet, Host, HostState
from fleetplan.fleet.policy import MaxUnavailable, Share
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import Plan, StepKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell with the plan and the limits that it was judged with; when it begins, and the cell that must have ended then."""

    name: str
    fleet: Fleet
    plan: Plan
    starts_s: int
    after: str | None


PLACES: Mapping[str, Callable[[Host], str]] = {"fleet": lambda _: "", "zone": lambda host: host.zone, "rack": lambda host: host.rack}


def verify_cells(cells: Sequence[Cell], budget: MaxUnavailable) -> list[Violation]:
    """Judge the cells together; sorted, empty if the budgets hold. O(steps log steps + hosts)."""
    found = [*_order(cells)]
    for scope, where in PLACES.items():
        share: Share | None = getattr(budget, scope)
        if share is not None:
            sizes: defaultdict[str, int] = defaultdict(int)
            for cell in cells:
                for host in cell.fleet.hosts:
                    sizes[where(host)] += 1
            limits = {place: share.of(size) for place, size in sizes.items()}
            found += _by_forecast(cells, scope, where, limits)
            found += _by_waiting(cells, scope, where, limits)
    return sorted(found)


def _order(cells: Sequence[Cell]) -> Iterator[Violation]:
    """A cell begins when the one before it has ended, and no two wait for the same one."""
    end = {cell.name: cell.starts_s + _makespan_s(cell.plan) for cell in cells}
    followed: set[str] = set()
    for cell in cells:
        if cell.after is not None and (end.get(cell.after, cell.starts_s + 1) > cell.starts_s or cell.after in followed):
            yield Violation(invariant=InvariantId.ORDER, subject=f"cell {cell.name}", at_s=max(cell.starts_s, 0), steps=())
        followed |= {cell.after} if cell.after is not None else set()


def _makespan_s(plan: Plan) -> int:
    return max((step.end_s for wave in plan.waves for step in wave.steps), default=0)


def _by_forecast(cells: Sequence[Cell], scope: str, where: Callable[[Host], str], limits: Mapping[str, int]) -> Iterator[Violation]:
    """Count hosts from cordon to uncordon, as they are forecast. Ends come before starts."""
    events: defaultdict[str, list[tuple[int, int, int]]] = defaultdict(list)
    begun: defaultdict[str, int] = defaultdict(int)
    for cell in cells:
        hosts = {host.name: host for host in cell.fleet.hosts}
        for host in cell.fleet.hosts:
            begun[where(host)] += host.state is not HostState.UP
        for step in (step for wave in cell.plan.waves for step in wave.steps):
            if step.host is None or step.kind not in {StepKind.CORDON, StepKind.UNCORDON}:
                continue
            host = hosts[step.host]
            if step.kind is StepKind.UNCORDON:
                events[where(host)].append((cell.starts_s + step.end_s, 0, -1))
            elif host.state is HostState.UP:
                events[where(host)].append((cell.starts_s + step.start_s, 1, 1))
    for place, those in events.items():
        away = begun[place]
        for at_s, _, change in sorted(those):
            away += change
            if change > 0 and away > limits[place]:
                yield _broken(scope, place, at_s, away, limits[place], "forecast")
                break


def _by_waiting(cells: Sequence[Cell], scope: str, where: Callable[[Host], str], limits: Mapping[str, int]) -> Iterator[Violation]:
    """Add up what the chains may come to."""
    heads = _heads(cells)
    for place, limit in sorted(limits.items()):
        idle: defaultdict[str, int] = defaultdict(int)
        extra: defaultdict[str, int] = defaultdict(int)
        for cell in cells:
            there = [host for host in cell.fleet.hosts if where(host) == place]
            away = sum(host.state is not HostState.UP for host in there)
            upgraded = {host for wave in cell.plan.waves for host in wave.hosts} if there else set()
            goes = sum(host.name in upgraded for host in there)
            own: Share | None = getattr(cell.fleet.policy.max_unavailable, scope)
            most = min(len(there), away + goes, len(there) if own is None else max(own.of(len(there)), away)) if goes else away
            idle[heads[cell.name]] += away
            extra[heads[cell.name]] = max(extra[heads[cell.name]], most - away)
        total = sum(idle.values()) + sum(extra.values())
        if sum(extra.values()) and total > limit:
            yield _broken(scope, place, 0, total, limit, "waiting")


def _heads(cells: Sequence[Cell]) -> dict[str, str]:
    """The first cell of the chain of each. A circle ends where it began."""
    after = {cell.name: cell.after for cell in cells}
    found: dict[str, str] = {}
    for cell in cells:
        head, seen = cell.name, {cell.name}
        while (before := after.get(head)) is not None and before not in seen:
            head = before
            seen.add(head)
        found[cell.name] = head
    return found


def _broken(scope: str, place: str, at_s: int, away: int, limit: int, by: str) -> Violation:
    facts = (("by", by), ("limit", str(limit)), ("unavailable", str(away)))
    return Violation(invariant=InvariantId.UNAVAILABLE, subject=f"{scope} {place}".strip(), at_s=at_s, steps=(), facts=facts)

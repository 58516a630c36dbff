"""The cheapest changes with which there is a plan.

A remedy is only offered after the search has been run with it: on the pools that are blocked, for the search has planned the others. The
order of cost: what only lifts a limit, then hosts, then what a guest notices, then another release, then hosts that stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from msgspec.structs import replace

from fleetplan.fleet.model import Fleet, GuestName, Host
from fleetplan.planner.causes import by_pool, causes_of, named, stuck_guests
from fleetplan.planner.changes import (
    Change,
    Try,
    added_remedy,
    adding,
    company,
    limits,
    one_after_the_other,
    other_vmm,
    policies,
    reserve,
    restart_stuck,
    restarting_in_place,
    restraints,
    rules,
    skip,
    waivers,
)
from fleetplan.planner.failure import Failure, Stuck
from fleetplan.planner.part import part_of
from fleetplan.planner.problem import Problem
from fleetplan.rollout.plan import BlockedOn, Cause, Infeasible, Remedy, RemedyKind
from fleetplan.rollout.progress import CancelledError, Progress

Again = Callable[[Fleet, Sequence[int] | None, Progress], Failure | None]
"""Searches a fleet whose guests have these numbers in the fleet that could not be planned (None: the same guests); None: it can be planned.

Raises CancelledError when its progress says so.
"""

EFFORT = 30_000
"""What the searches for the remedies of one failure may cost: each wave as much as it has hosts left, and a look at all plans of a small
pool as much as the landings that it may try. Seconds, where packing is hard."""
MOST_SHAPES = 3
MOST_HOSTS_ADDED = 64
MOST_ROUNDS = 8
"""Of guests that are allowed to restart, each naming the next that then have no place."""
MOST_FILTERED = 12
"""Guests of which it is tried whether they can be left out."""


@dataclass(slots=True)
class Effort:
    """What is left of the effort. To a search it is its progress: every wave costs as much as there are hosts left to upgrade."""

    outer: Progress | None
    left: int = EFFORT

    def report(self, stage: str, done: int, total: int) -> None:  # noqa: ARG002 - the protocol's
        """A wave begins: that costs what is left."""
        self.left -= total - done + 1
        if self.outer is not None:
            self.outer.report("remedies", max(EFFORT - self.left, 0), EFFORT)

    @property
    def cancelled(self) -> bool:
        """Whether it is used up, or somebody wants everything to stop."""
        return self.left < 0 or (self.outer is not None and self.outer.cancelled)


@dataclass(frozen=True, slots=True)
class Bench:
    """What is blocked, as a fleet of its own, on which changes are tried."""

    fleet: Fleet
    numbers: Sequence[int] | None
    again: Again
    effort: Effort

    def of(self, pools: set[str]) -> Bench:
        """The bench of some pools of a whole fleet."""
        return Bench(*part_of(self.fleet, pools), self.again, self.effort)

    def fails(self, change: Change) -> Failure | Literal["unknown"] | None:
        """What the search says once something is changed: a failure, or None. Raises CancelledError if everything is to stop."""
        try:
            return self.again(change(self.fleet), self.numbers, self.effort)
        except CancelledError:
            if self.effort.left >= 0:
                raise
            return "unknown"

    def works(self, change: Change) -> bool:
        """Whether it is known that there is a plan then."""
        return self.fails(change) is None


def explain(failure: Failure, *, digest: str, again: Again, progress: Progress | None = None) -> Infeasible:
    """Causes and tried remedies: searches of the blocked pools, up to some effort. Raises CancelledError."""
    problem, stuck = failure.problem, failure.stuck
    whole = Bench(problem.fleet, None, again, Effort(progress))
    causes, found = causes_of(failure), tuple[Remedy, ...]()
    if stuck is not None:
        pools = [problem.hosts.pool_names[pool] for pool in by_pool(problem, stuck)]
        bench = whole.of(set(pools))
        blocked = [Blocked(failure, stuck, bench)] if len(pools) == 1 else list(_each(bench, pools))
        causes = tuple(cause for each in blocked for cause in causes_of(each.failure)) or causes
        found = _for_pools(problem, stuck, bench, blocked)
        causes += tuple(_last(found, pools))
    elif failure.limit is None:
        found = tuple(_for_guests(problem, whole))
        causes = _with_no_vmm(causes, problem, whole)
    return Infeasible(
        inventory_digest=digest,
        target=problem.fleet.target,
        proved=failure.impossible,
        causes=causes,
        remedies=tuple(replace(remedy, tried=True) for remedy in found),
    )


# --- guests that can neither move nor restart ----------------------------------------------------------------------------------------


def _for_guests(problem: Problem, whole: Bench) -> Iterator[Remedy]:
    """Let them restart; accept what policy forbids; take another release; leave their hosts as they are."""
    stuck = stuck_guests(problem)
    restart = restart_stuck(problem, stuck)
    rest = whole.fails(restart.change)
    pools = {problem.hosts.pool_names[pool] for pool in problem.hosts.pool[problem.guests.on[stuck]].tolist()}
    bench = whole.of(pools) if rest is None and len(pools) < len(problem.hosts.pool_names) else whole
    yield from _that_work(bench, policies(problem))
    yield from _that_work(bench, restraints(problem, stuck))
    yield from _that_work(bench, waivers(problem, stuck))
    yield from _that_work(bench, company(problem, stuck))
    if rest is None:
        yield restart.remedy
    yield from islice(_that_work(bench, other_vmm(problem, stuck)), 1)
    yield from _that_work(bench, [skip(problem, stuck)])


def _with_no_vmm(causes: tuple[Cause, ...], problem: Problem, whole: Bench) -> tuple[Cause, ...]:
    """The first guest that firmware keeps from moving is also told that no VMM helps, if that is so.

    With each of those that are known some of the guests still can neither move nor restart.
    """
    tries = list(other_vmm(problem, stuck_guests(problem)))
    told = [whole.fails(each.change) for each in tries]
    if not tries or not all(isinstance(each, Failure) and each.stuck is None for each in told):
        return causes
    tried = ", ".join(each.remedy.facts["vmm"] for each in tries)
    told_too = Cause(blocked_on=BlockedOn.ANY_VMM, facts={"kernel": problem.fleet.target.kernel, "tried": tried})
    refused = [place for place, cause in enumerate(causes) if any(deeper.blocked_on is BlockedOn.FIRMWARE for deeper in cause.because)]
    if not refused:
        return causes
    first = refused[0]
    return (*causes[:first], replace(causes[first], because=(*causes[first].because, told_too)), *causes[first + 1 :])


def _that_work(bench: Bench, tries: Iterable[Try]) -> Iterator[Remedy]:
    return (each.remedy for each in tries if bench.works(each.change))


def _last(found: Iterable[Remedy], pools: list[str]) -> Iterator[Cause]:
    """What only a trial says: whether hosts that go last are all that could make room."""
    if any(remedy.kind is RemedyKind.RELAX_LAST for remedy in found):
        for pool in pools:
            yield Cause(blocked_on=BlockedOn.LAST, facts={"pool": pool})


# --- pools in which nothing goes on --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Blocked:
    """A pool that is blocked, as a fleet of its own, and what it is stuck on."""

    failure: Failure
    stuck: Stuck
    bench: Bench


def _each(bench: Bench, pools: list[str]) -> Iterator[Blocked]:
    """Every pool by itself: in the search for all of them, one may only have waited for another."""
    for pool in pools:
        part = bench.of({pool})
        failure = part.fails(lambda fleet: fleet)
        if isinstance(failure, Failure) and failure.stuck is not None:
            yield Blocked(failure, failure.stuck, part)


def _for_pools(problem: Problem, stuck: Stuck, bench: Bench, blocked: list[Blocked]) -> tuple[Remedy, ...]:
    """What opens all blocked pools at once; then what opens each; and what does so only together."""
    shared = list(limits(problem, stuck))
    own = [_of_pool(each, only=len(blocked) == 1) for each in blocked]
    found = [_least_reserve(remedy, bench) if remedy.kind is RemedyKind.LOWER_RESERVE else remedy for remedy in _that_work(bench, shared)]
    found += [replace(each.remedy, alone=len(blocked) == 1) for tries in own for each in tries]
    if not any(remedy.alone for remedy in found):
        found += _together(bench, [*shared, *(tries[0] for tries in own if tries)])
    return tuple(found)


def _least_reserve(remedy: Remedy, bench: Bench) -> Remedy:
    """The largest reserve in whole percents that still works: no more is given up than must be. A search for each halving."""
    works, fails = 0, bench.fleet.policy.reserve_per_mille // 10
    while fails - works > 1:
        middle = (works + fails) // 2
        if bench.works(lambda fleet, share=middle * 10: reserve(fleet, share)):  # type: ignore[misc] # a default to bind it
            works = middle
        else:
            fails = middle
    return replace(remedy, facts={"reserve": f"{works}%"})


def _of_pool(blocked: Blocked, *, only: bool) -> list[Try]:
    """What opens one pool: rules for the guests that found no place, hosts, restarts (only where no other pool is blocked)."""
    problem, bench = blocked.failure.problem, blocked.bench
    homeless = [guest for guests in blocked.stuck.homeless.values() for guest in guests.tolist()]
    if not homeless:
        return []
    relaxed = [each for each in rules(problem, homeless) if bench.works(each.change)]
    pool = problem.hosts.pool[problem.guests.on[homeless[0]]]
    waiting = [host for host in blocked.stuck.remaining.tolist() if problem.hosts.pool[host] == pool]
    hosts = list(_more_hosts(problem, waiting, bench))
    restarts = _restarts(problem, homeless, bench) if only else None
    return [*relaxed, *hosts, *([restarts] if restarts is not None else [])]


def _restarts(problem: Problem, homeless: list[int], bench: Bench) -> Try | None:
    """Guests that restart in place instead of moving: those without a place, then those that have none after that; fewest that do.

    Round by round until there is a plan; then each is left out that can be (deletion filter).
    """
    chosen: list[GuestName] = [problem.guests.names[guest] for guest in homeless if problem.boot_pins(guest)]
    for _ in range(MOST_ROUNDS):
        failure = bench.fails(restarting_in_place(chosen))
        if failure is None:
            break
        more = [] if failure == "unknown" or failure.stuck is None else _next_homeless(failure, failure.stuck)
        if not set(more) - set(chosen):
            return None
        chosen += [name for name in more if name not in chosen]
    else:
        return None
    fewest = _filtered(chosen, lambda some: bench.works(restarting_in_place(some)))
    pool = problem.hosts.pool_names[problem.hosts.pool[problem.guests.on[homeless[0]]]]
    facts = {"pool": pool, "guests": named(list(map(str, fewest))), "count": str(len(fewest))}
    return Try(Remedy(kind=RemedyKind.ALLOW_RESTART, facts=facts), restarting_in_place(fewest))


def _next_homeless(failure: Failure, stuck: Stuck) -> list[GuestName]:
    problem = failure.problem
    guests = [guest for homeless in stuck.homeless.values() for guest in homeless.tolist()]
    return [problem.guests.names[guest] for guest in guests if problem.boot_pins(guest)]


def _filtered(chosen: list[GuestName], works: Callable[[list[GuestName]], bool]) -> list[GuestName]:
    """Those of which none can be left out any more, the last chosen first."""
    kept = list(chosen)
    for name in reversed(chosen[:MOST_FILTERED]):
        fewer = [other for other in kept if other != name]
        if fewer and works(fewer):
            kept = fewer
    return kept


def _more_hosts(problem: Problem, hosts: list[int], bench: Bench) -> Iterator[Try]:
    """The fewest hosts of each shape that the pool has, already on the target release; a larger shape only if fewer of it are needed.

    They stand in the zone of the first host that waits. The number is doubled until it is enough, then halved in between.
    """
    shapes: dict[tuple[int, int], Host] = {}
    for number in hosts:
        record = problem.host(number)
        shapes.setdefault((record.memory_mib, record.vcpus), record)
    fewest = MOST_HOSTS_ADDED + 1
    for _, like in sorted(shapes.items())[:MOST_SHAPES]:
        count = _fewest(like, fewest - 1, bench)
        if count is not None:
            fewest = count
            yield Try(added_remedy(like, count), adding(like, count))
        if fewest == 1:
            return


def _fewest(like: Host, most: int, bench: Bench) -> int | None:
    """The least number of hosts of one kind, up to `most`, with which there is a plan."""
    fails, works = 0, 1
    while not bench.works(adding(like, min(works, most))):
        if works >= most or bench.effort.cancelled:
            return None
        fails, works = min(works, most), works * 2
    works = min(works, most)
    while works - fails > 1:
        middle = (works + fails) // 2
        if bench.works(adding(like, middle)):
            works = middle
        else:
            fails = middle
    return works or None


# --- several changes together ----------------------------------------------------------------------------------------------------------


def _together(bench: Bench, tries: list[Try]) -> list[Remedy]:
    """Changes that do it only together: all of them, less each that can be left out, the dearest first (deletion filter)."""
    if len(tries) < 2 or not bench.works(one_after_the_other(tries)):
        return []
    kept = list(tries)
    for each in reversed(tries):
        fewer = [other for other in kept if other is not each]
        if len(fewer) > 1 and bench.works(one_after_the_other(fewer)):
            kept = fewer
    return [Remedy(kind=RemedyKind.TOGETHER, together=tuple(replace(each.remedy, tried=False) for each in kept))]

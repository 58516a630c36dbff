"""Why there is no plan, as a chain of causes down to facts; and the cheapest changes with which there is one.

A remedy is only offered after the search has been run with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import numpy as np

from fleetplan.fleet.model import Fleet, Host, HostName, HostState, Release
from fleetplan.fleet.policy import Immovable, MaxUnavailable, Share
from fleetplan.migration.reasons import Judgment
from fleetplan.migration.vmm import newest_qemu, parse, profiles
from fleetplan.planner.failure import Failure, Limit, Stuck
from fleetplan.planner.problem import Fate, Problem
from fleetplan.rollout.columns import Ints, Places
from fleetplan.rollout.plan import BlockedOn, Cause, Infeasible, Remedy, RemedyKind

Again = Callable[[Fleet], bool]
"""Whether a fleet can be planned."""

MOST_NAMED = 20
MOST_HOSTS_ADDED = 3


def explain(failure: Failure, *, digest: str, again: Again) -> Infeasible:
    """Causes and tried remedies. A handful of searches."""
    problem, stuck = failure.problem, failure.stuck
    if failure.limit is not None:
        causes: tuple[Cause, ...] = (_beyond(failure.limit),)
        return Infeasible(inventory_digest=digest, target=problem.fleet.target, causes=causes)
    causes = tuple(_stuck_guests(problem)) if stuck is None else tuple(_stuck_pools(problem, stuck))
    candidates = _for_guests(problem) if stuck is None else _for_pools(problem, stuck)
    remedies = tuple(msgspec.structs.replace(remedy, tried=True) for remedy, fleet in candidates if again(fleet))
    return Infeasible(inventory_digest=digest, target=problem.fleet.target, proved=failure.impossible, causes=causes, remedies=remedies)


def _beyond(limit: Limit) -> Cause:
    asked = {"max_waves": limit.max_waves, "max_extra_moves": limit.max_extra_moves}
    facts = {name: str(value) for name, value in asked.items() if value is not None}
    return Cause(blocked_on=BlockedOn.LIMITS, facts={**facts, "found_waves": str(limit.fewest_waves), "least_waves": str(limit.bound)})


# --- guests that can neither move nor restart ----------------------------------------------------------------------------------------


def _stuck(problem: Problem) -> list[int]:
    found: list[int] = np.flatnonzero((problem.fate == Fate.STUCK) & problem.pending[problem.guests.on]).tolist()
    return found


def _stuck_guests(problem: Problem) -> Iterator[Cause]:
    """One cause per guest, the first twenty; the rest are counted in the last."""
    stuck = _stuck(problem)
    for guest in stuck[:MOST_NAMED]:
        record = problem.guest(guest)
        facts = {"guest": str(record.name), "host": str(record.on)}
        if record.restartable and problem.fleet.policy.immovable is not Immovable.RESTART:
            facts["policy"] = f"immovable: {problem.fleet.policy.immovable.value}"
        yield Cause(blocked_on=BlockedOn.IMMOVABLE_GUEST, facts=facts, because=tuple(_why_immovable(problem, guest)))
    if len(stuck) > MOST_NAMED:
        yield Cause(blocked_on=BlockedOn.IMMOVABLE_GUEST, facts={"more_guests": str(len(stuck) - MOST_NAMED)})


def _why_immovable(problem: Problem, guest: int) -> Iterator[Cause]:
    record = problem.guest(guest)
    if not record.migratable:
        yield Cause(blocked_on=BlockedOn.PLACEMENT, facts={"guest": str(record.name), "migrate": "never"})
    else:
        refusals = tuple(_refusals(problem, guest))
        yield Cause(blocked_on=BlockedOn.FIRMWARE, facts={"guest": str(record.name)}, because=refusals)
    if not record.restartable:
        yield Cause(blocked_on=BlockedOn.VERDICT, facts={"guest": str(record.name), "restart": "never"})
    elif not problem.boot_pins(guest):
        there = problem.classes.host_class(int(problem.then[problem.guests.on[guest]])).release
        facts = {"guest": str(record.name), "psci_max": str(record.psci_max or "any"), "does_not_start_on": str(there)}
        yield Cause(blocked_on=BlockedOn.VERDICT, facts=facts)


def _refusals(problem: Problem, guest: int) -> Iterator[Cause]:
    """What each class of landing place says."""
    host = int(problem.guests.on[guest])
    kind, here = int(problem.guests.kind[guest]), int(problem.now[host])
    for goal in problem.goals.get(int(problem.hosts.pool[host]), []):
        judgment = problem.classes.judgment(kind, here, goal)
        facts = {"to": str(problem.classes.host_class(goal).release), "verdict": judgment.verdict.value, **reason_facts(judgment)}
        yield Cause(blocked_on=BlockedOn.VERDICT, facts=facts)


def reason_facts(judgment: Judgment) -> dict[str, str]:
    """The first reason of a judgment as facts: stage, register, id, both values in hex, errno, what would decide; and which registers."""
    facts = {"stage": judgment.stage.value}
    named = list(dict.fromkeys(reason.register for reason in judgment.reasons if reason.register is not None))
    if len(named) > 1 or (named and judgment.reasons[0].register is None):
        facts["registers"] = _named(named)
    for reason in judgment.reasons[:1]:
        given = {
            "reason": reason.kind.value,
            "register": reason.register,
            "id": None if reason.id is None else f"{reason.id:#x}",
            "source_value": None if reason.source is None else f"{reason.source:#x}",
            "destination_value": None if reason.destination is None else f"{reason.destination:#x}",
            "errno": None if reason.errno is None else reason.errno.name,
            **dict(reason.detail),
        }
        facts |= {name: value for name, value in given.items() if value is not None}
    return facts


def _for_guests(problem: Problem) -> Iterator[tuple[Remedy, Fleet]]:
    """Allow the guests that are stuck to restart; or leave their hosts as they are."""
    yield from _other_vmm(problem)
    fleet, stuck = problem.fleet, set(_stuck(problem))
    names = [str(problem.guest(guest).name) for guest in sorted(stuck)]
    restarting = tuple(
        msgspec.structs.replace(guest, restartable=True) if index in stuck else guest for index, guest in enumerate(fleet.guests)
    )
    policy = msgspec.structs.replace(fleet.policy, immovable=Immovable.RESTART)
    facts = {"guests": _named(names), "count": str(len(names))}
    yield (
        Remedy(kind=RemedyKind.ALLOW_RESTART, facts=facts),
        msgspec.structs.replace(fleet, guests=restarting, policy=policy),
    )
    hosts = sorted({str(problem.guest(guest).on) for guest in stuck})
    yield (
        Remedy(kind=RemedyKind.SKIP_HOSTS, facts={"hosts": _named(hosts), "count": str(len(hosts))}),
        msgspec.structs.replace(fleet, policy=msgspec.structs.replace(fleet.policy, immovable=Immovable.SKIP)),
    )


def _other_vmm(problem: Problem) -> Iterator[tuple[Remedy, Fleet]]:
    """The same kernel with the newest VMM that is known, where a guest cannot move for its firmware's sake."""
    fleet, newest = problem.fleet, newest_qemu()
    refused = [guest for guest in _stuck(problem) if problem.guest(guest).migratable]
    if refused and fleet.target.vmm.startswith("qemu-") and profiles(parse(fleet.target.vmm)) != profiles(parse(newest)):
        target = Release(fleet.target.kernel, newest)
        facts = {"kernel": target.kernel, "vmm": target.vmm}
        yield Remedy(kind=RemedyKind.CHANGE_RELEASE, facts=facts), msgspec.structs.replace(fleet, target=target)


def _named(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")


# --- pools in which nothing goes on --------------------------------------------------------------------------------------------------


def _by_pool(problem: Problem, stuck: Stuck) -> dict[int, Ints]:
    """Hosts that remain, by pool."""
    pool = problem.hosts.pool[stuck.remaining]
    return {int(number): stuck.remaining[pool == number] for number in dict.fromkeys(pool.tolist())}


def _stuck_pools(problem: Problem, stuck: Stuck) -> Iterator[Cause]:
    for pool, hosts in _by_pool(problem, stuck).items():
        homeless = stuck.homeless.get(pool)
        if homeless is None:
            yield _no_slot(problem, pool, hosts)
        else:
            yield _no_room(problem, stuck, pool, hosts, homeless)


def _no_slot(problem: Problem, pool: int, hosts: Ints) -> Cause:
    full = {
        f"{slots.scope} {slots.names[place]}".strip(): f"{slots.taken[place] + slots.held[place]} of {slots.limit[place]} taken"
        for slots in problem.slots
        for place in np.unique(slots.place[hosts]).tolist()
        if not slots.free[place]
    }
    facts = {"pool": problem.hosts.pool_names[pool], "waiting_hosts": str(len(hosts)), **full}
    return Cause(blocked_on=BlockedOn.UNAVAILABLE, facts=facts)


def _no_room(problem: Problem, stuck: Stuck, pool: int, hosts: Ints, homeless: Places) -> Cause:
    """The first host that cannot be emptied, and why each of its guests that found no place found none."""
    members = problem.pool_hosts.one(pool)
    landing = members[stuck.occupancy.open[members]]
    reasons = tuple(_why_homeless(problem, stuck, guest, landing) for guest in homeless[:MOST_NAMED].tolist())
    vcpus, memory = problem.guests.size[homeless].sum(axis=0).tolist()
    kind = BlockedOn.CAPACITY if len(landing) else BlockedOn.NO_UPGRADED_HOST
    facts = {
        "pool": problem.hosts.pool_names[pool],
        "host": str(problem.hosts.names[stuck.occupancy.at[homeless[0]]]),
        "waiting_hosts": str(len(hosts)),
        "missing_vcpus": str(vcpus),
        "missing_memory_mib": str(memory),
    }
    return Cause(blocked_on=kind, facts=facts, because=reasons)


def _why_homeless(problem: Problem, stuck: Stuck, guest: int, landing: Places) -> Cause:
    record, occupancy = problem.guest(guest), stuck.occupancy
    facts = {"guest": str(record.name), "needs_vcpus": str(record.vcpus), "needs_memory_mib": str(record.memory_mib)}
    fitting = landing[(occupancy.free(landing) >= problem.guests.size[guest]).all(axis=1)]
    if not len(fitting):
        return Cause(blocked_on=BlockedOn.CAPACITY, facts=facts)
    allowed = fitting[problem.may_land(guest)[fitting]]
    if not len(allowed):
        return Cause(blocked_on=BlockedOn.PLACEMENT, facts=facts)
    if not occupancy.suits(guest, allowed).any():
        return Cause(blocked_on=BlockedOn.ANTI_AFFINITY, facts={**facts, "group": str(record.group)})
    return Cause(blocked_on=BlockedOn.FIRMWARE, facts=facts, because=tuple(_refusals(problem, guest)))


def _for_pools(problem: Problem, stuck: Stuck) -> Iterator[tuple[Remedy, Fleet]]:
    """Lift limits that cost nothing first; then add hosts."""
    fleet = problem.fleet
    if fleet.policy.reserve_per_mille:
        yield (
            Remedy(kind=RemedyKind.LOWER_RESERVE, facts={"reserve": "0%"}),
            msgspec.structs.replace(fleet, policy=msgspec.structs.replace(fleet.policy, reserve_per_mille=0)),
        )
    by_pool = _by_pool(problem, stuck)
    if any(pool not in stuck.homeless for pool in by_pool):
        yield _more_unavailable(problem)
    for pool in sorted(by_pool.keys() & stuck.homeless.keys()):
        yield from _more_hosts(problem, by_pool[pool])


def _more_unavailable(problem: Problem) -> tuple[Remedy, Fleet]:
    """One slot more than is taken, in every scope that has none left."""
    fleet = problem.fleet
    limits = fleet.policy.max_unavailable
    need = dict.fromkeys(("fleet", "zone", "rack"), 0)
    for slots in problem.slots:
        full = slots.free == 0
        need[slots.scope] = int((slots.taken + slots.held + 1)[full].max(initial=0))
    raised = MaxUnavailable(
        fleet=Share(count=need["fleet"]) if need["fleet"] else limits.fleet,
        zone=Share(count=need["zone"]) if need["zone"] else limits.zone,
        rack=Share(count=need["rack"]) if need["rack"] else limits.rack,
    )
    facts = {scope: str(count) for scope, count in need.items() if count}
    policy = msgspec.structs.replace(fleet.policy, max_unavailable=raised)
    return Remedy(kind=RemedyKind.RAISE_MAX_UNAVAILABLE, facts=facts), msgspec.structs.replace(fleet, policy=policy)


def _more_hosts(problem: Problem, hosts: Ints) -> Iterator[tuple[Remedy, Fleet]]:
    """Hosts like the pool's own, the smallest shape first, one to three of them, already on the target release."""
    fleet = problem.fleet
    shapes: dict[tuple[int, int], Host] = {}
    for number in hosts.tolist():
        record = problem.host(number)
        shapes.setdefault((record.memory_mib, record.vcpus), record)
    for (memory, vcpus), like in sorted(shapes.items())[:3]:
        for count in range(1, MOST_HOSTS_ADDED + 1):
            added = tuple(_added(like, number, fleet) for number in range(1, count + 1))
            enlarged = tuple(sorted((*fleet.hosts, *added), key=lambda host: host.name))
            facts = {
                "hosts": str(count),
                "pool": like.pool,
                "zone": like.zone,
                "vcpus": str(vcpus),
                "memory_mib": str(memory),
                "like": str(like.name),
            }
            yield Remedy(kind=RemedyKind.ADD_HOST, facts=facts), msgspec.structs.replace(fleet, hosts=enlarged)


def _added(like: Host, number: int, fleet: Fleet) -> Host:
    """A new host of a shape and CPU that is there, on the target release."""
    name = HostName(f"{like.name}-added-{number}")
    facts = msgspec.structs.replace(like.facts, vulnerabilities=None, workarounds=None, registers=None, masks=None)
    return msgspec.structs.replace(like, name=name, release=fleet.target, facts=facts, state=HostState.UP, address=None)

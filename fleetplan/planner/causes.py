"""Why there is no plan, as a chain of causes down to facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
import numpy as np

from fleetplan.fleet.model import Scope
from fleetplan.fleet.policy import Immovable
from fleetplan.migration.reasons import Judgment
from fleetplan.planner.cut import cut_of
from fleetplan.planner.failure import Failure, Limit, Stuck
from fleetplan.planner.problem import Fate, Problem
from fleetplan.planner.restraints import SCALE
from fleetplan.rollout.columns import NONE, Ints, Places
from fleetplan.rollout.plan import BlockedOn, Cause
from fleetplan.rollout.resources import ALWAYS

MOST_NAMED = 20
"""Names that are listed; of causes of one kind, those that are told."""


def causes_of(failure: Failure) -> tuple[Cause, ...]:
    """The chain: guests that can neither move nor restart, or pools in which nothing goes on."""
    problem, stuck = failure.problem, failure.stuck
    if failure.limit is not None:
        return (_beyond(failure.limit),)
    return tuple(_stuck_guests(problem)) if stuck is None else tuple(_stuck_pools(problem, stuck))


def _beyond(limit: Limit) -> Cause:
    asked = {"max_waves": limit.max_waves, "max_extra_moves": limit.max_extra_moves}
    facts = {name: str(value) for name, value in asked.items() if value is not None}
    return Cause(blocked_on=BlockedOn.LIMITS, facts={**facts, "found_waves": str(limit.fewest_waves), "least_waves": str(limit.bound)})


# --- guests that can neither move nor restart ----------------------------------------------------------------------------------------


def stuck_guests(problem: Problem) -> list[int]:
    """Guests that can neither move nor restart, of hosts that are to be upgraded."""
    found: list[int] = np.flatnonzero((problem.fate == Fate.STUCK) & problem.pending[problem.guests.on]).tolist()
    return found


def _stuck_guests(problem: Problem) -> Iterator[Cause]:
    """One cause per guest, the first twenty; the rest are counted in the last."""
    stuck = stuck_guests(problem)
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
    elif problem.alone[problem.guests.on[guest]]:
        host = problem.guests.on[guest]
        facts = {"host": str(problem.hosts.names[host]), "pool": problem.hosts.pool_names[problem.hosts.pool[host]]}
        yield Cause(blocked_on=BlockedOn.ALONE, facts=facts)
    elif not problem.copies.can[guest]:
        numbers = {name: str(number) for name, number in problem.copies.numbers(guest).items()}
        yield Cause(blocked_on=BlockedOn.CONVERGENCE, facts={"guest": str(record.name), **numbers})
    elif problem.tolerance.never_move()[guest]:
        yield Cause(blocked_on=BlockedOn.DISRUPTION, facts={"guest": str(record.name), "max_disrupted": "0"})
    else:
        refusals = tuple(_refusals(problem, guest))
        yield Cause(blocked_on=BlockedOn.FIRMWARE, facts={"guest": str(record.name)}, because=refusals)
    if not record.restartable:
        yield Cause(blocked_on=BlockedOn.VERDICT, facts={"guest": str(record.name), "restart": "never"})
    elif not problem.tolerance.never_move()[guest] and problem.fate_alone(guest) is Fate.RESTART:
        group = problem.tolerance.names[problem.tolerance.group[guest]]
        bears = str(problem.tolerance.limit[problem.tolerance.group[guest]])
        yield Cause(blocked_on=BlockedOn.DISRUPTION, facts={"guest": str(record.name), "group": str(group), "max_disrupted": bears})
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
    registers = list(dict.fromkeys(reason.register for reason in judgment.reasons if reason.register is not None))
    if len(registers) > 1 or (registers and judgment.reasons[0].register is None):
        facts["registers"] = named(registers)
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


def named(names: list[str]) -> str:
    """Names in a row, cut off where they are many."""
    return ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")


# --- pools in which nothing goes on --------------------------------------------------------------------------------------------------


def by_pool(problem: Problem, stuck: Stuck) -> dict[int, Ints]:
    """Hosts that remain, by pool."""
    pool = problem.hosts.pool[stuck.remaining]
    return {int(number): stuck.remaining[pool == number] for number in dict.fromkeys(pool.tolist())}


def _stuck_pools(problem: Problem, stuck: Stuck) -> Iterator[Cause]:
    for pool, hosts in by_pool(problem, stuck).items():
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
    """The first host that cannot be emptied: what its guests run into, and why each that found no place found none."""
    members = problem.pool_hosts.one(pool)
    landing = members[stuck.occupancy.open[members]]
    first = int(stuck.occupancy.at[homeless[0]])
    reasons = _folded(_why_homeless(problem, stuck, guest, landing) for guest in homeless.tolist())
    missing = zip(problem.columns.resources, problem.guests.size[homeless].sum(axis=0).tolist(), strict=True)
    facts = {
        "pool": problem.hosts.pool_names[pool],
        "host": str(problem.hosts.names[first]),
        "waiting_hosts": str(len(hosts)),
        **{f"missing_{resource.name}": str(size) for resource, size in missing if size},
    }
    if not len(landing):
        return Cause(blocked_on=BlockedOn.NO_UPGRADED_HOST, facts=facts, because=reasons)
    cut = tuple(_bottlenecks(problem, stuck, stuck.occupancy.movers.one(first), landing))
    return Cause(blocked_on=BlockedOn.CAPACITY, facts=facts, because=(*cut, *reasons))


def _bottlenecks(problem: Problem, stuck: Stuck, guests: Places, landing: Places) -> Iterator[Cause]:
    """The minimum cut between the guests of a host and the hosts that are open: classes that are full, pieces that are too small."""
    cut = cut_of(stuck.occupancy, guests, landing)
    if cut.flows >= cut.needed:
        return
    resources = problem.columns.resources
    for full in cut.full:
        yield Cause(
            blocked_on=BlockedOn.HOST_CLASS,
            facts={
                "class": str(problem.classes.host_class(full.host_class).release),
                "hosts": str(full.hosts),
                **{f"free_{resource.name}": str(size) for resource, size in zip(resources, full.free, strict=True)},
                "scarce": resources[cut.resource].name,
                "needed": str(cut.needed),
                "fits": str(cut.flows),
            },
        )
    for crumbs in cut.crumbs:
        size = problem.guests.size[crumbs.guest]
        yield Cause(
            blocked_on=BlockedOn.PIECES,
            facts={
                "guest": str(problem.guests.names[crumbs.guest]),
                "alike": str(crumbs.guests),
                "fit": str(crumbs.fit),
                "class": str(problem.classes.host_class(crumbs.host_class).release),
                "needs_vcpus": str(size[0]),
                "needs_memory_mib": str(size[1]),
                "largest_free_vcpus": str(crumbs.largest[0]),
                "largest_free_memory_mib": str(crumbs.largest[1]),
            },
        )


def _folded(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """Guests that are alike and lack the same are told once, with their number; the first of them is named."""
    found: dict[tuple[object, ...], tuple[Cause, int]] = {}
    for cause in causes:
        rest = tuple((name, value) for name, value in cause.facts.items() if name != "guest")
        key = (cause.blocked_on, rest, len(cause.because))
        first, count = found.get(key, (cause, 0))
        found[key] = first, count + 1
    folded = [
        cause if count == 1 else msgspec.structs.replace(cause, facts={**cause.facts, "alike": str(count)})
        for cause, count in found.values()
    ]
    return tuple(folded[:MOST_NAMED])


def _scarce(problem: Problem, guest: int, enough: Places) -> dict[str, str]:
    """What, beside vCPUs and memory, no host has enough left of: pages that are reserved, or memory that is not. Only if it decides."""
    if not enough[:, : len(ALWAYS)].all(axis=1).any():
        return {}
    lacks = [number for number in range(len(ALWAYS), enough.shape[1]) if not enough[:, number].any()]
    return {f"lacks_{problem.columns.resources[number].name}": str(problem.guests.size[guest, number]) for number in lacks}


def _home(problem: Problem, guest: int, fitting: Places) -> dict[str, str]:
    """The place that a guest must stay in with its group, if that is what keeps it from all hosts with room."""
    record, together = problem.guest(guest), problem.together
    if together.home[guest] == NONE or not any(problem.names_admit(guest, host) for host in fitting.tolist()):
        return {}
    if together.allows(guest)[fitting].any():
        return {}
    own = problem.host(int(problem.guests.on[guest]))
    scope = SCALE[int(together.scope[guest])]
    place = {Scope.HOST: str(own.name), Scope.RACK: own.rack, Scope.ZONE: own.zone}[scope]
    return {"group": str(record.group), "stays_in": f"{scope.value} {place}"}


def _company(stuck: Stuck, guest: int, landing: Places) -> dict[str, str]:
    """The group with which a guest must leave for one host, if no host has room for all of them."""
    problem, occupancy = stuck.occupancy.problem, stuck.occupancy
    unit = problem.together.unit
    if unit[guest] == NONE:
        return {}
    fellows = np.flatnonzero((unit == unit[guest]) & (occupancy.at == occupancy.at[guest]))
    if (occupancy.free(landing) >= problem.guests.size[fellows].sum(axis=0)).all(axis=1).any():
        return {}
    return {"group": str(problem.guest(guest).group), "members": str(len(fellows))}


def _why_homeless(problem: Problem, stuck: Stuck, guest: int, landing: Places) -> Cause:
    record, occupancy = problem.guest(guest), stuck.occupancy
    facts = {"guest": str(record.name), "needs_vcpus": str(record.vcpus), "needs_memory_mib": str(record.memory_mib)}
    enough = occupancy.free(landing) >= problem.guests.size[guest]
    fitting = landing[enough.all(axis=1)]
    if not len(fitting):
        return Cause(blocked_on=BlockedOn.CAPACITY, facts=facts | _scarce(problem, guest, enough))
    admitted = fitting[problem.may_land(guest)[fitting]]
    if not len(admitted):
        home = _home(problem, guest, fitting)
        return Cause(blocked_on=BlockedOn.AFFINITY if home else BlockedOn.PLACEMENT, facts=facts | home)
    apart = admitted[occupancy.suits(guest, admitted)]
    if not len(apart):
        return Cause(blocked_on=BlockedOn.ANTI_AFFINITY, facts={**facts, "group": str(record.group)})
    kind, here = int(occupancy.kind[guest]), int(occupancy.host_class[occupancy.at[guest]])
    if any(problem.classes.hop(kind, here, int(there)).allowed for there in np.unique(occupancy.host_class[apart])):
        company = _company(stuck, guest, landing)
        return Cause(blocked_on=BlockedOn.AFFINITY if company else BlockedOn.PIECES, facts=facts | company)
    return Cause(blocked_on=BlockedOn.FIRMWARE, facts=facts, because=tuple(_refusals(problem, guest)))

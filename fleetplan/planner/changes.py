"""Changes of inventory and policy that might help where there is no plan: each as a remedy in words, and as what it does to a fleet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace

from fleetplan.fleet.model import Fleet, GroupName, Guest, GuestName, Host, HostName, HostState, Release
from fleetplan.fleet.policy import Immovable, MaxUnavailable, Share, Waiver
from fleetplan.migration.classes import PINS
from fleetplan.migration.reasons import Verdict
from fleetplan.migration.vmm import parse, profiles, qemus
from fleetplan.planner.causes import by_pool, named, stuck_guests
from fleetplan.planner.failure import Stuck
from fleetplan.planner.problem import Problem
from fleetplan.rollout.columns import NONE
from fleetplan.rollout.plan import Remedy, RemedyKind

Change = Callable[[Fleet], Fleet]

OVERCOMMIT_PER_MILLE = 1100
"""What is tried of an overcommit, against what policy has."""


@dataclass(frozen=True, slots=True)
class Try:
    """A remedy, and what it changes."""

    remedy: Remedy
    change: Change


# --- for guests that can neither move nor restart --------------------------------------------------------------------------------------


def restart_stuck(problem: Problem, stuck: list[int]) -> Try:
    """Allow exactly those guests to restart that are stuck; each of them blocks its host."""
    names = [problem.guests.names[guest] for guest in stuck]
    facts = {"guests": named(list(map(str, names))), "count": str(len(names))}
    pins = {pin for guest in stuck for pin in [_pin(problem, guest)] if pin is not None}
    kind = RemedyKind.PIN_AND_RESTART if pins else RemedyKind.ALLOW_RESTART
    facts |= {"psci": ", ".join(sorted(pins))} if pins else {}
    return Try(Remedy(kind=kind, facts=facts), lambda fleet: _with_guests(_immovable(fleet, Immovable.RESTART), set(names), _restarting))


def _pin(problem: Problem, guest: int) -> str | None:
    """The pin without which a guest does not come up on the target; None if it needs none, or no pin helps."""
    found = problem.boot_pins(guest)
    return found[0] if found and found[0] in PINS else None


def _restarting(guest: Guest) -> Guest:
    return replace(guest, restartable=True)


def _in_place(guest: Guest) -> Guest:
    return replace(guest, restartable=True, migratable=False)


def _anywhere(guest: Guest) -> Guest:
    return replace(guest, allow=(), deny=())


def _with_guests(fleet: Fleet, names: set[GuestName], change: Callable[[Guest], Guest]) -> Fleet:
    """The fleet with some guests changed. O(guests)."""
    return replace(fleet, guests=[change(guest) if guest.name in names else guest for guest in fleet.guests])


def _immovable(fleet: Fleet, what: Immovable) -> Fleet:
    return replace(fleet, policy=replace(fleet.policy, immovable=what))


def policies(problem: Problem) -> Iterator[Try]:
    """What policy forbids, and could allow."""
    policy = problem.fleet.policy
    if policy.immovable is Immovable.BLOCK:
        yield Try(_relaxed("immovable", "restart"), lambda fleet: _immovable(fleet, Immovable.RESTART))
    if policy.forbid_psci_change:
        change: Change = lambda fleet: replace(fleet, policy=replace(fleet.policy, forbid_psci_change=False))  # noqa: E731 - one of a row
        yield Try(_relaxed("forbid_psci_change", "false"), change)
    if not policy.accept_unknown and _has_verdict(problem, Verdict.UNKNOWN):
        accept: Change = lambda fleet: replace(fleet, policy=replace(fleet.policy, accept_unknown=True))  # noqa: E731 - as above
        yield Try(_relaxed("accept_unknown", "true"), accept)


def restraints(problem: Problem, stuck: list[int]) -> Iterator[Try]:
    """Copies that may be throttled, or take longer; groups that bear more disruptions."""
    converge = problem.copies.remedy(stuck)
    if converge is not None:
        facts = {"throttle": "allow"} if converge.throttle else {}
        facts |= {} if converge.within_s is None else {"within_s": str(converge.within_s)}
        change: Change = lambda fleet: replace(fleet, policy=replace(fleet.policy, converge=converge))  # noqa: E731 - one of a row
        yield Try(Remedy(kind=RemedyKind.THROTTLE, facts=facts), change)
    of_guest = problem.tolerance.group
    crowds = Counter((int(of_guest[guest]), int(problem.guests.on[guest])) for guest in stuck if of_guest[guest] != NONE)
    for number in sorted({number for number, _ in crowds}):
        name, count = problem.tolerance.names[number], max(crowd for (own, _), crowd in crowds.items() if own == number)
        yield Try(
            Remedy(kind=RemedyKind.RAISE_MAX_DISRUPTED, facts={"group": str(name), "max_disrupted": str(count)}), _bearing(name, count)
        )


def _bearing(name: GroupName, count: int) -> Change:
    """A group bears so many disruptions at a time."""

    def change(fleet: Fleet) -> Fleet:
        group = replace(fleet.groups[name], max_disrupted=Share(count=count))
        return replace(fleet, groups={**fleet.groups, name: group})

    return change


def _relaxed(key: str, value: str) -> Remedy:
    return Remedy(kind=RemedyKind.RELAX_POLICY, facts={"key": key, "value": value})


def _has_verdict(problem: Problem, verdict: Verdict) -> bool:
    return any(
        problem.classes.hop(int(problem.guests.kind[guest]), int(problem.now[problem.guests.on[guest]]), goal).verdict is verdict
        for guest in stuck_guests(problem)
        for goal in problem.goals.get(int(problem.hosts.pool[problem.guests.on[guest]]), [])
    )


def waivers(problem: Problem, stuck: list[int]) -> Iterator[Try]:
    """One waiver for each register that a stuck guest would lose, for those guests."""
    lost: dict[str, None] = {}
    for guest in stuck:
        kind, here = int(problem.guests.kind[guest]), int(problem.now[problem.guests.on[guest]])
        for goal in problem.goals.get(int(problem.hosts.pool[problem.guests.on[guest]]), []):
            if problem.classes.hop(kind, here, goal).verdict is Verdict.STRIPS:
                reasons = problem.classes.judgment(kind, here, goal).reasons
                lost |= dict.fromkeys(reason.register for reason in reasons if reason.register is not None)
    if lost:
        names = tuple(str(problem.guests.names[guest]) for guest in stuck)
        accepted = tuple(Waiver(scope=names, reason="", owner="", expires="9999-12-31", register=register) for register in lost)
        facts = {"registers": named(list(lost)), "guests": named(list(names)), "count": str(len(names))}
        remedy = Remedy(kind=RemedyKind.ACCEPT_LOSS, facts=facts)
        yield Try(remedy, lambda fleet: replace(fleet, waivers=(*fleet.waivers, *accepted)))


def other_vmm(problem: Problem, stuck: list[int]) -> Iterator[Try]:
    """The same kernel with every other QEMU that loads differently, the newest first, where a guest cannot move for its firmware's sake."""
    target = problem.fleet.target
    refused = any(problem.movable[guest] for guest in stuck)
    if not refused or not target.vmm.startswith("qemu-"):
        return
    own = profiles(parse(target.vmm))
    for vmm in qemus(parse(target.vmm)):
        if profiles(parse(vmm)) != own:
            remedy = Remedy(kind=RemedyKind.CHANGE_RELEASE, facts={"kernel": target.kernel, "vmm": vmm})
            yield Try(remedy, lambda fleet, vmm=vmm: replace(fleet, target=Release(target.kernel, vmm)))  # type: ignore[misc] # to bind it


def company(problem: Problem, stuck: list[int]) -> Iterator[Try]:
    """A host more, like theirs, for guests whose host is the only one of its pool; several if there are several such pools."""
    guests = problem.guests
    hosts = sorted({int(guests.on[guest]) for guest in stuck if guests.migratable[guest] and problem.alone[guests.on[guest]]})
    tries = [Try(added_remedy(like, 1), adding(like, 1)) for like in map(problem.host, hosts)]
    if len(tries) > 1:
        yield Try(Remedy(kind=RemedyKind.TOGETHER, together=tuple(each.remedy for each in tries)), one_after_the_other(tries))
    else:
        yield from tries


def one_after_the_other(tries: list[Try]) -> Change:
    """Several changes as one."""

    def change(fleet: Fleet) -> Fleet:
        for each in tries:
            fleet = each.change(fleet)
        return fleet

    return change


def skip(problem: Problem, stuck: list[int]) -> Try:
    """Leave the hosts of stuck guests as they are."""
    hosts = sorted({str(problem.hosts.names[host]) for host in problem.guests.on[stuck].tolist()})
    facts = {"hosts": named(hosts), "count": str(len(hosts))}
    return Try(Remedy(kind=RemedyKind.SKIP_HOSTS, facts=facts), lambda fleet: _immovable(fleet, Immovable.SKIP))


# --- for pools in which nothing goes on ------------------------------------------------------------------------------------------------


def limits(problem: Problem, stuck: Stuck) -> Iterator[Try]:
    """Limits of policy that could be lifted."""
    policy = problem.fleet.policy
    if policy.reserve_per_mille:
        yield Try(Remedy(kind=RemedyKind.LOWER_RESERVE, facts={"reserve": "0%"}), lambda fleet: reserve(fleet, 0))
    if any(pool not in stuck.homeless for pool in by_pool(problem, stuck)):
        yield more_unavailable(problem)
    vcpus, memory = (
        share * OVERCOMMIT_PER_MILLE // 1000 for share in (policy.overcommit_vcpus_per_mille, policy.overcommit_memory_per_mille)
    )
    if stuck.homeless:
        facts = {"vcpus_per_mille": str(vcpus), "memory_per_mille": str(memory)}
        remedy = Remedy(kind=RemedyKind.RAISE_OVERCOMMIT, facts=facts)
        yield Try(remedy, lambda fleet: _overcommit(fleet, vcpus, memory))
    blocked = np.isin(problem.hosts.pool, problem.hosts.pool[stuck.remaining])
    last = [str(problem.hosts.names[host]) for host in np.flatnonzero(blocked & problem.last & problem.pending).tolist()]
    if last and not problem.last[stuck.remaining].any():
        yield Try(Remedy(kind=RemedyKind.RELAX_LAST, facts={"hosts": named(last), "count": str(len(last))}), not_last)


def not_last(fleet: Fleet) -> Fleet:
    """No host must go last."""
    hosts = tuple(replace(host, last=False) if host.last else host for host in fleet.hosts)
    return replace(fleet, hosts=hosts, policy=replace(fleet.policy, last=()))


def reserve(fleet: Fleet, per_mille: int) -> Fleet:
    """Another reserve."""
    return replace(fleet, policy=replace(fleet.policy, reserve_per_mille=per_mille))


def _overcommit(fleet: Fleet, vcpus: int, memory: int) -> Fleet:
    return replace(fleet, policy=replace(fleet.policy, overcommit_vcpus_per_mille=vcpus, overcommit_memory_per_mille=memory))


def more_unavailable(problem: Problem) -> Try:
    """One slot more than is taken, in every scope that has none left."""
    limits = problem.fleet.policy.max_unavailable
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
    remedy = Remedy(kind=RemedyKind.RAISE_MAX_UNAVAILABLE, facts=facts)
    return Try(remedy, lambda fleet: replace(fleet, policy=replace(fleet.policy, max_unavailable=raised)))


def rules(problem: Problem, homeless: list[int]) -> Iterator[Try]:
    """The placement rules of guests that found no place."""
    guests = problem.guests
    groups = sorted({guests.group_names[guests.group[guest]] for guest in homeless if guests.group[guest] >= 0})
    pool = problem.hosts.pool_names[problem.hosts.pool[guests.on[homeless[0]]]]
    if groups:
        remedy = Remedy(kind=RemedyKind.RELAX_GROUP, facts={"pool": pool, "groups": named(groups), "count": str(len(groups))})
        yield Try(remedy, lambda fleet: _not_apart(fleet, set(groups)))
    kept = sorted({str(problem.guest(guest).group) for guest in _kept_together(problem, homeless)})
    if kept:
        remedy = Remedy(kind=RemedyKind.RELAX_TOGETHER, facts={"pool": pool, "groups": named(kept), "count": str(len(kept))})
        yield Try(remedy, lambda fleet: _not_together(fleet, set(kept)))
    choosy = {guests.names[guest] for guest in homeless if guests.choosy[guest]}
    if choosy:
        facts = {"pool": pool, "guests": named(sorted(choosy)), "count": str(len(choosy))}
        yield Try(Remedy(kind=RemedyKind.RELAX_PLACEMENT, facts=facts), lambda fleet: _with_guests(fleet, choosy, _anywhere))


def _kept_together(problem: Problem, guests: list[int]) -> list[int]:
    """Those of some guests that may not part with their group."""
    together = problem.together
    return [guest for guest in guests if together.unit[guest] != NONE or together.home[guest] != NONE]


def _not_together(fleet: Fleet, groups: set[str]) -> Fleet:
    return replace(fleet, groups={name: replace(group, together=None) if name in groups else group for name, group in fleet.groups.items()})


def _not_apart(fleet: Fleet, groups: set[str]) -> Fleet:
    return replace(fleet, groups={name: replace(group, apart=None) if name in groups else group for name, group in fleet.groups.items()})


def restarting_in_place(names: list[GuestName]) -> Change:
    """These guests restart in place instead of moving."""
    chosen = set(names)
    return lambda fleet: _with_guests(_immovable(fleet, Immovable.RESTART), chosen, _in_place)


def added_remedy(like: Host, count: int) -> Remedy:
    """So many hosts like one that is there."""
    facts = {
        "hosts": str(count),
        "pool": like.pool,
        "zone": like.zone,
        "vcpus": str(like.vcpus),
        "memory_mib": str(like.memory_mib),
        "like": str(like.name),
    }
    return Remedy(kind=RemedyKind.ADD_HOST, facts=facts)


def adding(like: Host, count: int) -> Change:
    """Adds new hosts of a shape and CPU that is there, on the target release."""

    def change(fleet: Fleet) -> Fleet:
        facts = replace(like.facts, vulnerabilities=None, workarounds=None, registers=None, masks=None)
        new = replace(like, release=fleet.target, facts=facts, state=HostState.UP, address=None)
        added = [replace(new, name=HostName(f"{like.name}-added-{number}")) for number in range(1, count + 1)]
        return replace(fleet, hosts=tuple(sorted((*fleet.hosts, *added), key=lambda host: host.name)))

    return change

"""Reads a plan as a document and says what is wrong with it: slow, obvious, the reference for the judge's static invariants.

What happens to hosts and guests is played in `replay`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise

from fleetplan.fleet.model import Fleet, HostName, HostState
from fleetplan.rollout import durations
from fleetplan.rollout.copying import migration_s
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import Plan, PlanStatus, Step, StepId, StepKind, Wave

DAY_MIN = 24 * 60
WEEK_MIN = 7 * DAY_MIN
DISTURBING = frozenset({StepKind.CORDON, StepKind.MIGRATE, StepKind.STOP, StepKind.PIN})
LATEST_S = 1 << 40
NAMES = ("guest", "source", "destination", "host", "verdict")
OF_HOST = ("host",)
OF_GUEST = ("guest", "host")
NEEDS: dict[StepKind, tuple[str, ...]] = {
    StepKind.CORDON: OF_HOST,
    StepKind.UPGRADE: OF_HOST,
    StepKind.CHECK: OF_HOST,
    StepKind.UNCORDON: OF_HOST,
    StepKind.STOP: OF_GUEST,
    StepKind.START: OF_GUEST,
    StepKind.PIN: OF_GUEST,
    StepKind.MIGRATE: ("guest", "source", "destination", "verdict"),
    StepKind.GATE: (),
}


def readable(fleet: Fleet, plan: Plan, digest: str) -> list[Violation]:
    """Whether the plan is for this fleet, and its words have a meaning; if not, nothing else can be said of it."""
    return sorted({*_inventory(fleet, plan, digest), *_steps(fleet, plan), *_order(plan)})


def proofread(fleet: Fleet, plan: Plan) -> list[Violation]:
    """What is wrong with a readable plan as a document. O(steps x waves)."""
    return sorted({*_durations(fleet, plan), *_waves(fleet, plan), *_gates(fleet, plan), *_windows(fleet, plan), *_claims(fleet, plan)})


def steps_of(plan: Plan) -> list[Step]:
    """All steps in the order of the plan."""
    return [step for wave in plan.waves for step in wave.steps]


def _inventory(fleet: Fleet, plan: Plan, digest: str) -> Iterator[Violation]:
    same = (plan.inventory_digest, plan.target) == (digest, fleet.target)
    if not same or dict(plan.placement) != {guest.name: guest.on for guest in fleet.guests}:
        yield Violation(invariant=InvariantId.INVENTORY, subject="plan")


def _steps(fleet: Fleet, plan: Plan) -> Iterator[Violation]:
    hosts = {host.name for host in fleet.hosts}
    guests = {guest.name for guest in fleet.guests}
    for identifier, times in Counter(step.id for step in steps_of(plan)).items():
        if times > 1:
            yield Violation(invariant=InvariantId.STEPS, subject=identifier)
    for step in steps_of(plan):
        given = tuple(name for name in NAMES if getattr(step, name) is not None)
        strange = any(host is not None and host not in hosts for host in (step.host, step.source, step.destination))
        stranger = step.guest is not None and step.guest not in guests
        timeless = not (0 <= step.start_s < LATEST_S and 0 <= step.duration_s < LATEST_S)
        if given != NEEDS[step.kind] or strange or stranger or timeless:
            yield Violation(invariant=InvariantId.STEPS, subject=step.id)


def _order(plan: Plan) -> Iterator[Violation]:
    by_id = {step.id: step for step in steps_of(plan)}
    seen: set[StepId] = set()
    for step in steps_of(plan):
        for earlier in step.after:
            there = by_id.get(earlier)
            late = there is None or there.end_s > step.start_s
            if late or (there is not None and there.start_s == step.end_s and earlier not in seen):
                yield Violation(invariant=InvariantId.ORDER, subject=step.id)
        seen.add(step.id)


def _durations(fleet: Fleet, plan: Plan) -> Iterator[Violation]:
    hosts = {host.name: host for host in fleet.hosts}
    guests = {guest.name: guest for guest in fleet.guests}
    fixed = {StepKind.CHECK: durations.CHECK_S, StepKind.STOP: durations.STOP_S, StepKind.START: durations.START_S}
    fixed |= {StepKind.PIN: durations.PIN_S, StepKind.UNCORDON: durations.UNCORDON_S}
    for step in steps_of(plan):
        least = fixed.get(step.kind, 0)
        if step.kind is StepKind.UPGRADE and step.host is not None:
            least = hosts[step.host].reboot_s
        elif step.guest is not None and step.source is not None and step.destination is not None:
            least = migration_s(guests[step.guest], hosts[step.source], hosts[step.destination])
        if step.duration_s < least:
            yield Violation(invariant=InvariantId.DURATION, subject=step.id)


def _waves(fleet: Fleet, plan: Plan) -> Iterator[Violation]:
    done = {host.name for host in fleet.hosts if host.release == fleet.target}
    upgraded_in = {step.host: wave.number for wave in plan.waves for step in wave.steps if step.kind is StepKind.UPGRADE}
    for number, wave in enumerate(plan.waves, 1):
        wrong = wave.number != number or len(set(wave.hosts)) < len(wave.hosts)
        if wrong or any(upgraded_in.get(host) != number for host in wave.hosts):
            yield Violation(invariant=InvariantId.WAVES, subject=f"wave {number}")
        if any(_too_wide(fleet, upgraded_in, number, scope) for scope in ("fleet", "zone", "rack")):
            yield Violation(invariant=InvariantId.WAVES, subject=f"wave {number}")
        for step in wave.steps:
            stray = NEEDS[step.kind] == OF_HOST and step.host not in wave.hosts
            lands = step.destination if step.kind is StepKind.MIGRATE and step.destination not in done else None
            early = lands is not None and upgraded_in.get(lands) in {None, number} and (lands in upgraded_in or lands not in plan.later)
            if stray or early:
                yield Violation(invariant=InvariantId.WAVES, subject=step.id)


def _too_wide(fleet: Fleet, upgraded_in: Mapping[HostName | None, int], number: int, scope: str) -> bool:
    """Whether somewhere the hosts that a wave takes away, and those that are away until it or longer, are more than may be."""
    limit = getattr(fleet.policy.max_unavailable, scope)
    for place in {getattr(host, scope, "") for host in fleet.hosts} if limit is not None else ():
        hosts = [host for host in fleet.hosts if getattr(host, scope, "") == place]
        taken = sum(host.state is HostState.UP and upgraded_in.get(host.name) == number for host in hosts)
        away = sum(host.state is not HostState.UP and upgraded_in.get(host.name, number) >= number for host in hosts)
        if taken and taken + away > limit.of(len(hosts)):
            return True
    return False


def _gates(fleet: Fleet, plan: Plan) -> Iterator[Violation]:
    rules, before = fleet.policy.gates, plan.waves_before
    for number, wave in enumerate(plan.waves, 1):
        wanted = [rule for rule in rules if rule.after in {None, before + number} and number < len(plan.waves)]
        gates = [step for step in wave.steps if step.kind is StepKind.GATE]
        if wanted and (not gates or gates[0].duration_s < max(rule.soak_s for rule in wanted)):
            yield Violation(invariant=InvariantId.GATES, subject=f"wave {number}")
        if any(rule.hosts and (rule.after is None or before + number <= rule.after) and len(wave.hosts) > rule.hosts for rule in rules):
            yield Violation(invariant=InvariantId.GATES, subject=f"wave {number}")
        if gates and not (_holds_back(plan.waves[:number], gates[0], plan) and _held_back(plan.waves[number:], gates[0], plan)):
            yield Violation(invariant=InvariantId.GATES, subject=gates[0].id)


def _holds_back(before: tuple[Wave, ...], gate: Step, plan: Plan) -> bool:
    """A gate waits for everything before it."""
    others = [step for wave in before for step in wave.steps if step.id != gate.id]
    return all(step.end_s <= gate.start_s for step in others) and {step.id for step in others} <= ancestors(plan, gate)


def _held_back(behind: tuple[Wave, ...], gate: Step, plan: Plan) -> bool:
    """Everything after a gate waits for it."""
    others = [step for wave in behind for step in wave.steps]
    return all(step.start_s >= gate.end_s and gate.id in ancestors(plan, step) for step in others)


def ancestors(plan: Plan, step: Step) -> set[StepId]:
    """Everything that has ended, whatever steps take, when a step starts."""
    by_id = {other.id: other for other in steps_of(plan)}
    found: set[StepId] = set()
    open_ = [*step.after]
    while open_:
        earlier = open_.pop()
        if earlier not in found:
            found.add(earlier)
            open_ += by_id[earlier].after
    return found


def _windows(fleet: Fleet, plan: Plan) -> Iterator[Violation]:
    if (plan.begins_min is not None and not 0 <= plan.begins_min < WEEK_MIN) or (fleet.policy.windows and plan.begins_min is None):
        yield Violation(invariant=InvariantId.WINDOWS, subject="plan")
    elif fleet.policy.windows:
        for step in steps_of(plan):
            if step.kind in DISTURBING and not _is_open(fleet, plan, step.start_s):
                yield Violation(invariant=InvariantId.WINDOWS, subject=step.id)


def _is_open(fleet: Fleet, plan: Plan, when_s: int) -> bool:
    """Whether a window is open at some time of a plan: one of that day, or one of the day before that goes on over midnight."""
    minute, second = divmod((plan.begins_min or 0) * 60 + when_s, 60)
    day, minute = divmod(minute % WEEK_MIN, DAY_MIN)
    now = minute * 60 + second
    for window in fleet.policy.windows:
        start, end = window.start_min * 60, window.end_min * 60
        if end <= start:
            end += DAY_MIN * 60
        yesterday = (day - 1) % 7
        if (day + 1 in window.days and start <= now < end) or (yesterday + 1 in window.days and start <= now + DAY_MIN * 60 < end):
            return True
    return False


def _claims(fleet: Fleet, plan: Plan) -> Iterator[Violation]:
    steps = steps_of(plan)
    end = max((step.end_s for step in steps), default=0)
    moves = sum(step.kind is StepKind.MIGRATE for step in steps)
    stated = ((plan.bounds.moves, moves), (plan.bounds.waves, len(plan.waves)), (plan.bounds.makespan_s, end))
    for bound, real in stated:
        if bound.plan != real or not 0 <= bound.bound <= real:
            yield Violation(invariant=InvariantId.CLAIMS, subject="bounds")
    best = all(bound.met for bound, _ in stated)
    if plan.status is not (PlanStatus.OPTIMAL if best else PlanStatus.WITHIN_GAP):
        yield Violation(invariant=InvariantId.CLAIMS, subject="status")
    if steps and not _is_critical(fleet, plan, end):
        yield Violation(invariant=InvariantId.CLAIMS, subject="critical path")


def _is_critical(fleet: Fleet, plan: Plan, end: int) -> bool:
    """Steps that wait for one another, from the start of the plan to its end, without a pause but for windows."""
    by_id = {step.id: step for step in steps_of(plan)}
    path = [by_id[identifier] for identifier in plan.critical_path if identifier in by_id]
    if not path or len(path) < len(plan.critical_path):
        return False
    linked = all(first.id in second.after and _goes_on(fleet, plan, first.end_s, second) for first, second in pairwise(path))
    return linked and _goes_on(fleet, plan, 0, path[0]) and not path[0].after and path[-1].end_s == end


def _goes_on(fleet: Fleet, plan: Plan, since_s: int, step: Step) -> bool:
    """Whether a step starts at a time, or at the first minute from then on in which a window is open."""
    if step.start_s == since_s or step.kind not in DISTURBING or not fleet.policy.windows:
        return step.start_s == since_s
    begins_s = (plan.begins_min or 0) * 60
    next_minute = -(-(since_s + begins_s) // 60) * 60 - begins_s
    waits = step.start_s > since_s and (step.start_s + begins_s) % 60 == 0 and step.start_s - since_s <= WEEK_MIN * 60
    closed = not any(_is_open(fleet, plan, when) for when in (since_s, *range(next_minute, step.start_s, 60)) if when < step.start_s)
    return waits and closed and _is_open(fleet, plan, step.start_s)

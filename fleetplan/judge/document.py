"""Invariants of the plan as a document: names, order, durations, waves, gates, and what it says of itself."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from fleetplan.fleet.model import GuestName, HostName, HostState
from fleetplan.fleet.policy import Immovable
from fleetplan.judge.case import Case, broken
from fleetplan.rollout import durations
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import PlanStatus, Step, StepKind

ON_HOST = frozenset({StepKind.CORDON, StepKind.UPGRADE, StepKind.CHECK, StepKind.UNCORDON})
ON_GUEST = frozenset({StepKind.STOP, StepKind.START, StepKind.PIN})


def inventory(case: Case) -> Iterator[Violation]:
    """Digest, target and placement."""
    rule, plan = InvariantId.INVENTORY, case.plan
    if plan.inventory_digest != case.digest:
        yield broken(rule, "plan", plan_digest=plan.inventory_digest[:23], inventory_digest=case.digest[:23])
    elif plan.target != case.fleet.target:
        yield broken(rule, "plan", plan_target=plan.target, inventory_target=case.fleet.target)
    elif dict(plan.placement) != {guest.name: guest.on for guest in case.fleet.guests}:
        yield broken(rule, "plan", differs="placement")


def steps(case: Case) -> Iterator[Violation]:
    """Ids, and what a step must name."""
    rule = InvariantId.STEPS
    for identifier, count in Counter(step.id for step in case.steps).items():
        if count > 1:
            yield broken(rule, identifier, times=count)
    for step in case.steps:
        missing = [name for name in _needed(step) if getattr(step, name) is None]
        unknown = [host for host in (step.host, step.source, step.destination) if host is not None and host not in case.hosts]
        if missing:
            yield broken(rule, step.id, step, missing=", ".join(missing))
        elif unknown:
            yield broken(rule, step.id, step, unknown_host=unknown[0])
        elif step.guest is not None and step.guest not in case.guests:
            yield broken(rule, step.id, step, unknown_guest=step.guest)
        elif step.start_s < 0 or step.duration_s < 0:
            yield broken(rule, step.id, step, start_s=step.start_s, duration_s=step.duration_s)


def _needed(step: Step) -> tuple[str, ...]:
    if step.kind is StepKind.MIGRATE:
        return ("guest", "source", "destination", "verdict")
    if step.kind in ON_GUEST:
        return ("guest", "host")
    return ("host",) if step.kind in ON_HOST else ()


def order(case: Case) -> Iterator[Violation]:
    """A step starts when all in its `after` have ended; so there is no circle among steps that take time, nor among those that do not."""
    seen: set[str] = set()
    for step in case.steps:
        for earlier in step.after:
            there = case.by_id.get(earlier)
            if there is None:
                yield broken(InvariantId.ORDER, step.id, step, waits_for=earlier)
            elif there.end_s > step.start_s:
                yield broken(InvariantId.ORDER, step.id, step, there, ends_s=there.end_s)
            elif there.start_s == step.end_s and earlier not in seen:
                yield broken(InvariantId.ORDER, step.id, step, there, stands_before=step.id)
        seen.add(step.id)


def after(case: Case) -> Iterator[Violation]:
    """The dependencies that keep a plan safe whatever its steps take."""
    leaving: dict[HostName, list[Step]] = defaultdict(list)
    arriving: dict[HostName, list[Step]] = defaultdict(list)
    for step in case.steps:
        if step.kind is StepKind.MIGRATE and step.source is not None and step.destination is not None:
            leaving[step.source].append(step)
            arriving[step.destination].append(step)
        elif step.kind in {StepKind.STOP, StepKind.PIN} and step.host is not None:
            leaving[step.host].append(step)
    for step in case.migrations:
        yield from _migration_waits(case, step, leaving)
    for (host, kind), (first, *_) in case.of_host.items():
        match kind:
            case StepKind.CORDON:
                yield from _waits(case, first, [step for step in arriving.get(host, []) if step.end_s <= first.start_s])
            case StepKind.UPGRADE:
                yield from _waits(case, first, _sinks(leaving.get(host, [])) or case.on(host, StepKind.CORDON)[:1])
            case StepKind.CHECK:
                yield from _waits(case, first, case.on(host, StepKind.UPGRADE)[:1])
            case StepKind.UNCORDON:
                yield from _waits(case, first, case.on(host, StepKind.CHECK)[:1])
            case StepKind.START:
                for start in case.on(host, kind):
                    yield from _start_waits(case, start)
            case _:
                pass


def _waits(case: Case, step: Step, needed: list[Step]) -> Iterator[Violation]:
    """Every needed step is in `after`, directly or behind one that is."""
    direct = set(step.after)
    behind = {earlier for first in step.after if first in case.by_id for earlier in case.by_id[first].after}
    for other in needed:
        if other.id not in direct and other.id not in behind:
            yield broken(InvariantId.AFTER, step.id, step, other, waits_not_for=other.id)


def _sinks(steps: list[Step]) -> list[Step]:
    """Steps that no other of them waits for."""
    waited = {earlier for step in steps for earlier in step.after}
    return [step for step in steps if step.id not in waited]


def _migration_waits(case: Case, step: Step, leaving: dict[HostName, list[Step]]) -> Iterator[Violation]:
    cordon = case.one(step.source, StepKind.CORDON)
    own = {other.id for other in leaving.get(step.source or HostName(""), [])}
    if cordon is not None and cordon.id not in step.after and not own & set(step.after):
        yield broken(InvariantId.AFTER, step.id, step, cordon, waits_not_for=cordon.id)
    opened = case.one(step.destination, StepKind.UNCORDON)
    if opened is not None and opened.end_s <= step.start_s:
        reached = {*step.after, *(cordon.after if cordon is not None else ())}
        if opened.id not in reached:
            yield broken(InvariantId.AFTER, step.id, step, opened, waits_not_for=opened.id)


def _start_waits(case: Case, start: Step) -> Iterator[Violation]:
    """A start waits for its host's uncordon, if it is upgraded in between; else for the guest's own stop or pin."""
    uncordon = case.one(start.host, StepKind.UNCORDON)
    before = [step for step in case.of_guest.get(start.guest or GuestName(""), []) if step.kind in {StepKind.STOP, StepKind.PIN}]
    stops = [step for step in before if step.end_s <= start.start_s]
    if uncordon is not None and stops and uncordon.start_s >= stops[0].end_s:
        yield from _waits(case, start, [uncordon])
    else:
        yield from _waits(case, start, stops[-1:])


def duration(case: Case) -> Iterator[Violation]:
    """No step is shorter than the model of durations says."""
    for step in case.steps:
        least = _least_s(case, step)
        if step.duration_s < least:
            yield broken(InvariantId.DURATION, step.id, step, duration_s=step.duration_s, least_s=least)


def _least_s(case: Case, step: Step) -> int:
    match step.kind:
        case StepKind.MIGRATE:
            guest = case.guests[step.guest or GuestName("")]
            source, destination = (case.hosts[name or HostName("")] for name in (step.source, step.destination))
            return durations.migration_s(guest, source, destination)
        case StepKind.UPGRADE:
            return case.hosts[step.host or HostName("")].reboot_s
        case StepKind.CHECK:
            return durations.CHECK_S
        case StepKind.STOP:
            return durations.STOP_S
        case StepKind.START:
            return durations.START_S
        case StepKind.PIN:
            return durations.PIN_S
        case StepKind.CORDON | StepKind.UNCORDON | StepKind.GATE:
            return 0


def waves(case: Case) -> Iterator[Violation]:
    """Numbers, the hosts of a wave, and where its guests may land."""
    rule = InvariantId.WAVES
    for expected, wave in enumerate(case.plan.waves, 1):
        if wave.number != expected:
            yield broken(rule, f"wave {wave.number}", expected=expected)
        named = set(wave.hosts)
        for host in wave.hosts:
            if host not in case.hosts or case.wave_of_host.get(host) != wave.number:
                yield broken(rule, f"wave {wave.number}", host=host)
        for step in wave.steps:
            if step.kind in ON_HOST and step.host not in named:
                yield broken(rule, f"wave {wave.number}", step, host=step.host)
            elif step.kind is StepKind.MIGRATE:
                yield from _lands_in_time(case, step, wave.number)


def _lands_in_time(case: Case, step: Step, number: int) -> Iterator[Violation]:
    destination = step.destination or HostName("")
    if case.hosts[destination].release == case.fleet.target:
        return
    upgraded_in = case.wave_of_host.get(destination)
    if upgraded_in is None or upgraded_in == number:
        yield broken(InvariantId.WAVES, step.id, step, destination=destination, upgraded_in=upgraded_in)


def gates(case: Case) -> Iterator[Violation]:
    """Gates that policy asks for exist between waves, and really separate them."""
    rule = InvariantId.GATES
    last = len(case.plan.waves)
    for wave in case.plan.waves:
        wanted = [gate for gate in case.fleet.policy.gates if gate.after in {None, wave.number}] if wave.number < last else []
        there = [step for step in wave.steps if step.kind is StepKind.GATE]
        soak = max((gate.soak_s for gate in wanted), default=0)
        if wanted and not there:
            yield broken(rule, f"wave {wave.number}", missing="gate")
        for gate in there[:1]:
            if gate.duration_s < soak:
                yield broken(rule, gate.id, gate, soak_s=soak)
            yield from _separates(case, gate, wave.number)
        for limit in case.fleet.policy.gates:
            if limit.hosts and (limit.after is None or wave.number <= limit.after) and len(wave.hosts) > limit.hosts:
                yield broken(rule, f"wave {wave.number}", hosts=len(wave.hosts), at_most=limit.hosts)


def _separates(case: Case, gate: Step, number: int) -> Iterator[Violation]:
    for wave in case.plan.waves:
        for step in wave.steps:
            if wave.number <= number and step is not gate and step.end_s > gate.start_s:
                yield broken(InvariantId.GATES, gate.id, gate, step, ends_s=step.end_s)
            elif wave.number > number and step.start_s < gate.end_s:
                yield broken(InvariantId.GATES, gate.id, gate, step, starts_s=step.start_s)
            elif wave.number > number and step.kind is StepKind.CORDON and not _behind_gate(case, step, gate):
                yield broken(InvariantId.GATES, gate.id, gate, step, waits_not_for=gate.id)


def _behind_gate(case: Case, cordon: Step, gate: Step) -> bool:
    """A cordon waits for the gate itself, or for a later one."""
    if gate.id in cordon.after:
        return True
    return any(case.by_id[earlier].kind is StepKind.GATE and case.by_id[earlier].start_s >= gate.end_s for earlier in cordon.after)


# --- what the plan says of itself ----------------------------------------------------------------------------------------------------


def claims(case: Case) -> Iterator[Violation]:
    """Counts, bounds, status, critical path, points of no return."""
    rule, plan = InvariantId.CLAIMS, case.plan
    end = max((step.end_s for step in case.steps), default=0)
    stated = {
        "moves": (plan.bounds.moves, len(case.migrations)),
        "waves": (plan.bounds.waves, len(plan.waves)),
        "makespan_s": (plan.bounds.makespan_s, end),
    }
    for name, (bound, real) in stated.items():
        if bound.plan != real or bound.bound > real:
            yield broken(rule, name, claimed=bound.plan, real=real, bound=bound.bound)
    met = all(bound.met for bound, _ in stated.values())
    if (plan.status is PlanStatus.OPTIMAL) != met or plan.status is PlanStatus.INFEASIBLE:
        yield broken(rule, "status", claimed=plan.status, bounds_met=met)
    yield from _critical_path(case, end)
    found = {(point.wave, guest) for point in plan.points_of_no_return for guest in point.guests}
    for wave, guest in sorted(found ^ set(_no_return(case))):
        claimed = (wave, guest) in found
        yield broken(rule, f"guest {guest}", wave=wave, claimed_no_return=claimed)


def _critical_path(case: Case, end: int) -> Iterator[Violation]:
    path = [case.by_id.get(identifier) for identifier in case.plan.critical_path]
    if not path:
        if case.steps:
            yield broken(InvariantId.CLAIMS, "critical path", missing="all of it")
        return
    known = [step for step in path if step is not None]
    linked = len(known) == len(path) and all(first.id in second.after for first, second in pairwise(known))
    if not linked or known[-1].end_s != end or known[0].after:
        yield broken(InvariantId.CLAIMS, "critical path", ends_s=known[-1].end_s if known else 0, makespan_s=end)


def _no_return(case: Case) -> Iterator[tuple[int, GuestName]]:
    """Guests that end on the target release and that no host as it was would take back, with the wave that brought them there."""
    goals: dict[str, set[int]] = defaultdict(set)
    for host in case.wave_of_host:
        goals[case.hosts[host].pool].add(case.classes.hosts_now[case.host_number[host]])
    by_restart = case.fleet.policy.immovable is Immovable.RESTART
    for guest in case.fleet.guests:
        host = case.last_host[guest.name]
        record = case.hosts[host]
        back = goals.get(record.pool)
        on_target = record.release == case.fleet.target or host in case.wave_of_host
        if not back or not on_target or (guest.restartable and by_restart) or not _serves(case, host):
            continue
        kind = case.last_class(guest.name)
        here = case.classes.hosts_then[case.host_number[host]]
        if not any(case.classes.hop(kind, here, goal).allowed for goal in sorted(back)):
            moves = [step for step in case.of_guest.get(guest.name, []) if step.kind in {StepKind.MIGRATE, StepKind.START}]
            yield (_wave_of_arrival(case, moves), guest.name)


def _serves(case: Case, host: HostName) -> bool:
    """Whether guests of a host count: it is up, or becomes so."""
    return host in case.wave_of_host or case.hosts[host].state is HostState.UP


def _wave_of_arrival(case: Case, moves: list[Step]) -> int:
    """The wave that brought a guest to the target release; a restart for a pin on an upgraded host brings nobody anywhere."""
    brought = [step for step in moves if step.kind is StepKind.MIGRATE or step.host in case.wave_of_host]
    return case.wave_of_step[brought[-1].id] if brought else 0

"""Invariants of the plan as a document: names, order, durations, waves and gates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from fleetplan.fleet.policy import GateRule
from fleetplan.judge.case import Case
from fleetplan.judge.layout import SEQUENCE, listed
from fleetplan.rollout import durations
from fleetplan.rollout.columns import KINDS, LATEST_S, NO_VERDICT, NONE, Codes, Flags, Numbers, Placement, Places
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import StepKind

FIELDS = ("guest", "source", "destination", "host", "verdict")
"""What a step may name."""

NEEDED: dict[StepKind, tuple[str, ...]] = {
    **dict.fromkeys(SEQUENCE, ("host",)),
    **dict.fromkeys((StepKind.STOP, StepKind.START, StepKind.PIN), ("guest", "host")),
    StepKind.MIGRATE: ("guest", "source", "destination", "verdict"),
    StepKind.GATE: (),
}
"""What a step of each kind must name; it names nothing else."""

MASKS = np.array([sum(1 << FIELDS.index(field) for field in NEEDED[kind]) for kind in KINDS], np.uint8)


def inventory(case: Case) -> Iterator[Violation]:
    """Digest, target and placement."""
    rule, plan = InvariantId.INVENTORY, case.plan
    if plan.inventory_digest != case.digest:
        yield case.broken(rule, "plan", plan_digest=plan.inventory_digest[:23], inventory_digest=case.digest[:23])
    elif plan.target != case.fleet.target:
        yield case.broken(rule, "plan", plan_target=plan.target, inventory_target=case.fleet.target)
    elif not _placed(case):
        yield case.broken(rule, "plan", differs="placement")


def _placed(case: Case) -> bool:
    """Whether the plan begins where the guests are."""
    there = Placement(case.guests.names, case.hosts.names, case.guests.on)
    placement = case.plan.placement
    return there.same(placement) if isinstance(placement, Placement) else dict(placement) == there.as_dict()


# --- steps and their order -----------------------------------------------------------------------------------------------------------


def steps(case: Case) -> Iterator[Violation]:
    """Ids, what a step names, and times that are times."""
    rule, columns = InvariantId.STEPS, case.steps
    for identifier, count in _repeated(case):
        yield case.broken(rule, identifier, times=count)
    needed = MASKS[columns.kind]
    given = _given(case)
    unknown = _beyond(columns.host, case.hosts.names) | _beyond(columns.source, case.hosts.names)
    unknown |= _beyond(columns.destination, case.hosts.names)
    stranger = _beyond(columns.guest, case.guests.names)
    late = (columns.start_s < 0) | (columns.duration_s < 0) | (columns.start_s >= LATEST_S) | (columns.duration_s >= LATEST_S)
    for step in listed((needed != given) | unknown | stranger | late):
        identifier = columns.id(step)
        missing, needless = int(needed[step] & ~given[step]), int(given[step] & ~needed[step])
        if missing:
            yield case.broken(rule, identifier, step, missing=_fields(missing))
        elif unknown[step]:
            yield case.broken(rule, identifier, step, unknown_host=_strange_host(case, step))
        elif stranger[step]:
            yield case.broken(rule, identifier, step, unknown_guest=case.record(step).guest)
        elif needless:
            yield case.broken(rule, identifier, step, needless=_fields(needless))
        else:
            record = case.record(step)
            yield case.broken(rule, identifier, step, at_s=0, start_s=record.start_s, duration_s=record.duration_s)


def _repeated(case: Case) -> Iterator[tuple[str, int]]:
    """Ids that several steps have."""
    columns = case.steps
    if columns.given_ids is not None:
        if len(set(columns.given_ids)) < len(columns):
            yield from ((identifier, count) for identifier, count in Counter(columns.given_ids).items() if count > 1)
        return
    # A usual id says the wave, the kind, and the guest or else the host.
    on_guest = columns.guest != NONE
    named = np.where(on_guest, columns.guest, columns.host).astype(np.int64) + 1
    key = np.sort(((columns.wave.astype(np.int64) * len(KINDS) + columns.kind) * 2 + on_guest << 33) + named)
    if (key[1:] == key[:-1]).any():
        yield from ((identifier, count) for identifier, count in Counter(map(columns.id, range(len(columns)))).items() if count > 1)


def _given(case: Case) -> Codes:
    """By step, what it names: a bit for each of FIELDS."""
    columns = case.steps
    found = np.zeros(len(columns), np.uint8)
    for bit, field in enumerate(FIELDS):
        nothing = NO_VERDICT if field == "verdict" else NONE
        found |= (getattr(columns, field) != nothing).astype(np.uint8) << bit
    return found


def _fields(mask: int) -> str:
    return ", ".join(field for bit, field in enumerate(FIELDS) if mask >> bit & 1)


def _beyond(numbers: Places, names: Sequence[str]) -> Flags:
    """Numbers that nothing has."""
    beyond: Flags = (numbers < NONE) | (numbers >= len(names))
    return beyond


def _strange_host(case: Case, step: int) -> str:
    record = case.record(step)
    return next(name for name in (record.host, record.source, record.destination) if name is not None and name not in case.hosts.names)


def order(case: Case) -> Iterator[Violation]:
    """A step starts when all in its `after` have ended; so there is no circle among steps that take time, nor among those that do not."""
    rule, columns, waiting = InvariantId.ORDER, case.steps, case.waiting
    known = (columns.after >= 0) & (columns.after < len(columns))
    for edge in listed(~known):
        step = int(waiting[edge])
        yield case.broken(rule, columns.id(step), step, waits_for=_awaited(case, step, edge))
    earlier = np.where(known, columns.after, waiting)
    late = known & (columns.end_s[earlier] > columns.start_s[waiting])
    # Steps that take no time at one moment happen in the order of the plan.
    stands = known & ~late & (columns.start_s[earlier] == columns.end_s[waiting]) & (earlier >= waiting)
    for edge in listed(late | stands):
        step, there = int(waiting[edge]), int(earlier[edge])
        facts = {"ends_s": columns.end_s[there]} if late[edge] else {"stands_before": columns.id(step)}
        yield case.broken(rule, columns.id(step), step, there, **facts)


def _awaited(case: Case, step: int, edge: int) -> str:
    """What a step says that it waits for."""
    return case.record(step).after[edge - int(case.steps.after_at[step])]


def duration(case: Case) -> Iterator[Violation]:
    """No step is shorter than the model of durations says."""
    columns = case.steps
    least = _least_s(case)
    for step in listed(columns.duration_s < least):
        yield case.broken(InvariantId.DURATION, columns.id(step), step, duration_s=columns.duration_s[step], least_s=least[step])


FIXED_S = {
    StepKind.CHECK: durations.CHECK_S,
    StepKind.UNCORDON: durations.UNCORDON_S,
    StepKind.STOP: durations.STOP_S,
    StepKind.START: durations.START_S,
    StepKind.PIN: durations.PIN_S,
}


def _least_s(case: Case) -> Numbers:
    fixed = np.array([FIXED_S.get(kind, 0) for kind in KINDS], np.int64)
    found = fixed[case.steps.kind]
    moves, upgrades = case.migrations, case.by_kind[StepKind.UPGRADE]
    rate = case.hosts.bandwidth_mib_s
    link = np.minimum(rate[case.steps.source[moves]], rate[case.steps.destination[moves]])
    guest = case.steps.guest[moves]
    found[moves] = durations.migrations_s(case.guests.size[guest, 1], case.guests.dirty_rate_mib_s[guest], link)
    found[upgrades] = case.hosts.reboot_s[case.steps.host[upgrades]]
    return found


# --- waves ---------------------------------------------------------------------------------------------------------------------------


def waves(case: Case) -> Iterator[Violation]:
    """Numbers, the hosts of a wave, and where its guests may land."""
    rule = InvariantId.WAVES
    number = {name: place for place, name in enumerate(case.hosts.names)}
    named = np.zeros(len(number), np.int32)
    for expected, wave in enumerate(case.plan.waves, 1):
        if wave.number != expected:
            yield case.broken(rule, f"wave {wave.number}", expected=expected)
        places = np.array([number.get(host, NONE) for host in wave.hosts], np.int64)
        upgraded = (places != NONE) & (case.wave_of_host[places] == expected)
        for place in listed(~upgraded):
            yield case.broken(rule, f"wave {wave.number}", host=wave.hosts[place])
        if len(set(wave.hosts)) < len(wave.hosts):
            yield case.broken(rule, f"wave {wave.number}", names="a host twice")
        known = places[places != NONE]
        named[known] = np.where((named[known] == 0) | (case.wave_of_host[known] == expected), expected, named[known])
    yield from _strays(case, named)
    yield from _lands_late(case)


def _strays(case: Case, named: Places) -> Iterator[Violation]:
    """Steps of hosts that another wave names, or none."""
    for kind in SEQUENCE:
        of_kind = case.by_kind[kind]
        for step in listed(named[case.steps.host[of_kind]] != case.wave[of_kind], of_kind):
            number = case.plan.waves[case.wave[step] - 1].number
            yield case.broken(InvariantId.WAVES, f"wave {number}", step, host=case.hosts.names[case.steps.host[step]])


def _lands_late(case: Case) -> Iterator[Violation]:
    """A landing on a host of the same wave, or on one that stays old."""
    moves = case.migrations
    there = case.steps.destination[moves]
    upgraded_in = case.wave_of_host[there]
    stays = (upgraded_in == 0) & ~case.later[there]
    for step in listed(~case.hosts.on_target[there] & (stays | (upgraded_in == case.wave[moves])), moves):
        there_too = int(case.steps.destination[step])
        facts: dict[str, object] = {"destination": case.hosts.names[there_too], "upgraded_in": int(case.wave_of_host[there_too]) or None}
        yield case.broken(InvariantId.WAVES, case.steps.id(step), step, **facts)


# --- gates ---------------------------------------------------------------------------------------------------------------------------


def gates(case: Case) -> Iterator[Violation]:
    """Gates that policy asks for exist between waves, and really separate them."""
    rule, last, before = InvariantId.GATES, len(case.plan.waves), case.plan.waves_before
    for number, wave in enumerate(case.plan.waves, 1):
        wanted = [gate for gate in case.fleet.policy.gates if gate.after in {None, before + number}] if number < last else []
        soak = max((gate.soak_s for gate in wanted), default=0)
        gate = gate_of(case, number)
        if gate == NONE:
            if wanted:
                yield case.broken(rule, f"wave {wave.number}", missing="gate")
        else:
            if case.steps.duration_s[gate] < soak:
                yield case.broken(rule, case.steps.id(gate), gate, soak_s=soak)
            yield from _separates(case, gate, number)
        yield from _too_wide(case, number, case.fleet.policy.gates)
    yield from _bypasses(case)


def gate_of(case: Case, wave: int) -> int:
    """The first gate that stands in a wave."""
    found = case.by_kind[StepKind.GATE]
    here = found[case.wave[found] == wave]
    return int(here[0]) if len(here) else NONE


def _too_wide(case: Case, number: int, rules: tuple[GateRule, ...]) -> Iterator[Violation]:
    wave, counted = case.plan.waves[number - 1], number + case.plan.waves_before
    for limit in rules:
        if limit.hosts and (limit.after is None or counted <= limit.after) and len(wave.hosts) > limit.hosts:
            yield case.broken(InvariantId.GATES, f"wave {wave.number}", hosts=len(wave.hosts), at_most=limit.hosts)


def _separates(case: Case, gate: int, number: int) -> Iterator[Violation]:
    """What is forecast to end after a gate though it comes before it, or to start before it though it comes after."""
    columns, border = case.steps, int(case.wave_at[number])
    before = columns.end_s[:border] > columns.start_s[gate]
    before[gate] = False
    for step in listed(before):
        yield case.broken(InvariantId.GATES, columns.id(gate), gate, step, ends_s=columns.end_s[step])
    for place in listed(columns.start_s[border:] < columns.end_s[gate]):
        step = border + place
        yield case.broken(InvariantId.GATES, columns.id(gate), gate, step, starts_s=columns.start_s[step])


def _bypasses(case: Case) -> Iterator[Violation]:
    """Steps that do not wait for the gate before them, and steps for which the gate after them does not wait.

    It is enough to look at what a step waits for directly: if every step behind a gate waits for it, or for another step behind it, all of
    them come after it, for there are no circles. The same backwards.
    """
    waves_with = [number for number in range(1, len(case.plan.waves) + 1) if gate_of(case, number) != NONE]
    if not waves_with:
        return
    gate = np.array([gate_of(case, number) for number in waves_with], np.int64)
    border = np.array(waves_with, np.int64)
    columns, earlier, waiting = case.steps, case.steps.after, case.waiting
    behind = np.searchsorted(border, case.wave, side="left") - 1
    ahead = behind + 1
    held = np.zeros(len(columns), np.bool_)
    known = behind[waiting] >= 0
    held[waiting[known & ((earlier == gate[behind[waiting]]) | (behind[earlier] == behind[waiting]))]] = True
    for step in listed((behind >= 0) & ~held):
        own = int(gate[behind[step]])
        yield case.broken(InvariantId.GATES, columns.id(own), own, step, waits_not_for=columns.id(own))
    awaited = np.zeros(len(columns), np.bool_)
    closed = np.minimum(ahead, len(gate) - 1)
    awaited[earlier[(waiting == gate[closed[earlier]]) | (ahead[waiting] == ahead[earlier])]] = True
    awaited[gate] = True
    for step in listed((ahead < len(gate)) & ~awaited):
        own = int(gate[ahead[step]])
        yield case.broken(InvariantId.GATES, columns.id(own), own, step, waits_not_for=columns.id(step))

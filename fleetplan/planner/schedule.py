"""When steps start, and what each waits for.

A list schedule without barriers between waves: a host is cordoned as soon as a slot of max-unavailable is free in every scope and all
landing places of its guests are uncordoned. `after` carries every dependency that safety needs: slots are handed over from uncordon to
cordon, streams are chains, a gate waits for all before it and all after it wait for the gate.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fleetplan.fleet.policy import GateRule
from fleetplan.migration.reasons import Verdict
from fleetplan.planner.packing import Landing
from fleetplan.planner.pins import Boot, Boots
from fleetplan.planner.problem import Problem
from fleetplan.rollout.durations import CHECK_S, CORDON_S, PIN_S, START_S, STOP_S, UNCORDON_S, migration_s
from fleetplan.rollout.plan import Pin, Step, StepId, StepKind, Wave

Free = tuple[int, StepId]
"""From when on a slot or a stream is free, and the step that frees it (empty: free from the start)."""

NOTHING: Free = (0, StepId(""))


@dataclass(frozen=True, slots=True)
class Timetable:
    """The steps of a plan, and what follows from their times."""

    waves: tuple[Wave, ...]
    pins: tuple[Pin, ...]
    critical_path: tuple[StepId, ...]
    makespan_s: int
    moves: int


@dataclass(slots=True)
class _Clock:
    """What is free when."""

    slots: dict[tuple[str, str], list[Free]] = field(default_factory=dict)
    sending: dict[int, list[Free]] = field(default_factory=dict)
    receiving: dict[int, list[Free]] = field(default_factory=dict)
    ready: dict[int, Free] = field(default_factory=dict)
    """Upgraded hosts: when uncordoned, by which step."""
    arrivals: dict[int, list[Free]] = field(default_factory=lambda: defaultdict(list))
    """Migrations to hosts that are still old."""
    left: dict[tuple[str, str], list[Free]] = field(default_factory=lambda: defaultdict(list))
    """Migrations of group members away from a rack or zone."""
    owed: dict[tuple[str, str], list[Free]] = field(default_factory=lambda: defaultdict(list))
    """Uncordons that only brought a place back to its limit."""
    gate: Free = NOTHING


Waves = list[tuple[list[int], dict[int, list[Landing]]]]
"""Of each wave its hosts, and the landings of each host's guests."""

Verdicts = Mapping[tuple[int, int, int], Verdict]
"""By guest, source and destination."""


def schedule(problem: Problem, waves: Waves, verdicts: Verdicts, boots: Boots) -> Timetable:
    """Lay out the steps of all waves. O(steps log hosts)."""
    return _Scheduler(problem, verdicts, boots).run(waves)


class _Scheduler:
    def __init__(self, problem: Problem, verdicts: Verdicts, boots: Boots) -> None:
        self._problem = problem
        self._verdicts = verdicts
        self._upgraded = frozenset(problem.upgraded)
        self._boots = boots
        self._clock = _Clock()
        self._streams = problem.fleet.policy.streams
        self._steps: dict[StepId, Step] = {}
        self._pins: list[Pin] = []
        self._number = 0
        self._debts: dict[tuple[str, str], int] = {}
        for place, slots in problem.slots().items():
            self._clock.slots[place] = [NOTHING] * slots.free
            self._debts[place] = max(slots.taken + slots.held - slots.limit, 0)

    def run(self, waves: Waves) -> Timetable:
        laid: list[Wave] = []
        since_gate: list[Step] = []
        for number, (hosts, landings) in enumerate(waves, 1):
            self._number = number
            before = len(self._steps)
            if number == 1:
                for boot in self._boots.in_place:
                    self._reboot(boot)
            for host in sorted(hosts, key=lambda host: (self._ready(landings[host])[0], hosts.index(host))):
                self._host(host, landings[host])
            own = list(self._steps.values())[before:]
            since_gate += own
            if number < len(waves) and (rules := self._gates(number)):
                own.append(self._gate(rules, since_gate))
                since_gate = []
            laid.append(Wave(number=number, hosts=tuple(self._problem.hosts[host].name for host in hosts), steps=tuple(own)))
        steps = self._steps
        last = max(steps.values(), key=lambda step: step.end_s, default=None)
        moves = sum(step.kind is StepKind.MIGRATE for step in steps.values())
        path = () if last is None else self._critical(last)
        return Timetable(tuple(laid), tuple(self._pins), path, 0 if last is None else last.end_s, moves)

    # --- one host -----------------------------------------------------------------------------------------------------------------

    def _ready(self, landings: list[Landing]) -> Free:
        """When the last of the landing places is uncordoned."""
        return max((self._clock.ready.get(there, NOTHING) for _, there in landings), default=NOTHING, key=lambda free: free[0])

    def _host(self, host: int, landings: list[Landing]) -> None:
        record = self._problem.hosts[host]
        waits = [
            self._clock.gate,
            *(self._clock.ready[there] for there in dict.fromkeys(to for _, to in landings) if there in self._clock.ready),
        ]
        waits += self._clock.arrivals.pop(host, [])
        held = [place for place in self._problem.places(host) if place in self._clock.slots]
        if not self._problem.is_held(host):
            waits += [heapq.heappop(self._clock.slots[place]) for place in held]
            waits += [free for place in held for free in self._clock.owed[place]]
        cordon = self._add(StepKind.CORDON, record.name, waits, CORDON_S, host=host)
        ends = self._drain(host, landings, cordon) or [cordon]
        boots = [self._boots.restarts[guest] for guest in self._problem.residents[host] if guest in self._boots.restarts]
        ends = [self._stop(boot, ends) for boot in boots] or ends
        upgrade = self._add(StepKind.UPGRADE, record.name, _frees(ends), record.reboot_s, host=host)
        check = self._add(StepKind.CHECK, record.name, _frees([upgrade]), CHECK_S, host=host)
        uncordon = self._add(StepKind.UNCORDON, record.name, _frees([check]), UNCORDON_S, host=host)
        for boot in boots:
            self._start(boot, [uncordon])
        for place in held:
            self._free(place, (uncordon.end_s, uncordon.id))
        self._clock.ready[host] = (uncordon.end_s, uncordon.id)

    def _free(self, place: tuple[str, str], free: Free) -> None:
        """Hand a slot on; where more hosts were cordoned from the start than the limit allows, the first ones back free none."""
        if len(self._clock.owed[place]) < self._debts[place]:
            self._clock.owed[place].append(free)
        else:
            heapq.heappush(self._clock.slots[place], free)

    def _drain(self, host: int, landings: list[Landing], cordon: Step) -> list[Step]:
        """Migrate guests, always the one whose landing place is free first; the last step of each stream."""
        sending = [(cordon.end_s, cordon.id)] * self._streams
        open_landings = dict.fromkeys(landings)
        last: dict[StepId, Step] = {}
        while open_landings:
            landing = min(open_landings, key=lambda pair: (self._receiver(pair[1])[0], -self._problem.guests[pair[0]].memory_mib, pair[0]))
            del open_landings[landing]
            free = heapq.heappop(sending)
            step = self._migrate(host, landing, free, cordon)
            last.pop(free[1], None)
            last[step.id] = step
            heapq.heappush(sending, (step.end_s, step.id))
        return list(last.values())

    def _receiver(self, host: int) -> Free:
        return self._clock.receiving.setdefault(host, [NOTHING] * self._streams)[0]

    def _migrate(self, host: int, landing: Landing, free: Free, cordon: Step) -> Step:
        guest, there = landing
        problem = self._problem
        receiving = self._clock.receiving[there]
        waits = [free, heapq.heappop(receiving), (cordon.end_s, cordon.id) if free[1] != cordon.id and self._streams > 1 else free]
        place, here = problem.place(guest, there), problem.place(guest, host)
        if place is not None and place != here:
            waits += self._clock.left.get(place, [])
        step = self._add(
            StepKind.MIGRATE,
            problem.guests[guest].name,
            waits,
            migration_s(problem.guests[guest], problem.hosts[host], problem.hosts[there]),
            host=None,
            guest=guest,
            source=host,
            destination=there,
        )
        heapq.heappush(receiving, (step.end_s, step.id))
        if there not in self._clock.ready and there not in self._upgraded:
            self._clock.arrivals[there].append((step.end_s, step.id))
        if here is not None and place != here:
            self._clock.left[here].append((step.end_s, step.id))
        return step

    # --- boots --------------------------------------------------------------------------------------------------------------------

    def _reboot(self, boot: Boot) -> None:
        """Stop, pin and start a guest on the host where it stays."""
        self._start(boot, [self._stop(boot, [])])

    def _stop(self, boot: Boot, after: Iterable[Step]) -> Step:
        name = self._problem.guests[boot.guest].name
        stop = self._add(StepKind.STOP, name, _frees(after), STOP_S, host=boot.host, guest=boot.guest)
        if boot.pin is None:
            return stop
        note = f"kvm-psci-version={boot.pin}"
        return self._add(StepKind.PIN, name, _frees([stop]), PIN_S, host=boot.host, guest=boot.guest, note=note)

    def _start(self, boot: Boot, after: Iterable[Step]) -> None:
        name = self._problem.guests[boot.guest].name
        start = self._add(StepKind.START, name, _frees(after), START_S, host=boot.host, guest=boot.guest)
        if boot.pin is not None:
            self._pins.append(Pin(guest=name, psci=boot.pin, effective=start.id, reason=boot.reason, cost=boot.cost))

    # --- gates --------------------------------------------------------------------------------------------------------------------

    def _gates(self, number: int) -> list[GateRule]:
        return [rule for rule in self._problem.fleet.policy.gates if rule.after in {None, number}]

    def _gate(self, rules: list[GateRule], before: list[Step]) -> Step:
        waited = {earlier for step in before for earlier in step.after}
        sinks = [step for step in before if step.id not in waited]
        soak, approval = max(rule.soak_s for rule in rules), any(rule.approval for rule in rules)
        words = [f"soak {soak} s"] if soak else []
        words += ["approval"] if approval else []
        gate = self._add(StepKind.GATE, "", _frees(sinks), soak, note=", ".join(words) or "all steps so far have ended")
        self._clock.gate = (gate.end_s, gate.id)
        return gate

    # --- steps --------------------------------------------------------------------------------------------------------------------

    def _add(
        self,
        kind: StepKind,
        name: str,
        waits: Iterable[Free],
        duration_s: int,
        *,
        host: int | None = None,
        guest: int | None = None,
        source: int | None = None,
        destination: int | None = None,
        note: str | None = None,
    ) -> Step:
        problem = self._problem
        waited = list(waits)
        verdict = None
        if guest is not None and source is not None and destination is not None:
            verdict = self._verdicts[guest, source, destination].value
        identifier = f"w{self._number}-{kind.value}" + (f"-{name}" if name else "")
        step = Step(
            id=StepId(identifier),
            kind=kind,
            after=tuple(dict.fromkeys(earlier for _, earlier in waited if earlier)),
            start_s=max((free for free, _ in waited), default=0),
            duration_s=duration_s,
            host=problem.hosts[host].name if host is not None else None,
            guest=problem.guests[guest].name if guest is not None else None,
            source=problem.hosts[source].name if source is not None else None,
            destination=problem.hosts[destination].name if destination is not None else None,
            verdict=verdict,
            note=note,
        )
        self._steps[step.id] = step
        return step

    def _critical(self, last: Step) -> tuple[StepId, ...]:
        """From the step that ends last back along what each step waited for."""
        path = [last]
        while path[-1].after:
            path.append(max((self._steps[earlier] for earlier in path[-1].after), key=lambda step: step.end_s))
        return tuple(step.id for step in reversed(path))


def _frees(steps: Iterable[Step]) -> list[Free]:
    return [(step.end_s, step.id) for step in steps]

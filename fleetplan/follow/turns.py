"""Whose turn it is: the hosts of an approved order that can go now, and those that cannot though it is their turn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fleetplan.fleet.model import GuestName, Host, HostName, HostState, Release
from fleetplan.fleet.policy import GateRule
from fleetplan.follow.approved import ANSWERED, Approved, approved
from fleetplan.planner.one_wave import OneWave
from fleetplan.planner.waves import WaveChoice
from fleetplan.rollout.columns import NONE, VERDICTS, Places
from fleetplan.rollout.part import Barrier, Waiting, WhyWaits
from fleetplan.rollout.plan import Plan, StepKind

GOES = frozenset({HostState.UP, HostState.CORDONED})
"""States of hosts that can be upgraded."""


@dataclass(frozen=True, slots=True, eq=False)
class Script:
    """What is taken from the plan that is followed: what was approved, what hosts ran then, and where guests were to land, by wave."""

    approved: Approved
    digest: str
    releases: Mapping[HostName, Release]
    landings: tuple[Mapping[GuestName, HostName], ...]

    @classmethod
    def of(cls, plan: Plan) -> Script:
        """Read a plan. O(steps)."""
        landings = []
        for wave in plan.waves:
            moves = sorted((step for step in wave.steps if step.kind is StepKind.MIGRATE), key=lambda step: step.start_s)
            landings.append({step.guest: step.destination for step in moves if step.guest and step.destination})
        found = approved(plan)
        ran = {host: Release(site.kernel, site.vmm) for host, site in plan.sites.items()}
        return cls(found, found.digest, ran, tuple(landings))


class Turns:
    """The hosts of a fleet in the order that was approved."""

    def __init__(self, script: Script, maker: OneWave) -> None:
        self.script, self.maker = script, maker
        self.problem = maker.problem
        self.number = {name: place for place, name in enumerate(self.problem.hosts.names)}
        self._wave_of = script.approved.wave_of()
        self.waiting: list[Waiting] = []
        self.shut: Barrier | None = None
        """The gate that keeps the hosts behind it back, where hosts were looked for last."""
        eligible = [place for place, host in enumerate(self.problem.fleet.hosts) if self._may_go(host, place)]
        self.waits = np.zeros(len(self.number), np.bool_)
        self.waits[eligible] = True
        self._leave_out(self._guests_in_the_way(np.array(eligible, np.int32)))

    @property
    def unfinished(self) -> Places:
        """Hosts that live, are not on the target, and are not to stay as they are."""
        found: Places = np.flatnonzero(self.problem.pending).astype(np.int32)
        return found

    # --- who may go -----------------------------------------------------------------------------------------------------------------

    def _may_go(self, host: Host, place: int) -> bool:
        """Whether a host is one of those that the plan upgrades, as it was when that was approved; if not, it waits."""
        if host.release == self.problem.fleet.target or self.problem.skipped[place]:
            return False
        if host.state not in GOES:
            self.waiting.append(Waiting(host=host.name, why=WhyWaits.STATE, what=host.state.value))
        elif host.name not in self._wave_of:
            self.waiting.append(Waiting(host=host.name, why=WhyWaits.NOT_IN_PLAN))
        elif host.release != self.script.releases.get(host.name, host.release):
            self.waiting.append(Waiting(host=host.name, why=WhyWaits.OTHER_RELEASE, what=str(host.release)))
        else:
            return True
        return False

    def _guests_in_the_way(self, hosts: Places) -> Iterator[Waiting]:
        """Hosts with guests that cannot leave, or would have to restart otherwise than was approved."""
        problem, names, boots = self.problem, self.problem.guests.names, self.maker.boots
        found: dict[tuple[int, WhyWaits, str], list[GuestName]] = defaultdict(list)
        for guest in self.maker.stuck(hosts).tolist():
            found[int(problem.guests.on[guest]), WhyWaits.STUCK, ""].append(names[guest])
        restarts = set(self.script.approved.restarts)
        for guest, boot in zip(boots.guests.tolist(), boots.boot.tolist(), strict=True):
            host, name, pin = int(problem.guests.on[guest]), names[guest], boots.boots[boot].pin
            if not self.waits[host]:
                continue
            if name not in restarts:
                found[host, WhyWaits.RESTART, ""].append(name)
            elif pin != self.script.approved.pins.get(name):
                found[host, WhyWaits.PIN, pin or "none"].append(name)
        for (host, why, what), guests in sorted(found.items()):
            yield Waiting(host=problem.hosts.names[host], why=why, guests=tuple(sorted(guests)), what=what)

    def _leave_out(self, waiting: Iterable[Waiting]) -> None:
        for each in waiting:
            self.waiting.append(each)
            self.waits[self.number[each.host]] = False

    def pass_over(self, hosts: Places) -> None:
        """Hosts for which there is no slot."""
        self._leave_out(Waiting(host=self.problem.hosts.names[host], why=WhyWaits.SLOTS) for host in hosts.tolist())

    def unanswered(self, choice: WaveChoice) -> list[Waiting]:
        """Hosts of a wave with moves that nobody has answered for; they wait from now on."""
        answered, problem = self.script.approved.answered, self.problem
        found: dict[int, list[GuestName]] = defaultdict(list)
        asked = np.array([verdict.value in ANSWERED for verdict in VERDICTS], np.bool_)
        for place in np.flatnonzero(asked[choice.verdicts]).tolist():
            name, verdict = problem.guests.names[choice.guests[place]], VERDICTS[choice.verdicts[place]].value
            if verdict not in answered.get(name, ()):
                found[int(choice.sources[place])].append(name)
        hosts = [Waiting(host=problem.hosts.names[host], why=WhyWaits.LOSS, guests=tuple(found[host])) for host in sorted(found)]
        self._leave_out(hosts)
        return hosts

    # --- whose turn it is -----------------------------------------------------------------------------------------------------------

    def due(self) -> tuple[int, Places]:
        """The hosts whose turn it is, in the approved order, and the number of their last wave (0: nobody is left).

        What is left over of waves that have begun goes with the wave after them, unless a gate stands in between. No gate is passed before
        a host in front of it has been upgraded: what it is for, such as a canary, has not been seen then.
        """
        last, found, others = 0, list[int](), self._others_first()
        for number, names in enumerate(self.script.approved.waves, 1):
            self.shut = None if found else self._shut_before(number)
            if self.shut is not None:
                break
            there = [self.number[name] for name in names if name in self.number]
            hosts = [place for place in there if self.waits[place] and not (others and self.problem.last[place])]
            if found and self._gate_between(last, number):
                break
            if hosts:
                found += hosts
                last = number
            if hosts and not any(self.problem.hosts.on_target[place] for place in there):
                break
        return last, np.array(found, np.int32)

    def _others_first(self) -> bool:
        """Whether hosts that go last have others of the plan to wait for."""
        others = np.flatnonzero(self.problem.pending & ~self.problem.last).tolist() if self.problem.last.any() else []
        return any(self.problem.hosts.names[host] in self._wave_of for host in others)

    def _shut_before(self, wave: int) -> Barrier | None:
        """The last gate before a wave, if none of the hosts between it and the gate before that one runs the target."""
        after = max((number for number in self._gates if number < wave), default=0)
        front = max((number for number in self._gates if number < after), default=0)
        hosts = [self.number[name] for names in self.script.approved.waves[front:after] for name in names if name in self.number]
        return self._gates[after] if hosts and not self.problem.hosts.on_target[hosts].any() else None

    def _gate_between(self, earlier: int, later: int) -> bool:
        return any(earlier <= number < later for number in self._gates)

    @property
    def _rules(self) -> tuple[GateRule, ...]:
        return self.problem.fleet.policy.gates

    @cached_property
    def _gates(self) -> dict[int, Barrier]:
        """Gates by the wave that they stand after: those that were approved, and those that policy has come to ask for."""
        found = {gate.after: gate for gate in self.script.approved.gates}
        for rule in self._rules:
            for after in range(1, len(self.script.approved.waves)) if rule.after is None else (rule.after,):
                note = "approval" if rule.approval else ""
                found.setdefault(after, Barrier(after=after, soak_s=rule.soak_s, note=note))
        return found

    def behind(self, hosts: Places) -> Barrier | None:
        """The gate that comes before a wave of hosts, unless it was passed: then hosts behind it have been upgraded."""
        first = min(self._wave_of[self.problem.hosts.names[host]] for host in hosts.tolist())
        after = max((number for number in self._gates if number < first), default=0)
        behind = (name for names in self.script.approved.waves[after:first] for name in names if name in self.number)
        passed = any(self.problem.hosts.on_target[self.number[name]] for name in behind)
        return self._gates[after] if after and not passed else None

    def most(self, wave: int) -> int | None:
        """Most hosts of a wave, by the canary gates that come after it."""
        limits = [rule.hosts for rule in self._rules if rule.hosts and (rule.after is None or wave <= rule.after)]
        return min(limits, default=None)

    def landing(self, hosts: Places, wave: int) -> Places:
        """Where guests of hosts were to land: on a host that is upgraded by now, or, as a seed, on one that goes later. Else NONE."""
        problem, found = self.problem, np.full(len(self.problem.guests.names), NONE, np.int32)
        guests = problem.residents.many(hosts)
        names = [problem.guests.names[guest] for guest in guests.tolist()]
        for landings in self._landings(hosts):
            for guest, name in zip(guests.tolist(), names, strict=True):
                goal = landings.get(name)
                place = self.number.get(goal, NONE) if goal is not None else NONE
                if goal is not None and place != NONE and (problem.upgraded[place] or self._wave_of.get(goal, 0) > wave):
                    found[guest] = place
        return found

    def _landings(self, hosts: Places) -> Iterator[Mapping[GuestName, HostName]]:
        numbers = {self._wave_of[self.problem.hosts.names[host]] for host in hosts.tolist()}
        return (self.script.landings[number - 1] for number in sorted(numbers))

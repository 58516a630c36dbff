"""What of a plan is left, as a plan of its own, from the state that is; so that the judge can say whether it is still safe.

What is under way is taken to end: a host that runs the target and does not serve yet will, a guest that is stopped will start. Hosts that
are cordoned and not upgraded are cordoned again at once, since the judge wants to see how a host that it upgrades was cordoned. Steps of
guests that are gone or elsewhere, and of hosts that the rollout cannot go on with, are left out; what waited for them waits for what they
waited for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from msgspec.structs import replace

from fleetplan.fleet.model import Birth, Fleet, Guest, GuestName, Host, HostName, HostState
from fleetplan.follow.position import Position, Stage
from fleetplan.judge.verify import verify
from fleetplan.migration.classes import ClassTable, GuestStates
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import Plan, Step, StepId, StepKind, Wave
from fleetplan.rollout.state import gates_left

STALE = frozenset({InvariantId.CLAIMS, InvariantId.DURATION, InvariantId.INVENTORY, InvariantId.WAVES})
"""What a plan says of itself, its forecast and its division into waves belong to the state in which it was made. Of waves that have begun
parts are left; that hosts which are away together are not too many, and that guests land on hosts that are back, other invariants say."""

OF_HOST = frozenset({StepKind.CORDON, StepKind.UPGRADE, StepKind.CHECK, StepKind.UNCORDON})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What the judge says of the rest: `violations` break something on the way, `left_out` are hosts that do not come to the target."""

    violations: tuple[Violation, ...]
    left_out: tuple[HostName, ...]

    @property
    def safe(self) -> bool:
        """Whether the rest can go on as planned without breaking anything."""
        return not self.violations


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutStatus:
    """Where a rollout stands, and what the judge says of the rest."""

    where: Position
    rest: Outlook


def outlook(fleet: Fleet, classes: ClassTable, where: Position, states: GuestStates | None = None) -> Outlook:
    """Have the rest of a plan judged from the state that is. `classes` are those of the fleet. O(steps log steps + hosts + guests)."""
    rest = _Rest(fleet, where)
    then, plan = rest.fleet(), rest.plan()
    table = classes if then is fleet else ClassTable(then, states if then.guests is fleet.guests else None)
    found = [each for each in verify(then, table, plan, digest=plan.inventory_digest) if each.invariant not in STALE]
    short = {each.subject for each in found if each.invariant is InvariantId.UPGRADED}
    return Outlook(
        violations=tuple(each for each in found if each.invariant is not InvariantId.UPGRADED),
        left_out=tuple(host.name for host in fleet.hosts if f"host {host.name}" in short),
    )


class _Rest:
    """The rest of one plan."""

    def __init__(self, fleet: Fleet, where: Position) -> None:
        self._fleet, self._where, self._plan = fleet, where, where.plan
        self._pins = {pin.guest: pin.psci for pin in where.plan.pins}
        self._returning = self._hosts_that_return()
        self._starting = self._guests_that_start()

    # --- what ends by itself ------------------------------------------------------------------------------------------------------

    def _hosts_that_return(self) -> frozenset[HostName]:
        """Hosts on the target that have still to be checked or opened."""
        waiting = {step.host for step in self._where.left if step.kind is StepKind.UNCORDON}
        return frozenset(host.name for host in self._fleet.hosts if host.name in waiting and host.release == self._plan.target)

    def _guests_that_start(self) -> frozenset[GuestName]:
        """Guests that are stopped for the upgrade of their host, which has ended."""
        done = self._where.done
        stopped = {step.guest for wave in self._plan.waves for step in wave.steps if step.kind is StepKind.STOP and step.id in done}
        return frozenset(step.guest for step in self._where.left if step.kind is StepKind.START and step.guest in stopped and step.guest)

    def fleet(self) -> Fleet:
        """The state from which the rest begins; the fleet itself, where nothing is under way."""
        hosts = tuple(map(self._host, self._fleet.hosts))
        fleet = self._fleet
        if any(one is not other for one, other in zip(hosts, fleet.hosts, strict=True)):
            fleet = replace(fleet, hosts=hosts)
        if self._starting:
            fleet = replace(fleet, guests=tuple(map(self._guest, fleet.guests)))
        before = self._first() - 1
        if before and fleet.policy.gates:
            fleet = replace(fleet, policy=gates_left(fleet.policy, before))
        return fleet if fleet.target == self._plan.target else replace(fleet, target=self._plan.target)

    def _host(self, host: Host) -> Host:
        if host.name in self._returning and host.state in {HostState.CORDONED, HostState.UPGRADING}:
            return replace(host, state=HostState.UP)
        if host.state is HostState.UPGRADING and host.name in self._where.stages:
            return replace(host, state=HostState.CORDONED)
        return host

    def _guest(self, guest: Guest) -> Guest:
        if guest.name not in self._starting:
            return guest
        kept = guest.born.psci if guest.born is not None else None
        target = self._plan.target
        born = Birth(kernel=target.kernel, vmm=target.vmm, psci=self._pins.get(guest.name, kept))
        return replace(guest, born=born, rebooted=None, vmm=None)

    # --- steps --------------------------------------------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """The rest as a plan for that state."""
        steps = self._steps()
        there = {step.id for mine in steps.values() for step in mine}
        first = self._first()
        waves = [self._wave(wave, steps.get(wave.number, []), first) for wave in self._plan.waves if wave.number >= first]
        return replace(
            self._plan,
            waves=tuple(waves),
            pins=tuple(pin for pin in self._plan.pins if pin.effective in there),
            placement={guest.name: guest.on for guest in self._fleet.guests},
        )

    def _first(self) -> int:
        """The first wave of which something is left."""
        left = (wave.number for wave in self._plan.waves if any(self._is_left(step) for step in wave.steps))
        return next(left, len(self._plan.waves) + 1)

    def _wave(self, wave: Wave, steps: list[Step], first: int) -> Wave:
        hosts = {step.host for step in steps if step.kind is StepKind.UPGRADE}
        return replace(wave, number=wave.number - first + 1, hosts=tuple(host for host in wave.hosts if host in hosts), steps=tuple(steps))

    def _is_left(self, step: Step) -> bool:
        """Whether a step is still to be done, and can be."""
        if step.id in self._where.done or step.guest in self._starting or step.guest in self._where.astray:
            return self._is_again(step)
        if step.kind in OF_HOST and step.host in self._returning:
            return False
        return not ({step.host, step.source} & self._where.idle)

    def _is_again(self, step: Step) -> bool:
        """Whether a step is the cordon of a host that is being drained."""
        draining = step.host is not None and self._where.stages.get(step.host) is Stage.DRAINING
        return step.kind is StepKind.CORDON and draining and step.host not in self._where.idle

    @cached_property
    def _cordons(self) -> Mapping[HostName, StepId]:
        """The cordons that are left or given again, by host."""
        steps = (step for wave in self._plan.waves for step in wave.steps)
        return {step.host: step.id for step in steps if step.kind is StepKind.CORDON and step.host is not None and self._is_left(step)}

    def _after(self, step: Step, waits: Mapping[StepId, tuple[StepId, ...]]) -> tuple[StepId, ...]:
        """What a step still waits for: of steps left out, what they waited for; and the cordon of its host, if that is to come."""
        found = [left for earlier in step.after for left in waits.get(earlier, ())]
        cordons = (self._cordons.get(host) for host in (step.source, step.host) if host is not None)
        found += [cordon for cordon in cordons if cordon is not None and cordon in waits]
        return tuple(dict.fromkeys(found))

    def _steps(self) -> Mapping[int, list[Step]]:
        """The steps that are left, by wave, without what they need not wait for any more; times from the first of them on."""
        waits: dict[StepId, tuple[StepId, ...]] = {}
        left: dict[StepId, Step] = {}
        for step in sorted((step for wave in self._plan.waves for step in wave.steps), key=lambda step: step.start_s):
            if step.id in self._where.done and not self._is_again(step):
                continue
            after = () if self._is_again(step) else self._after(step, waits)
            if self._is_left(step):
                left[step.id], waits[step.id] = replace(step, after=after), (step.id,)
            else:
                waits[step.id] = after
        begin_s = min((step.start_s for step in left.values() if not self._is_again(step)), default=0)
        return {
            wave.number: [replace(left[step.id], start_s=max(step.start_s - begin_s, 0)) for step in wave.steps if step.id in left]
            for wave in self._plan.waves
        }

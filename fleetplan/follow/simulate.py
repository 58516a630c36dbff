"""A rollout rolled forward from the state that is: `next` makes a wave, failures happen to it, tenants come and go, and so on to the end.

Held hosts are looked at by a person when nothing else can go: they are released then, and are finished first. That goes on for as long as
it brings a host to the target now and then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Set as Names
from dataclasses import dataclass
from typing import assert_never

import msgspec
from msgspec.structs import replace

from fleetplan.fleet.model import Fleet, HostName, HostState, Release
from fleetplan.fleet.policy import OnHostFailure
from fleetplan.follow.chance import Chances
from fleetplan.follow.churn import churn
from fleetplan.follow.failures import Ran, run_wave
from fleetplan.follow.next import Finished, NextWave, NoWave, Refuted, next_wave
from fleetplan.follow.turns import Script
from fleetplan.migration.classes import ClassTable
from fleetplan.rollout.invariants import Violation
from fleetplan.rollout.part import Waiting
from fleetplan.rollout.plan import Plan, StepKind
from fleetplan.rollout.progress import Progress, announce
from fleetplan.rollout.state import State, after_wave, as_it_is

PATIENCE = 3
"""How often held hosts are released in a row without any host coming to the target, before the rollout is given up."""

DIGEST = "sha256:simulated"
"""The states on the way are in no inventory."""


class WaveRun(msgspec.Struct, frozen=True, kw_only=True):
    """One wave as it went. `wave` is its number in the approved plan; times are seconds from the start, gates included.

    `failed_moves` counts attempts. `born` and `gone` are guests that came and went after it; `released` are held hosts that a person let go
    before it. `on_target` and `living` count hosts of the fleet after it.
    """

    wave: int
    begins_s: int
    ends_s: int
    hosts: int
    upgraded: int
    moves: int
    restarts: int
    failed_moves: int
    held: tuple[HostName, ...]
    died: tuple[HostName, ...]
    released: tuple[HostName, ...]
    stopped: bool
    born: int
    gone: int
    on_target: int
    living: int


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """A host that lives and is not on the target in the end, by its state; or the reason why it waits."""

    host: HostName
    state: HostState


class End(msgspec.Struct, frozen=True, kw_only=True):
    """How a simulation ended. `reached`: every host that lives, and that the plan does not leave as it is, runs the target.

    `stopped_by_policy`: a host failed, and policy says to stop then. `refused`: no wave could go, `waiting` says why. `stranded` are guests
    on dead hosts. `violations` are those for which the judge refuted a wave: a bug.
    """

    reached: bool
    stopped_by_policy: bool = False
    refused: bool = False
    waiting: tuple[Waiting, ...] = ()
    left: tuple[Left, ...] = ()
    dead: tuple[HostName, ...] = ()
    stranded: int = 0
    violations: tuple[Violation, ...] = ()


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """A simulation. `planned_*` is what the plan forecast, if all goes well and waves overlap."""

    chances: Chances
    target: Release
    waves: tuple[WaveRun, ...]
    end: End
    planned_waves: int
    planned_moves: int
    planned_s: int
    hosts: int
    on_target_before: int

    @property
    def moves(self) -> int:
        """Migrations that succeeded."""
        return sum(wave.moves for wave in self.waves)

    @property
    def lasts_s(self) -> int:
        """From the start to the end of the last wave."""
        return self.waves[-1].ends_s if self.waves else 0


@dataclass(frozen=True, slots=True)
class Step:
    """What a wave was made from, and what happened: for who wants to look at every state on the way."""

    state: State
    plan: Plan
    ran: Ran


def simulate(
    fleet: Fleet, classes: ClassTable, plan: Plan, chances: Chances, *, progress: Progress | None = None, steps: list[Step] | None = None
) -> Simulated:
    """Roll a plan forward. Every wave is one `next`. `steps` gets every wave on the way. Raises CancelledError."""
    walk = _Walk(as_it_is(fleet, classes), Script.of(plan), chances, progress, steps)
    before = _on_target(fleet)
    end = walk.run(plan.skipped.keys())
    return Simulated(
        chances=chances,
        target=plan.target,
        waves=tuple(walk.waves),
        end=end,
        planned_waves=len(plan.waves),
        planned_moves=plan.bounds.moves.plan,
        planned_s=plan.bounds.makespan_s.plan,
        hosts=len(fleet.hosts),
        on_target_before=before,
    )


class _Walk:
    """A rollout under way."""

    def __init__(self, state: State, script: Script, chances: Chances, progress: Progress | None, steps: list[Step] | None) -> None:
        self._state, self._script, self._chances, self._progress, self._steps = state, script, chances, progress, steps
        self.waves: list[WaveRun] = []
        self._released: tuple[HostName, ...] = ()
        self._fruitless = 0
        self._now_s = 0

    def run(self, skipped: Names[HostName]) -> End:
        while True:
            fleet = self._state.fleet
            announce(self._progress, "simulate", _on_target(fleet), len(fleet.hosts))
            classes = self._state.classes()
            outcome = next_wave(fleet, classes, self._script, digest=DIGEST)
            match outcome:
                case NextWave():
                    ran = self._go(classes, outcome.plan)
                    if fleet.policy.on_failure.host is OnHostFailure.STOP and (ran.held or ran.died):
                        return self._end(skipped, stopped_by_policy=True)
                case Refuted():
                    return self._end(skipped, violations=outcome.violations)
                case Finished():
                    return self._end(skipped)
                case NoWave():
                    if not self._release():
                        return self._end(skipped, refused=not self._held(), waiting=outcome.waiting)
                case _:
                    assert_never(outcome)

    def _go(self, classes: ClassTable, plan: Plan) -> Ran:
        """One wave, and what tenants do after it."""
        assert plan.part_of is not None  # noqa: S101 - a wave of `next` is a part
        number = len(self.waves) + 1
        ran = run_wave(plan, self._chances, number)
        if self._steps is not None:
            self._steps.append(Step(self._state, plan, ran))
        begins_s = self._now_s + (plan.part_of.behind.soak_s if plan.part_of.behind is not None else 0)
        self._now_s = begins_s + ran.end_s
        after = after_wave(self._state.fleet, classes, ran.plan, 1)
        churned = churn(_with_states(after, ran), self._chances, number)
        self._state = churned.state
        self._fruitless = 0 if ran.upgraded else self._fruitless
        self._note(plan, ran, begins_s, churned.born, churned.gone)
        return ran

    def _note(self, plan: Plan, ran: Ran, begins_s: int, born: int, gone: int) -> None:
        kinds = Counter(step.kind for wave in ran.plan.waves for step in wave.steps)
        hosts = self._state.fleet.hosts
        self.waves.append(
            WaveRun(
                wave=plan.part_of.wave if plan.part_of is not None else 0,
                begins_s=begins_s,
                ends_s=self._now_s,
                hosts=len(plan.waves[0].hosts),
                upgraded=len(ran.upgraded),
                moves=kinds[StepKind.MIGRATE],
                restarts=kinds[StepKind.START],
                failed_moves=ran.failed_moves,
                held=ran.held,
                died=ran.died,
                released=self._released,
                stopped=ran.stopped,
                born=born,
                gone=gone,
                on_target=_on_target(self._state.fleet),
                living=sum(host.state not in DEAD for host in hosts),
            )
        )
        self._released = ()

    # --- held hosts -------------------------------------------------------------------------------------------------------------------

    def _held(self) -> tuple[HostName, ...]:
        return tuple(host.name for host in self._state.fleet.hosts if host.state is HostState.HELD)

    def _release(self) -> bool:
        """A person looks at the held hosts, and lets them go on; False if there are none, or if that was of no use again and again."""
        held = self._held()
        self._fruitless += 1
        if not held or self._fruitless > PATIENCE:
            return False
        self._released = held
        self._state = _in_state(self._state, held, HostState.CORDONED)
        return True

    # --- the end ----------------------------------------------------------------------------------------------------------------------

    def _end(
        self,
        skipped: Names[HostName],
        *,
        stopped_by_policy: bool = False,
        refused: bool = False,
        waiting: tuple[Waiting, ...] = (),
        violations: tuple[Violation, ...] = (),
    ) -> End:
        fleet = self._state.fleet
        dead = {host.name for host in fleet.hosts if host.state in DEAD}
        left = [host for host in fleet.hosts if host.release != fleet.target and host.name not in dead and host.name not in skipped]
        on_dead = [name in dead for name in fleet.guests.host_names]
        return End(
            reached=not left and not violations,
            stopped_by_policy=stopped_by_policy,
            refused=refused,
            waiting=waiting,
            left=tuple(Left(host=host.name, state=host.state) for host in left),
            dead=tuple(host.name for host in fleet.hosts if host.name in dead),
            stranded=sum(map(on_dead.__getitem__, fleet.guests.on)),
            violations=violations,
        )


DEAD = frozenset({HostState.DOWN, HostState.LOST})


def _on_target(fleet: Fleet) -> int:
    return sum(host.release == fleet.target and host.state not in DEAD for host in fleet.hosts)


def _with_states(state: State, ran: Ran) -> State:
    """What failures leave behind: held and dead hosts, and hosts that were begun."""
    for hosts, word in ((ran.held, HostState.HELD), (ran.died, HostState.DOWN), (ran.begun, HostState.CORDONED)):
        state = _in_state(state, hosts, word)
    return state


def _in_state(state: State, hosts: tuple[HostName, ...], word: HostState) -> State:
    if not hosts:
        return state
    those = set(hosts)
    changed = tuple(replace(host, state=word) if host.name in those else host for host in state.fleet.hosts)
    return State(replace(state.fleet, hosts=changed), state.states)

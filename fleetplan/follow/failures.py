"""One wave as it goes when moves fail and hosts do not come back, by the policy `on_failure`.

A step starts when all that it waits for has ended. Where that failed, or was never begun, it is not begun either; only the stream of a
destination is free again whatever became of the move before. A failed move is tried again as often as policy says; then its host is held:
nothing more is begun on it, it stays closed, and the others go on. After so many failed hosts nothing new is begun in the wave, and what
is under way ends.

    invariant of the loop: what has happened is closed under `after`, save for streams; so it keeps every invariant that the wave keeps
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass
from enum import Enum

from msgspec.structs import replace

from fleetplan.fleet.model import HostName
from fleetplan.fleet.policy import OnFailure, OnHostFailure
from fleetplan.follow.chance import Chances
from fleetplan.rollout.plan import Plan, Step, StepKind


class Ending(Enum):
    """What became of a step."""

    DONE = "done"
    FAILED = "failed"
    NOT_BEGUN = "not begun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What happened. `plan` has the steps that succeeded, with the times that they really took.

    `held` are hosts of which a move failed for good, `died` those that did not come back, `begun` others that are cordoned and were not
    finished. `failed_moves` counts attempts. `stopped`: so many hosts failed that nothing new was begun. `end_s` is when the last step
    ended.
    """

    plan: Plan
    upgraded: tuple[HostName, ...]
    held: tuple[HostName, ...]
    died: tuple[HostName, ...]
    begun: tuple[HostName, ...]
    failed_moves: int
    stopped: bool
    end_s: int


def run_wave(plan: Plan, chances: Chances, number: int) -> Ran:
    """Play the only wave of a plan; `number` tells its draws from those of other waves. O(steps log steps)."""
    return _Run(plan, chances, number).run()


class _Run:
    """A wave under way."""

    def __init__(self, plan: Plan, chances: Chances, number: int) -> None:
        self._plan, self._chances, self._number = plan, chances, number
        self._policy: OnFailure = plan.on_failure
        self._steps: list[Step] = [step for wave in plan.waves for step in wave.steps]
        place = {step.id: at for at, step in enumerate(self._steps)}
        self._missing = [len(step.after) for step in self._steps]
        self._followers: list[list[int]] = [[] for _ in self._steps]
        for at, step in enumerate(self._steps):
            for earlier in step.after:
                self._followers[place[earlier]].append(at)
        self._of_host: dict[HostName, list[int]] = defaultdict(list)
        for at, step in enumerate(self._steps):
            self._of_host[_owner(step)].append(at)
        self._ending: list[Ending | None] = [None] * len(self._steps)
        self._started: dict[int, int] = {}
        self._events: list[tuple[int, int, Ending]] = []
        self._settled: list[tuple[int, Ending]] = []
        """Steps that have an ending of which their followers have not heard yet."""
        self._held: dict[HostName, None] = {}
        self._died: dict[HostName, None] = {}
        self._ended: dict[int, int] = {}
        self._failed_moves = 0
        self._stopped = False

    def run(self) -> Ran:
        for at in [at for at, missing in enumerate(self._missing) if not missing]:
            self._start(at, 0)
        while self._events:
            now, at, ending = heapq.heappop(self._events)
            self._end(at, ending, now)
            while self._settled:
                self._tell(*self._settled.pop(), now)
        return self._ran()

    # --- steps ------------------------------------------------------------------------------------------------------------------------

    def _start(self, at: int, now: int) -> None:
        step = self._steps[at]
        self._started[at] = now
        ending, lasts_s = Ending.DONE, step.duration_s
        if step.kind is StepKind.MIGRATE:
            failed = self._failures(step)
            self._failed_moves += failed
            ending = Ending.DONE if failed <= self._policy.retries else Ending.FAILED
            lasts_s *= min(failed, self._policy.retries) + 1
        elif step.kind is StepKind.UPGRADE and self._chances.host_dies(self._number, step.host or ""):
            ending = Ending.FAILED
        heapq.heappush(self._events, (now + lasts_s, at, ending))

    def _failures(self, step: Step) -> int:
        """Attempts at a migration that fail, one after the other."""
        attempts = range(self._policy.retries + 1)
        return next(
            (attempt for attempt in attempts if not self._chances.move_fails(self._number, step.id, attempt)), self._policy.retries + 1
        )

    def _end(self, at: int, ending: Ending, now: int) -> None:
        self._ended[at] = now
        self._settle(at, ending)
        if ending is Ending.FAILED:
            step = self._steps[at]
            host = _owner(step)
            (self._died if step.kind is StepKind.UPGRADE else self._held)[host] = None
            self._leave(self._of_host[host])
            failed = len(self._held) + len(self._died)
            if failed >= self._policy.wave_stops_after or self._policy.host is OnHostFailure.STOP:
                self._stopped = True
                self._leave([at for at, step in enumerate(self._steps) if step.kind is StepKind.CORDON])

    def _leave(self, steps: list[int]) -> None:
        """Steps that are not begun by now will not be."""
        for at in steps:
            if self._ending[at] is None and at not in self._started:
                self._settle(at, Ending.NOT_BEGUN)

    def _settle(self, at: int, ending: Ending) -> None:
        self._ending[at] = ending
        self._settled.append((at, ending))

    def _tell(self, at: int, ending: Ending, now: int) -> None:
        """Followers of a step that has an ending start if it was the last that they waited for, or will never start."""
        for follower in self._followers[at]:
            if self._ending[follower] is not None or follower in self._started:
                continue
            if ending is not Ending.DONE and not self._share_a_stream(at, follower):
                self._settle(follower, Ending.NOT_BEGUN)
                continue
            self._missing[follower] -= 1
            if not self._missing[follower]:
                self._start(follower, now)

    def _share_a_stream(self, earlier: int, later: int) -> bool:
        """Whether all that a move waits for is that the other, of another host, no longer takes a stream of the destination."""
        one, other = self._steps[earlier], self._steps[later]
        return one.kind is StepKind.MIGRATE and other.kind is StepKind.MIGRATE and one.source != other.source

    # --- what it came to --------------------------------------------------------------------------------------------------------------

    def _ran(self) -> Ran:
        done = [at for at, ending in enumerate(self._ending) if ending is Ending.DONE]
        ids = {self._steps[at].id for at in done}
        steps = tuple(
            replace(
                self._steps[at],
                after=tuple(earlier for earlier in self._steps[at].after if earlier in ids),
                start_s=self._started[at],
                duration_s=self._ended[at] - self._started[at],
            )
            for at in done
        )
        upgraded = [step.host for step in steps if step.kind is StepKind.UNCORDON and step.host is not None]
        cordoned = [step.host for step in steps if step.kind is StepKind.CORDON and step.host is not None]
        pinned = {step.guest for step in steps if step.kind is StepKind.PIN}
        wave = replace(self._plan.waves[0], steps=steps)
        return Ran(
            plan=replace(self._plan, waves=(wave,), pins=tuple(pin for pin in self._plan.pins if pin.guest in pinned)),
            upgraded=tuple(upgraded),
            held=tuple(self._held),
            died=tuple(self._died),
            begun=tuple(host for host in cordoned if host not in {*upgraded, *self._held, *self._died}),
            failed_moves=self._failed_moves,
            stopped=self._stopped,
            end_s=max(self._ended.values(), default=0),
        )


def _owner(step: Step) -> HostName:
    """The host that a step is done to."""
    return step.source or step.host or HostName("")

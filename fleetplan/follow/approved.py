"""What of a plan somebody answers for: it stays as it is while the plan is followed, and a change of it needs a new approval.

That is the target, the hosts wave by wave, the PSCI pins, the restarts, the moves that lose something, the gates, and the hosts that are
left as they are. Landings and times are not among it: they are worked out anew from the state that is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from fleetplan.fleet.model import GuestName, HostName, Release
from fleetplan.migration.reasons import Verdict
from fleetplan.rollout.part import Barrier
from fleetplan.rollout.plan import Plan, Step, StepKind

ANSWERED = frozenset({Verdict.STRIPS.value, Verdict.UNKNOWN.value})
"""Verdicts of moves that a plan may use only because somebody answers for them: by a waiver, or by `accept_unknown`."""


class Approved(msgspec.Struct, frozen=True, kw_only=True):
    """What of a plan was approved.

    `waves` are the hosts in the order in which they go. `pins` maps guests to PSCI versions; `restarts` are guests that are stopped and
    started; `answered` maps guests to the verdicts of their moves that somebody answers for. `skipped` are hosts that stay as they are.
    """

    target: Release
    waves: tuple[tuple[HostName, ...], ...]
    pins: Mapping[GuestName, str]
    restarts: tuple[GuestName, ...]
    answered: Mapping[GuestName, tuple[str, ...]]
    gates: tuple[Barrier, ...]
    skipped: tuple[HostName, ...]

    @property
    def digest(self) -> str:
        """`sha256:` and 64 hex digits; equal for plans of which the same was approved."""
        return f"sha256:{hashlib.sha256(msgspec.json.encode(self, order='deterministic')).hexdigest()}"

    def wave_of(self) -> dict[HostName, int]:
        """By host, the number of its wave."""
        return {host: number for number, hosts in enumerate(self.waves, 1) for host in hosts}


def approved(plan: Plan) -> Approved:
    """What of a plan is approved with it. O(steps)."""
    restarts: set[GuestName] = set()
    answered: dict[GuestName, set[str]] = {}
    gates: dict[int, Barrier] = {}
    for wave in plan.waves:
        for step in wave.steps:
            if step.kind is StepKind.STOP and step.guest is not None:
                restarts.add(step.guest)
            elif step.kind is StepKind.GATE:
                gates[wave.number] = _wider(gates.get(wave.number), wave.number, step)
            elif step.verdict in ANSWERED and step.guest is not None:
                answered.setdefault(step.guest, set()).add(step.verdict or "")
    return Approved(
        target=plan.target,
        waves=tuple(tuple(wave.hosts) for wave in plan.waves),
        pins={pin.guest: pin.psci for pin in sorted(plan.pins, key=lambda pin: pin.guest)},
        restarts=tuple(sorted(restarts)),
        answered={guest: tuple(sorted(answered[guest])) for guest in sorted(answered)},
        gates=tuple(gates[number] for number in sorted(gates)),
        skipped=tuple(sorted(plan.skipped)),
    )


def _wider(known: Barrier | None, after: int, step: Step) -> Barrier:
    """Of several gates after one wave all have to be passed."""
    soak_s, note = step.duration_s, step.note or ""
    if known is None:
        return Barrier(after=after, soak_s=soak_s, note=note)
    return Barrier(after=after, soak_s=max(known.soak_s, soak_s), note="; ".join(filter(None, (known.note, note))))

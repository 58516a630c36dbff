"""Hosts at one moment: where each stands on its way, what is on it, and how risky what leaves it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleetplan.output.risk import OUT, STANDS, Sign, Stand
from fleetplan.rollout.columns import STATES, Codes, FleetColumns, Ints, Numbers, Places
from fleetplan.rollout.plan import Plan
from fleetplan.tui.moves.landings import SAFE, Landings

ORDER: tuple[Stand, ...] = tuple(STANDS)
"""What `stand` numbers."""
NUMBER = {stand: number for number, stand in enumerate(ORDER)}


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An entry for each host. `stand` numbers `ORDER`; `used` is (hosts, 2): vCPUs and MiB of its guests; `guests` counts them.

    `risk` is the worst of what leaves it from now on (numbers `landings.RISKS`; SAFE if nothing does).
    """

    stand: Codes
    used: Numbers
    guests: Numbers
    risk: Places

    def sign(self, host: int) -> Sign:
        """Where a host stands."""
        return STANDS[ORDER[int(self.stand[host])]]


def filled(columns: FleetColumns, on: Places) -> tuple[Numbers, Numbers]:
    """What guests take of each host, and how many they are, if they are on these hosts."""
    hosts = len(columns.hosts.names)
    sizes = [np.bincount(on, weights=columns.guests.size[:, kind], minlength=hosts).astype(np.int64) for kind in (0, 1)]
    return np.stack(sizes, axis=1), np.bincount(on, minlength=hosts)


def worst(hosts: int, found: Landings, left: Ints | slice = slice(None)) -> Places:
    """The worst risk of the landings that leave each host (of those `left`)."""
    risk = np.full(hosts, SAFE, np.int32)
    np.maximum.at(risk, found.source[left], found.risk[left])
    return risk


def stands(columns: FleetColumns, plan: Plan | None) -> Codes:
    """Where hosts stand before anything is done."""
    hosts = columns.hosts
    skipped = set(plan.skipped) if plan is not None else set()
    found = np.where(hosts.on_target, NUMBER[Stand.DONE], NUMBER[Stand.TO_DO]).astype(np.uint8)
    found[[number for number, name in enumerate(hosts.names) if name in skipped]] = NUMBER[Stand.LEFT]
    for code, state in enumerate(STATES):
        if state in OUT:
            found[hosts.state == code] = NUMBER[OUT[state]]
    return found


def now(columns: FleetColumns, plan: Plan | None, found: Landings) -> Picture:
    """The fleet as the inventory has it."""
    used, guests = filled(columns, columns.guests.on)
    return Picture(stands(columns, plan), used, guests, worst(len(columns.hosts.names), found))

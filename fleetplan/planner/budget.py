"""How many hosts one wave may take: by fleet, zone and rack, shared out among pools."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleetplan.fleet.policy import Policy
from fleetplan.planner.grouping import rank_within
from fleetplan.planner.problem import Problem
from fleetplan.rollout.columns import Flags, Numbers, Places

UNLIMITED = 1 << 40


def most_of_wave(policy: Policy, number: int) -> int:
    """Most hosts of a wave, by the canary gates that come after it."""
    limits = [gate.hosts for gate in policy.gates if gate.hosts and (gate.after is None or number <= gate.after)]
    return min(limits, default=UNLIMITED)


@dataclass(slots=True, eq=False)
class Budget:
    """What is left of the slots of a wave. `scopes` are pairs: the place of each host, and what each place has left.

    Held hosts have their slots already; they count only in `most`, the hosts that a canary gate leaves to the wave.
    """

    scopes: list[tuple[Places, Numbers]]
    held: Flags
    most: int

    @classmethod
    def of_wave(cls, problem: Problem, back: Flags, most: int) -> Budget:
        """A whole wave. `back` are the hosts that have been upgraded: held ones among them have given their slots back."""
        scopes = []
        for slots in problem.slots:
            held = np.bincount(slots.place[problem.held & ~back], minlength=len(slots.limit))
            scopes.append((slots.place, np.maximum(slots.limit - slots.taken - held, 0)))
        return cls(scopes, problem.held, most)

    def admits(self, hosts: Places) -> Flags:
        """Which of some hosts may be taken, the first ones first."""
        ok = np.ones(len(hosts), np.bool_)
        held = self.held[hosts]
        for place, left in self.scopes:
            counted = np.flatnonzero(ok & ~held)
            there = place[hosts[counted]]
            ok[counted] = rank_within(there) < left[there]
        return ok & (np.cumsum(ok) <= self.most)

    def admits_each(self, hosts: Places) -> Flags:
        """Which of some hosts may be taken, each by itself."""
        ok = np.full(len(hosts), self.most > 0)
        for place, left in self.scopes:
            ok &= self.held[hosts] | (left[place[hosts]] > 0)
        return ok

    def take(self, hosts: Places) -> None:
        """Hosts are in the wave."""
        self.most -= len(hosts)
        for place, left in self.scopes:
            np.subtract.at(left, place[hosts[~self.held[hosts]]], 1)

    @property
    def spent(self) -> bool:
        """Whether nothing can be taken any more but held hosts."""
        return self.most <= 0 or any(not left.any() for _, left in self.scopes)

    def share_out(self, wishes: list[Places], left: list[int]) -> list[Places]:
        """Of the hosts that each pool wishes for, in its order, those that it gets: in every place pools share by what they have left."""
        if not wishes:
            return []
        owner = np.repeat(np.arange(len(wishes)), [len(wish) for wish in wishes])
        fraction = np.concatenate([(np.arange(len(wish)) + 0.5) / of for wish, of in zip(wishes, left, strict=True)])
        order = np.lexsort((owner, fraction))
        hosts = np.concatenate(wishes)[order]
        got = self.admits(hosts)
        hosts, owner = hosts[got], owner[order][got]
        return [hosts[owner == number] for number in range(len(wishes))]

    def within(self, granted: Places, zone: Places, zones: int) -> Budget:
        """The part of the budget that one pool may spend: as many hosts of each zone as it was granted."""
        share = np.bincount(zone[granted], minlength=zones)
        counted = np.bincount(zone[granted[~self.held[granted]]], minlength=zones)
        scopes = [(zone, counted), *((place, left.copy()) for place, left in self.scopes)]
        return Budget(scopes, self.held, min(self.most, int(share.sum())))

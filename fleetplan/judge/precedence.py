"""The partial order that `after` makes: what has ended before what starts, whatever steps take.

Most questions are answered by one look at what a step waits for. The rest are answered exactly, by carrying marks along the whole graph,
64 at a time.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fleetplan.judge.layout import Layout
from fleetplan.rollout.columns import NONE, Flags, Ints, Numbers, Places

Marks = NDArray[np.uint64]

AT_ONCE = 64
"""Marks that one number carries."""

NEAR = 1 << 22
"""So many steps are looked at one by one, before a walk through the whole graph is cheaper."""


class Precedence:
    """The order of the steps of a plan whose `after` has no circles (the invariant ORDER)."""

    def __init__(self, layout: Layout) -> None:
        self._steps = layout.steps
        self._waiting = layout.waiting

    def precedes(self, earlier: Ints, later: Ints) -> Flags:
        """Of pairs of steps, whether the first has always ended when the second starts. NONE comes before nothing, and nothing after it.

        O(what the later ones wait for), and for pairs that do not wait for each other directly O(all of `after`) per 64 earlier ones.
        """
        found = self.direct(earlier, later)
        for search in (self._near, self._exact):
            undecided = np.flatnonzero(~found & self._possible(earlier, later))
            if len(undecided):
                found[undecided] = search(earlier[undecided], later[undecided])
        return found

    def direct(self, earlier: Ints, later: Ints) -> Flags:
        """Of pairs of steps, whether the second names the first in its `after`."""
        there = (earlier != NONE) & (later != NONE)
        first = np.where(there, self._steps.after_at[later], 0)
        count = np.where(there, self._steps.after_at[later + 1] - first, 0)
        found = np.zeros(len(earlier), np.bool_)
        pair = np.repeat(np.arange(len(earlier)), count)
        found[pair[self._steps.after[spans(first, count)] == earlier[pair]]] = True
        return found

    def _possible(self, earlier: Ints, later: Ints) -> Flags:
        """Pairs that may be in order: the first is waited for, the second waits, and the forecast has them in order."""
        steps = self._steps
        there = (earlier != NONE) & (later != NONE)
        waits = steps.after_at[later + 1] > steps.after_at[later]
        possible: Flags = there & waits & self._awaited[earlier] & (steps.end_s[earlier] <= steps.start_s[later])
        return possible

    @cached_property
    def _awaited(self) -> Flags:
        found = np.zeros(len(self._steps), np.bool_)
        found[self._steps.after] = True
        return found

    def _near(self, earlier: Ints, later: Ints) -> Flags:
        """Pairs of which the second waits for something that waits for the first, or for something that waits for such a thing."""
        found = np.zeros(len(earlier), np.bool_)
        pair, reached = np.arange(len(earlier)), later
        for _ in range(2):
            first = self._steps.after_at[reached]
            count = self._steps.after_at[reached + 1] - first
            if int(count.sum()) > NEAR:
                break
            pair, reached = np.repeat(pair, count), self._steps.after[spans(first, count)]
            open_ = ~found[pair] & (self._steps.start_s[reached] >= self._steps.end_s[earlier[pair]])
            pair, reached = pair[open_], reached[open_]
            found[pair[self.direct(earlier[pair], reached)]] = True
        return found

    def later_than(self, earlier: Ints, later: Ints) -> list[list[int]]:
        """For each of some steps, the places in `later` of those that come after it; for few. NONE comes before nothing."""
        found: list[list[int]] = []
        for begin in range(0, len(earlier), AT_ONCE):
            some = earlier[begin : begin + AT_ONCE]
            there = some != NONE
            marks = self._spread(some[there])[later]
            marks[later == NONE] = 0
            bit = np.cumsum(there) - 1
            for place, known in enumerate(there):
                after = (marks >> np.uint64(bit[place])) & np.uint64(1) if known else np.zeros(0)
                found.append([int(other) for other in np.flatnonzero(after) if later[other] != some[place]])
        return found

    # --- exactly ------------------------------------------------------------------------------------------------------------------

    def _exact(self, earlier: Ints, later: Ints) -> Flags:
        sources, mark = np.unique(earlier, return_inverse=True)
        found = np.zeros(len(earlier), np.bool_)
        for begin in range(0, len(sources), AT_ONCE):
            marks = self._spread(sources[begin : begin + AT_ONCE])
            asked = np.flatnonzero((mark >= begin) & (mark < begin + AT_ONCE))
            bit = (mark[asked] - begin).astype(np.uint64)
            found[asked] = (marks[later[asked]] >> bit & np.uint64(1)).astype(np.bool_)
        found &= earlier != later
        return found

    def _spread(self, sources: Ints) -> Marks:
        """By step, a bit for each of the sources that comes before it."""
        steps = self._steps
        marks = np.zeros(len(steps), np.uint64)
        np.bitwise_or.at(marks, sources, np.uint64(1) << np.arange(len(sources), dtype=np.uint64))
        for level in self._levels:
            first = steps.after_at[level]
            count = steps.after_at[level + 1] - first
            brought = np.bitwise_or.reduceat(marks[steps.after[spans(first, count)]], np.cumsum(count) - count)
            marks[level] |= brought
        return marks

    @cached_property
    def _levels(self) -> list[Places]:
        """Steps that wait for something, in layers: a step comes after all that it waits for."""
        missing = np.diff(self._steps.after_at)
        layers = []
        layer = np.flatnonzero(missing == 0)
        missing = missing.copy()
        while len(layer):
            released, times = np.unique(self._released(layer), return_counts=True)
            missing[released] -= times
            layer = released[missing[released] == 0]
            if len(layer):
                layers.append(layer.astype(np.int32))
        return layers

    def _released(self, layer: Ints) -> Places:
        """Who waits for the steps of a layer, once for each that it waits for."""
        first, last = self._followed_at[layer], self._followed_at[layer + 1]
        return self._followers[spans(first, last - first)]

    @cached_property
    def _followers(self) -> Places:
        return self._waiting[np.argsort(self._steps.after, kind="stable")]

    @cached_property
    def _followed_at(self) -> Numbers:
        counts = np.bincount(self._steps.after, minlength=len(self._steps))
        return np.concatenate(([0], np.cumsum(counts)))


def spans(first: Ints, count: Ints) -> Numbers:
    """The numbers from `first[i]` on, `count[i]` of them, for one `i` after the other."""
    begin = np.cumsum(count) - count
    return np.repeat(first - begin, count) + np.arange(int(count.sum()))

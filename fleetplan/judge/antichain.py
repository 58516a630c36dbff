"""How many of several things can happen at once, where an order says which of them come one after the other.

Things of which no two are in order can all happen at once (an antichain). By Dilworth's theorem, the most that can happen at once are as
few as the chains that hold all of them; with weights that is a flow (Fulkerson 1956).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence


def heaviest(weights: Sequence[int], before: Sequence[Sequence[int]]) -> tuple[int, list[int]]:
    """The greatest weight of things that can happen at once, and which they are.

    `before[i]` are the things that come after thing `i`: all of them, not the next ones only. Exact; O(things x pairs) at worst, for few.
    """
    flow: list[dict[int, int]] = [{} for _ in weights]
    spare_out, spare_in = list(weights), list(weights)
    reached: set[int] = set()
    parents: dict[int, int] = {}
    while True:
        reached, parents, end = _search(before, flow, spare_out, spare_in)
        if end is None:
            break
        _augment(flow, spare_out, spare_in, parents, end)
    chosen = [thing for thing in range(len(weights)) if thing in reached and thing not in parents]
    return sum(weights[thing] for thing in chosen), chosen


def _search(
    before: Sequence[Sequence[int]], flow: list[dict[int, int]], spare_out: list[int], spare_in: list[int]
) -> tuple[set[int], dict[int, int], int | None]:
    """Things whose upper end can be reached; those whose lower end can, with from where; and one of them where there is room."""
    queue = deque(thing for thing, spare in enumerate(spare_out) if spare > 0)
    reached = set(queue)
    parents: dict[int, int] = {}
    backward: dict[int, list[int]] = {}
    for upper, carried in enumerate(flow):
        for lower, amount in carried.items():
            if amount > 0:
                backward.setdefault(lower, []).append(upper)
    while queue:
        thing = queue.popleft()
        for lower in before[thing]:
            if lower in parents:
                continue
            parents[lower] = thing
            if spare_in[lower] > 0:
                return reached, parents, lower
            for upper in backward.get(lower, ()):
                if upper not in reached:
                    reached.add(upper)
                    queue.append(upper)
                    parents[~upper] = lower
    return reached, {lower: upper for lower, upper in parents.items() if lower >= 0}, None


def _augment(flow: list[dict[int, int]], spare_out: list[int], spare_in: list[int], parents: dict[int, int], end: int) -> None:
    """Carry as much as fits along the path that was found."""
    path = []
    lower, amount = end, spare_in[end]
    while True:
        upper = parents[lower]
        path.append((upper, lower))
        back = parents.get(~upper)
        if back is None:
            amount = min(amount, spare_out[upper])
            break
        amount = min(amount, flow[upper][back])
        lower = back
    for upper, lower in path:
        flow[upper][lower] = flow[upper].get(lower, 0) + amount
        back = parents.get(~upper)
        if back is not None:
            flow[upper][back] -= amount
    spare_in[end] -= amount
    spare_out[path[-1][0]] -= amount

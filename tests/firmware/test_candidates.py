"""Missing facts: which of them decide."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from fleetplan.firmware.candidates import Choices, Fact, FactKind, both, chosen, deciding, either

FACTS = tuple(Fact(kind=FactKind.KERNEL, of=name, words=name) for name in "abcd")


def resting(row: tuple[int, ...]) -> Choices:
    return tuple(choice for fact, option in zip(FACTS, row, strict=False) for choice in chosen(fact, option))


WAYS = st.dictionaries(
    st.tuples(*(st.integers(0, 1) for _ in FACTS)), st.sampled_from(["SAFE", "FAILS", "STRIPS"]), min_size=1, max_size=16
).map(lambda table: [(resting(row), answer) for row, answer in table.items()])


def decides(facts: tuple[Fact, ...], ways: list[tuple[Choices, str]]) -> bool:
    """By the definition: two ways that agree on the facts give the same answer."""
    pairs = combinations([(dict(choices), answer) for choices, answer in ways], 2)
    return all(a == b or any(one[fact] != other[fact] for fact in facts) for (one, a), (other, b) in pairs)


@given(ways=WAYS)
def test_the_deciding_sets_are_all_the_smallest_that_decide(ways: list[tuple[Choices, str]]) -> None:
    found = deciding(ways)
    sizes = {len(facts) for facts in found}
    assert len(sizes) <= 1
    wanted = next(hits for size in range(5) if (hits := [facts for facts in combinations(FACTS, size) if decides(facts, ways)]))
    assert set(map(frozenset, found)) == (set() if wanted == [()] else set(map(frozenset, wanted)))


def test_facts_that_do_not_decide_are_not_named() -> None:
    ways = [(resting((a, b)), "SAFE" if a else "FAILS") for a in (0, 1) for b in (0, 1)]
    assert deciding(ways) == ((FACTS[0],),)


def test_two_facts_either_of_which_decides_are_both_named() -> None:
    assert deciding([(resting((n, n)), n) for n in (0, 1)]) == ((FACTS[0],), (FACTS[1],))


def test_where_all_facts_together_do_not_decide_all_are_named() -> None:
    assert deciding([(resting((0,)), 1), (resting((0,)), 2), (resting((1,)), 1)]) == ((FACTS[0],),)
    assert deciding([((), 1), ((), 2)]) == ()


CHOICES = st.dictionaries(st.sampled_from(FACTS), st.frozensets(st.integers(0, 2), min_size=1), max_size=3).map(
    lambda found: tuple(found.items())
)


def holds(choices: Choices, world: dict[Fact, int]) -> bool:
    return all(world[fact] in options for fact, options in choices)


@given(one=CHOICES, other=CHOICES, world=st.fixed_dictionaries(dict.fromkeys(FACTS, st.integers(0, 2))))
def test_both_is_what_holds_with_one_and_the_other_and_either_leaves_out_neither(
    one: Choices, other: Choices, world: dict[Fact, int]
) -> None:
    together = both(one, other)
    assert (together is not None and holds(together, world)) == (holds(one, world) and holds(other, world))
    assert holds(either([one, other]), world) or not (holds(one, world) or holds(other, world))

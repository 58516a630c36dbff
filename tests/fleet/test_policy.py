"""Shares of a whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fleetplan.fleet.policy import Share


def test_a_count_is_itself() -> None:
    assert Share(count=7).of(3) == 7
    assert str(Share(count=7)) == "7"


def test_a_share_is_rounded_down() -> None:
    assert Share(per_mille=50).of(199) == 9
    assert str(Share(per_mille=50)) == "5%"
    assert str(Share(per_mille=125)) == "12.5%"


@given(st.integers(1, 1000), st.integers(0, 10_000))
def test_a_share_of_something_is_never_nothing_and_never_more_than_all(per_mille: int, whole: int) -> None:
    part = Share(per_mille=per_mille).of(whole)
    assert part <= whole
    assert (part == 0) == (whole == 0)


def test_no_share_is_nothing() -> None:
    assert Share(per_mille=0).of(100) == 0

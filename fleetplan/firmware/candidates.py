"""A value that may not be known: all that it can be, and what would decide."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")

MOST_CANDIDATES = 64
"""Above this number of combinations nothing is judged: the answer is unknown."""


class Candidate(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One possible value. `assuming` says in words what must be so for it, empty where nothing is assumed."""

    value: T
    assuming: str = ""


class Candidates(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """All possible values, at least one; the same value may stand under several assumptions.

    `decided_by` names the fact that would leave one (`build of the distribution kernel`, `MIDR_EL1`, `a probe of the host`),
    empty where one value is left.
    """

    options: tuple[Candidate[T], ...]
    decided_by: str = ""

    def __iter__(self) -> Iterator[T]:
        """Each distinct value once, in the order of the options."""
        return iter(dict.fromkeys(option.value for option in self.options))

    @property
    def known(self) -> T | None:
        """The value, where all options agree."""
        values = list(self)
        return values[0] if len(values) == 1 else None


def certain(value: T) -> Candidates[T]:
    """A value that is known."""
    return Candidates(options=(Candidate(value=value),))

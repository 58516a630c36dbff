"""Equal things by one small number, so that what was worked out about them is found by look-up."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Numbers(Generic[T]):
    """Numbers things in the order in which they are first seen; an object that was seen before is found without hashing it."""

    def __init__(self) -> None:
        self._of_value: dict[T, int] = {}
        self._of_object: dict[int, int] = {}
        self._held: list[T] = []
        """Keeps every object that has a number alive: its id may not be given to another one."""

    def __call__(self, thing: T) -> int:
        """The number of a thing: O(1), and a hash the first time that this very object is seen."""
        number = self._of_object.get(id(thing))
        if number is None:
            number = self._of_value.setdefault(thing, len(self._of_value))
            self._of_object[id(thing)] = number
            self._held.append(thing)
        return number

"""Where somebody is, and the way back: views that were gone into, one level after the other."""

from __future__ import annotations

import msgspec


class Place(msgspec.Struct, frozen=True):
    """A view, and what it is about (a guest, a host), if it is about one thing."""

    view: str
    subject: str = ""


class Trail(msgspec.Struct, frozen=True):
    """The places from the first to where somebody is; never empty."""

    places: tuple[Place, ...]

    @property
    def here(self) -> Place:
        """Where somebody is."""
        return self.places[-1]

    def into(self, place: Place) -> Trail:
        """One level deeper; going to where one is changes nothing."""
        return self if place == self.here else Trail((*self.places, place))

    def back(self) -> Trail:
        """One level up; the first place is the end of it."""
        return Trail(self.places[:-1]) if len(self.places) > 1 else self

    def to(self, place: Place) -> Trail:
        """A view that stands by itself: nothing to go back to."""
        return Trail((place,))

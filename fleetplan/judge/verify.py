"""DOOR: `verify(fleet, classes, plan, *, digest) -> list[Violation]` sorted."""

"""Judges plans from the invariants alone. Blind to the planner."""

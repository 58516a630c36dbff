"""Turns what other tools print into facts. Everything that comes in is hostile until it has been validated."""

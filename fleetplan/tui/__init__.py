"""The terminal UI: a reporter with keys. A folder per screen region; state arrives as frozen values; the inventory is never written."""

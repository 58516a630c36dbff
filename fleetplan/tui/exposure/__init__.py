"""Who is exposed to what: now, and after each wave."""

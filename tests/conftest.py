"""What all tests share: no test is about time, so hypothesis sets no deadline."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("fleetplan", deadline=None)
settings.load_profile("fleetplan")

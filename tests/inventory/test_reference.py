"""The page of keys is in step with the tables."""

from __future__ import annotations

import os
from pathlib import Path

from fleetplan.inventory.reference import reference

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "inventory.md"


def test_the_page_is_made_from_the_tables() -> None:
    if os.environ.get("FLEETPLAN_BLESS"):
        PAGE.write_text(reference())
    assert PAGE.read_text() == reference()

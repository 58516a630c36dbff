"""The page of invariants is in step with their rows."""

from __future__ import annotations

import os
from pathlib import Path

from fleetplan.output.invariant_page import page

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "invariants.md"


def test_the_page_is_made_from_the_rows() -> None:
    if os.environ.get("FLEETPLAN_BLESS"):
        PAGE.write_text(page())
    assert PAGE.read_text() == page()

"""The page of register families is in step with the tables."""

import os
from pathlib import Path

from fleetplan.firmware.reference import reference

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "registers.md"


def test_the_page_is_made_from_the_tables():
    if os.environ.get("FLEETPLAN_BLESS"):
        PAGE.write_text(reference())
    assert PAGE.read_text() == reference()

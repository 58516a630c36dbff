"""Where views are saved: new files in the working directory, never over anything."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from fleetplan.tui.frame.trail import Place

LONGEST_SUBJECT = 50
"""Characters, of up to four bytes each; a name of 255 bytes is what file systems take."""


def free_path(place: Place, form: str) -> Path:
    """`fleetplan-moves.txt`, or with a number if that is there already. A name is cut to what every file system takes."""
    subject = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in place.subject[:LONGEST_SUBJECT])
    stem = "-".join(part for part in ("fleetplan", place.view, subject) if part)
    names = (Path(f"{stem}{f'-{number}' if number else ''}.{form}") for number in count())
    return next(path for path in names if not path.exists())

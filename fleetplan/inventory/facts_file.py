"""Writes the facts of an inventory, whole: the folder `facts/` belongs to machines, everything beside it to people."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fleetplan.inventory.output_file import write_atomically

NAME = "imported.jsonl"


def replace_facts(inventory: Path, lines: Iterable[bytes]) -> tuple[Path, tuple[Path, ...]]:
    """Write the lines as the only facts of an inventory. Returns their file, and the files of facts that were removed for it.

    At every moment `imported.jsonl` is the old file or the new one. The others go after it has been written: if that is cut short, `check`
    names what stands in both. Raises OSError, and NotADirectoryError where the inventory is a single file.
    """
    folder = inventory / "facts"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / NAME
    write_atomically(target, lines)
    others = tuple(sorted(path for path in folder.glob("*.jsonl") if path != target))
    for path in others:
        path.unlink()
    return target, others

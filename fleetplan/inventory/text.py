"""Bytes as text: whether they are, and single lines of a file."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

CONTROL = bytes({*range(0x20), 0x7F} - {0x09, 0x0A, 0x0D})
_CONTROL = re.compile(b"[" + re.escape(CONTROL) + b"]")


def flaw(data: bytes) -> tuple[int, str] | None:
    """The first byte that is not text, and what it is. O(bytes), at memory speed where nothing is wrong."""
    found = []
    if len(data.translate(None, CONTROL)) < len(data) and (control := _CONTROL.search(data)) is not None:
        found.append((control.start(), f"the control character {control[0][0]:#04x} is not allowed"))
    try:
        data.decode()
    except UnicodeDecodeError as problem:
        found.append((problem.start, f"the byte {data[problem.start]:#04x} is not UTF-8"))
    return min(found, default=None)


def numbered_lines(file: str, numbers: Collection[int]) -> Iterator[tuple[int, bytes]]:
    """Those lines of a file, counted from 1, without their ends."""
    last = max(numbers, default=0)
    with Path(file).open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if number > last:
                return
            if number in numbers:
                yield number, line.removesuffix(b"\n")

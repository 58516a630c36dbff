"""`-o FILE`: kept for one run from its beginning, written whole at its end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from fleetplan.inventory.output_file import Draft, claimed


@contextmanager
def kept_for_us(output: Path | None) -> Iterator[Draft | None]:
    """Claim a file before the work begins (None: there is none); tell at once if it cannot be written, or another run will write it."""
    with ExitStack() as stack:
        yield None if output is None else _claim(stack, output)


def _claim(stack: ExitStack, output: Path) -> Draft:
    try:
        return stack.enter_context(claimed(output))
    except OSError as problem:
        raise click.FileError(str(output), problem.strerror) from problem


def write(draft: Draft, pieces: Iterable[bytes]) -> None:
    """Write it, or say why that is not possible; then it is as it was."""
    try:
        draft.write(pieces)
    except OSError as problem:
        raise click.FileError(str(draft.path), problem.strerror) from problem

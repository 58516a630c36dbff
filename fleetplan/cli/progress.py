"""A bar on stderr for long work: only where stderr is a terminal that can erase a line, and only once the work takes its time."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic
from typing import TextIO

PATIENCE_S = 0.5
"""Work that ends sooner shows no bar."""
TICK_S = 0.1
ERASE = "\r\x1b[K"


class Bar:
    """A progress whose line is drawn by a thread of its own, so that it goes on in stages that announce nothing in between."""

    cancelled = False

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._began_s = monotonic()
        self._state: tuple[str, int, int] | None = None
        self._over = Event()
        self._drawn = False
        self._thread = Thread(target=self._run, name="progress", daemon=True)

    def report(self, stage: str, done: int, total: int) -> None:
        """So much of a stage is done; drawn with the next tick."""
        self._state = (stage, done, total)

    def start(self) -> None:
        """Begin to draw, after a while."""
        self._thread.start()

    def stop(self) -> None:
        """Draw no more, and leave no trace."""
        self._over.set()
        self._thread.join()
        if self._drawn:
            self._stream.write(ERASE)
            self._stream.flush()

    def _run(self) -> None:
        wait_s = PATIENCE_S
        while not self._over.wait(wait_s):
            wait_s = TICK_S
            if self._state is not None:
                self._draw(*self._state)

    def _draw(self, stage: str, done: int, total: int) -> None:
        from fleetplan.output.progress import progress_line  # noqa: PLC0415 - only for work that takes long

        width = shutil.get_terminal_size().columns
        line = progress_line(stage, done, total, int(monotonic() - self._began_s), width)
        self._stream.write(f"{ERASE}{line}")
        self._stream.flush()
        self._drawn = True


@contextmanager
def watched() -> Iterator[Bar | None]:
    """A bar for the work inside; None where nobody would see one. Nothing else may be printed inside."""
    if not _shows(sys.stderr):
        yield None
        return
    bar = Bar(sys.stderr)
    bar.start()
    try:
        yield bar
    finally:
        bar.stop()


def _shows(stream: TextIO) -> bool:
    """Whether a line can be drawn and erased again. The bar has no colours, so `NO_COLOR` says nothing about it."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"

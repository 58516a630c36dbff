"""The command line: the only place that prints, reads argv and the clock, or exits. One file per verb."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

from fleetplan.cli.exits import Exit

if TYPE_CHECKING:
    import click

OBJECTS_PER_COLLECTION = 100_000
"""How many objects are made before the collector looks for cycles among them: frozen values make hardly any, and looking among those of a
start-up takes as long as all of its imports.
"""


def main() -> None:
    """Run the command line and exit with a code of `cli.exits`."""
    gc.set_threshold(OBJECTS_PER_COLLECTION)
    code = run(sys.argv[1:])
    gc.freeze()  # Python would look for cycles once more before it exits, among objects that all go with the process.
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command; returns the exit code. Whatever is not foreseen is our bug, and said to be so."""
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return _interrupted()


def _run(arguments: list[str]) -> int:
    import click  # noqa: PLC0415 - `fleetplan.cli` is imported for `main` alone

    from fleetplan.cli.group import fleetplan  # noqa: PLC0415 - as above
    from fleetplan.rollout.progress import CancelledError  # noqa: PLC0415 - as above

    try:
        code = fleetplan.main(arguments, prog_name="fleetplan", standalone_mode=False)
    except (click.exceptions.Abort, CancelledError):
        return _interrupted()
    except click.ClickException as problem:
        _tell(problem)
        return Exit.USAGE
    except BrokenPipeError:
        return _reader_went_away()
    except Exception:  # noqa: BLE001 - the last resort, so that a bug has an exit code of its own
        return _our_bug()
    return code if isinstance(code, int) else Exit.CLEAN


def _tell(problem: click.ClickException) -> None:
    """Say what is wrong with the arguments, of which it quotes some, without what a terminal would obey."""
    from io import StringIO  # noqa: PLC0415 - seldom needed

    told = StringIO()
    problem.show(told)
    _complain(told.getvalue())


def _complain(text: str) -> None:
    from fleetplan.output.printable import printable  # noqa: PLC0415 - seldom needed

    print(*map(printable, text.rstrip("\n").split("\n")), sep="\n", file=sys.stderr)


def _reader_went_away() -> int:
    """The reader of stdout closed it (`| head`): not an error."""
    from fleetplan.cli.console import silence_stdout  # noqa: PLC0415 - seldom needed

    silence_stdout()
    return Exit.CLEAN


def _interrupted() -> int:
    """Ctrl-C: files that were being written are as they were before."""
    print("fleetplan: interrupted", file=sys.stderr)
    return Exit.INTERRUPTED


def _our_bug() -> int:
    import traceback  # noqa: PLC0415 - seldom needed

    _complain(traceback.format_exc())
    print("fleetplan: this is a bug in fleetplan; nothing was written. Please report the lines above.", file=sys.stderr)
    return Exit.BUG

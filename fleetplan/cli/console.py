"""What the verbs share: options, streams, and how refused input is told."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fleetplan.cli.exits import Exit
from fleetplan.workflow import InputRefusedError, PlanRefusedError, UnknownNameError

if TYPE_CHECKING:
    from fleetplan.output.document import Document

F = TypeVar("F", bound=Callable[..., Any])

INVENTORY = click.argument("inventory", type=click.Path(path_type=Path))


def format_option(*formats: str) -> Callable[[F], F]:
    """`--format`, the first being the default."""
    return click.option("--format", "form", type=click.Choice(formats), default=formats[0], show_default=True, help="How to print.")


def _day(_context: click.Context, _parameter: click.Parameter, value: datetime | None) -> date:
    return value.date() if value is not None else datetime.now(UTC).date()


AS_OF = click.option(
    "--as-of",
    "today",
    type=click.DateTime(["%Y-%m-%d"]),
    callback=_day,
    help="The day on which waivers count (default: today).",
)


def show(document: Document) -> None:
    """Print a document on stdout."""
    from fleetplan.output.text import render  # noqa: PLC0415 - not needed for JSON

    with _stdout():
        sys.stdout.write(render(document, colour=_coloured(sys.stdout)))


def plain(document: Document) -> bytes:
    """The same for a file: no colours."""
    from fleetplan.output.text import render  # noqa: PLC0415 - as above

    return render(document, colour=False).encode()


def tell(document: Document) -> None:
    """Print a document on stderr."""
    from fleetplan.output.text import render  # noqa: PLC0415 - seldom needed

    sys.stderr.write(render(document, colour=_coloured(sys.stderr)))


def emit(data: bytes) -> None:
    """Write bytes (JSON) on stdout."""
    emit_all((data,))


def emit_all(pieces: Iterable[bytes]) -> None:
    """Write bytes on stdout, piece by piece as they are made."""
    with _stdout():
        sys.stdout.flush()
        sys.stdout.buffer.writelines(pieces)


@contextmanager
def _stdout() -> Iterator[None]:
    """Whatever is written inside is out at the end, or it is told why not (a disk is full). A reader who went away is no error."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as problem:
        silence_stdout()
        told = f"standard output cannot be written: {problem.strerror}"
        raise click.ClickException(told) from problem


def silence_stdout() -> None:
    """What is left in the buffers goes nowhere, so that Python does not complain when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write(output: Path, pieces: Iterable[bytes]) -> None:
    """Write a file of `-o`, or say why that is not possible."""
    from fleetplan.inventory.output_file import write_atomically  # noqa: PLC0415 - only who writes

    try:
        write_atomically(output, pieces)
    except OSError as problem:
        raise click.FileError(str(output), problem.strerror) from problem


def _coloured(stream: Any) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def refusals(verb: Callable[..., Exit]) -> Callable[..., Exit]:
    """Tell refused input and unknown names on stderr, and turn them into exit code 2."""

    @wraps(verb)
    def told(*arguments: Any, **options: Any) -> Exit:
        try:
            return verb(*arguments, **options)
        except InputRefusedError as refused:
            from fleetplan.output.views.findings import findings_document  # noqa: PLC0415 - seldom needed

            tell(findings_document(refused.findings))
        except UnknownNameError as unknown:
            from fleetplan.output.views.findings import unknown_name_document  # noqa: PLC0415 - seldom needed

            tell(unknown_name_document(unknown.kind, unknown.name, unknown.known))
        except PlanRefusedError as refuted:
            from fleetplan.output.views.refusal import refuted_document  # noqa: PLC0415 - seldom needed

            tell(refuted_document(refuted.violations))
            return Exit.REFUTED
        return Exit.USAGE

    return told

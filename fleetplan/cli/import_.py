"""fleetplan import: facts from what other tools print."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from fleetplan import workflow
from fleetplan.cli.console import emit, format_option, show
from fleetplan.cli.exits import Exit
from fleetplan.findings.finding import Severity
from fleetplan.findings.report import Report
from fleetplan.importers.registry import KINDS
from fleetplan.importers.source import LARGEST, Source, Unreadable

PRINTED = "\n".join(f"  {kind.id:<24}{kind.made_by}" for kind in KINDS)


@click.command("import", epilog=f"\b\nKinds of sources:\n{PRINTED}")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("-o", "inventory", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder of the inventory.")
@click.option("--as", "kind", type=click.Choice([kind.id for kind in KINDS]), help="What all sources are (default: by their content).")
@click.option("--host", help="The host that sources are of which do not say it, such as `virsh dumpxml`.")
@click.option("--short-names", is_flag=True, help="Drop what follows the first dot of hosts' names.")
@format_option("text", "json")
@click.option(
    "--fail-on",
    type=click.Choice([severity.value for severity in Severity]),
    default=Severity.ERROR.value,
    show_default=True,
    help="Exit with 1 on findings as bad as this, or worse.",
)
def command(
    sources: tuple[str, ...], inventory: Path, kind: str | None, host: str | None, short_names: bool, form: str, fail_on: str
) -> Exit:
    """Make facts of what other tools print, in place of all facts that INVENTORY has.

    SOURCE is a file, a folder of files, `-` for stdin, or NAME=FILE where the output does not say which host it is of. Only `facts/` is
    written; files that people wrote are not touched, and override it.
    """
    imported = workflow.import_facts(_opened(sources, host), inventory, kind, short_names=short_names)
    if form == "json":
        from fleetplan.output.json import import_json  # noqa: PLC0415 - not needed for text

        emit(import_json(imported))
    else:
        from fleetplan.output.views.imported import imported_document  # noqa: PLC0415 - not needed for JSON

        show(imported_document(imported))
    if imported.written is None:
        return Exit.USAGE
    return Exit.FINDINGS if Report(findings=imported.findings).reaches(Severity(fail_on)) else Exit.CLEAN


def _opened(arguments: tuple[str, ...], host: str | None) -> Iterator[Source | Unreadable]:
    """Every source with its bytes, or what kept it from being read."""
    for argument in arguments:
        name, path = _split(argument, host)
        try:
            if path == "-":
                yield Source(name="stdin", data=_bytes(sys.stdin.buffer), host=name)
                continue
            for file in _files(Path(path)):
                with file.open("rb") as stream:
                    yield Source(name=str(file), data=_bytes(stream), host=name)
        except OSError as problem:
            yield Unreadable(path, problem.strerror or str(problem))


def _split(argument: str, host: str | None) -> tuple[str | None, str]:
    """NAME=FILE, unless there is a file of just that name."""
    name, sign, path = argument.partition("=")
    return (name, path) if sign and name and path and not Path(argument).exists() else (host, argument)


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith(".")) if path.is_dir() else [path]


def _bytes(stream: BinaryIO) -> bytes:
    """No more than tells that it is too much."""
    return stream.read(LARGEST + 1)

"""An import as a document: what was found, what came of it, and what nobody says."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from fleetplan.findings.imports import Imported, Missing
from fleetplan.output.document import Bullets, Document, Paragraph, Section, Tone
from fleetplan.output.facts import BY_KEY
from fleetplan.output.sentences import counted
from fleetplan.output.views.findings import findings_document

NAMES_SHOWN = 3


def imported_document(imported: Imported) -> Document:
    """Findings, then the facts that are still to be found out, then what was written."""
    findings = findings_document(imported.findings).sections if imported.findings else ()
    missing = (Section("Not known", (Bullets(tuple(_points(imported.missing))),)),) if imported.missing else ()
    return Document((*findings, *missing, Section("", (_end(imported),))))


def _points(missing: tuple[Missing, ...]) -> Iterator[tuple[int, str]]:
    """Keys of which the same is missing in the same way, together."""
    for (noun, names, how), rows in groupby(missing, key=lambda row: (row.noun, row.names, BY_KEY.get((row.noun, row.key), ""))):
        keys = ", ".join(f"`{row.key}`" for row in rows)
        yield 0, f"{keys} of {_of(noun, names)}"
        if how:
            yield 1, how


def _of(noun: str, names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:NAMES_SHOWN])
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"{counted(len(names), noun)} ({shown}{more})"


def _end(imported: Imported) -> Paragraph:
    if imported.written is None:
        return Paragraph("Nothing was written.", Tone.BAD)
    found = f"{counted(imported.hosts, 'host')} and {counted(imported.guests, 'guest')}"
    replaced = f" It replaces {', '.join(imported.replaced)}." if imported.replaced else ""
    return Paragraph(f"{imported.written}: {found} from {counted(len(imported.sources), 'source')}.{replaced}", Tone.GOOD, whole=True)

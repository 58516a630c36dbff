"""An import: sources in, facts with findings out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from fleetplan.findings import import_rules as rules
from fleetplan.findings.finding import Finding
from fleetplan.findings.imports import Imported, Read
from fleetplan.fleet.source import Location
from fleetplan.importers.merge import From, Merged, merge
from fleetplan.importers.registry import kind_of
from fleetplan.importers.source import LeftOut, Said, Source, SourceError, Unreadable, document_of


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of a file of facts, and what is to be said of the import. Without lines where something could not be read."""

    lines: tuple[bytes, ...]
    imported: Imported


def run(sources: Iterable[Source | Unreadable], kind: str | None = None, *, short_names: bool = False) -> Outcome:
    """Read all sources, whatever comes of any of them, and put together what they say.

    `kind` is what all of them are, where the user says so. `short_names`: what follows the first dot of a host's name is dropped.
    """
    told: list[From] = []
    findings: list[Finding] = []
    read: list[Read] = []
    for source in sources:
        if isinstance(source, Unreadable):
            findings.append(unusable(source.name, source.problem))
            continue
        try:
            document = document_of(source.data)
            found = kind_of(document, kind)
            items = list(found.read(document, source))
        except SourceError as problem:
            findings.append(unusable(source.name, str(problem)))
            continue
        read.append(Read(source=source.name, kind=found.id))
        for item in items:
            if isinstance(item, Said):
                told.append(From(_shortened(item) if short_names else item, source.name, found.id))
            else:
                findings.append(_remark(item, source.name))
    return _outcome(read, findings, merge(told))


def unusable(name: str, problem: str) -> Finding:
    """A source that cannot be used, and why."""
    return Finding(rule=rules.UNUSABLE.id, subject=name, at=Location(name), facts={"path": name, "problem": problem})


def _outcome(read: list[Read], findings: list[Finding], merged: Merged) -> Outcome:
    imported = Imported(
        sources=tuple(read),
        hosts=sum("host" in fact for fact in merged.facts),
        guests=sum("guest" in fact for fact in merged.facts),
        findings=(*sorted(findings, key=Finding.sort_key), *merged.findings),
        missing=merged.missing,
    )
    return Outcome(lines=tuple(_lines(merged)), imported=imported)


def _lines(merged: Merged) -> Iterator[bytes]:
    return (msgspec.json.encode(fact) + b"\n" for fact in merged.facts)


def _remark(item: LeftOut, source: str) -> Finding:
    facts = {"what": item.what, "problem": item.problem}
    return Finding(rule=rules.LEFT_OUT.id, subject=item.what, at=Location(source), facts=facts)


def _shortened(said: Said) -> Said:
    keys = {key: _short(value) if key == "on" and isinstance(value, str) else value for key, value in said.keys.items()}
    return msgspec.structs.replace(said, name=_short(said.name) if said.noun == "host" else said.name, keys=keys)


def _short(name: str) -> str:
    return name.partition(".")[0] or name

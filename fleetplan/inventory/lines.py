"""Files of facts, a million lines of them: plain lines go straight into columns, all others to the exact reader.

In the end lines that something else touches (given twice, overridden, used by `like`, naming what does not exist) are read again, exactly.
So the findings are the same, and stand at the same places, as if the exact reader had read every line.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from fleetplan.findings import inventory_rules as rules
from fleetplan.fleet.source import Location
from fleetplan.inventory.draft import Draft, Raw
from fleetplan.inventory.facts import Fact, keep, read_fact
from fleetplan.inventory.plain import PlainGuests, PlainHosts, UnplainError
from fleetplan.inventory.records import is_pattern
from fleetplan.inventory.text import flaw, numbered_lines

CHUNK = 1 << 16
"""Bytes read at a time, so few that what is made of them stays in the cache; a longer line is read whole."""


class FactFiles:
    """Reads files of facts into a draft; `settle` when all are read. Files must come in the order of their names."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._plain = (PlainGuests(draft, draft.plain_guests), PlainHosts(draft, draft.plain_hosts))
        self._set_aside: list[tuple[Location, bytes]] = []

    def read(self, path: Path) -> None:
        """All lines of a file, unless it is not text. A bad line does not keep the others from being read."""
        try:
            with path.open("rb") as stream:
                if self._is_text(str(path), stream):
                    stream.seek(0)
                    for first, chunk in _chunks(stream):
                        self._take(str(path), chunk, range(first, first + chunk.count(b"\n")))
        except OSError as problem:
            facts = {"path": str(path), "problem": problem.strerror or str(problem)}
            self._draft.report(rules.UNREADABLE, str(path), Location(str(path)), **facts)

    def _is_text(self, file: str, stream: BinaryIO) -> bool:
        for first, chunk in _chunks(stream):
            found = flaw(chunk)
            if found is not None:
                offset, problem = found
                line, column = first + chunk.count(b"\n", 0, offset), offset - chunk.rfind(b"\n", 0, offset)
                self._draft.report(rules.NOT_TEXT, file, Location(file, line, column), problem=problem)
                return False
        return True

    def _take(self, file: str, chunk: bytes, numbers: Sequence[int]) -> None:
        """Lines, each with its end, which have these numbers in the file."""
        for plain in self._plain:
            try:
                plain.take(chunk, file, numbers)
            except UnplainError:
                continue
            return
        lines = chunk.split(b"\n")[:-1]
        if len(lines) > 1:
            for part in _parts(lines):
                self._take(file, b"".join(lines[place] + b"\n" for place in part), [numbers[place] for place in part])
        elif lines[0].strip():
            self._set_aside.append((Location(file, numbers[0], 1), lines[0]))

    # --- when all are read --------------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Bring what was not plain, and what it touches, into the draft as the exact reader sees it. O(n log n)."""
        draft = self._draft
        facts = [fact for at, line in sorted(self._set_aside) if (fact := read_fact(line, at, draft)) is not None]
        self._set_aside.clear()
        hosts = _touched("host", facts, draft.hosts)
        guests = _touched("guest", facts, draft.guests)
        again = self._read_again([*self._take_hosts(hosts), *self._take_guests(guests)])
        for fact in sorted([*facts, *again], key=lambda fact: fact.start):
            keep(draft, fact)
        for fact in self._read_again(self._take_dangling()):
            keep(draft, fact)

    def _read_again(self, places: Iterable[Location]) -> Iterator[Fact]:
        by_file: dict[str, set[int]] = {}
        for at in places:
            by_file.setdefault(at.file, set()).add(at.line)
        for file, numbers in by_file.items():
            for number, line in numbered_lines(file, numbers):
                fact = read_fact(line, Location(file, number, 1), self._draft)
                if fact is not None:
                    yield fact

    def _take_hosts(self, names: Collection[str]) -> list[Location]:
        """Take out the hosts of these names, and those that are there twice; returns where they stand."""
        hosts = self._draft.plain_hosts
        counts = Counter(host.name for host in hosts)
        out = [host for host in hosts if host.name in names or counts[host.name] > 1]
        if out:
            hosts[:] = [host for host in hosts if host.name not in names and counts[host.name] == 1]
        return [host.at for host in out]

    def _take_guests(self, names: Collection[str]) -> list[Location]:
        """The same for guests."""
        rows = self._draft.plain_guests
        out = rows.sort()
        known = rows.names()
        for name in names:
            out.extend(range(bisect_left(known, name), bisect_right(known, name)))
        return self._take_rows(out)

    def _take_dangling(self) -> list[Location]:
        """Take out the guests that name a host or a group that does not exist."""
        draft, rows = self._draft, self._draft.plain_guests
        hosts = {*draft.hosts, *draft.host_facts, *(host.name for host in draft.plain_hosts)}
        no_host = {number for name, number in rows.hosts.items() if name not in hosts}
        no_group = {number for name, number in rows.groups.items() if name not in draft.groups}
        bad = {
            number
            for number, template in enumerate(rows.templates)
            if any(name not in hosts and not is_pattern(name) for name in (*template.allow, *template.deny))
        }
        if not (no_host or no_group or bad):
            return []
        numbered = enumerate(zip(rows.on, rows.group, rows.template, strict=True))
        return self._take_rows([row for row, (on, group, template) in numbered if on in no_host or group in no_group or template in bad])

    def _take_rows(self, out: Collection[int]) -> list[Location]:
        rows = self._draft.plain_guests
        places = [rows.at(row) for row in out]
        rows.drop(out)
        return places


def _chunks(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Whole lines, some of them at a time, with the number of the first; the last one gets an end too."""
    number = 1
    while chunk := stream.read(CHUNK):
        chunk += stream.readline()
        yield number, chunk if chunk.endswith(b"\n") else chunk + b"\n"
        number += chunk.count(b"\n")


def _parts(lines: Sequence[bytes]) -> Iterator[Sequence[int]]:
    """Lines that could not be taken together, in two parts: hosts and others, else halves."""
    hosts = [place for place, line in enumerate(lines) if line.startswith(b'{"host"')]
    if 0 < len(hosts) < len(lines):
        yield hosts
        yield [place for place, line in enumerate(lines) if not line.startswith(b'{"host"')]
    else:
        yield range(len(lines) // 2)
        yield range(len(lines) // 2, len(lines))


def _touched(noun: str, facts: Iterable[Fact], written: Mapping[str, Raw]) -> set[str]:
    """Names whose plain lines must be read exactly: of what was set aside or written by people, and what that is like."""
    own = [fact for fact in facts if fact.noun == noun]
    likes = (raw.values.get("like") for raw in (*(fact.raw for fact in own), *written.values()))
    return {*(fact.name for fact in own), *written, *(like for like in likes if like is not None)}

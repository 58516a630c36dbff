"""Guests in columns: a fleet has a million of them, and as records they would take half a gigabyte.

What differs from guest to guest has a column; all else is a template that most guests share. Records are views that are made when they are
asked for. Columns are arrays of the standard library (`check` loads no numpy), which numpy can use without a copy.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import accumulate, chain, compress, pairwise, starmap
from operator import attrgetter, lt
from typing import Any, Generic, TypeVar, overload

import msgspec
from msgspec.structs import replace

from fleetplan.fleet.guest import GroupName, Guest, GuestName, HostName
from fleetplan.fleet.source import Location

N = TypeVar("N", bound=str)

NO_GROUP = -1

OWN = frozenset({"name", "on", "vcpus", "memory_mib", "group", "dirty_rate_mib_s", "at"})
"""The fields of a guest that have a column; the others are its template's."""

_shared: Callable[[Guest], tuple[Any, ...]] = attrgetter(*(field for field in Guest.__struct_fields__ if field not in OWN))


class Names(Sequence[N], Generic[N]):
    """Names end to end in one text, with the place where each ends: a quarter of what as many strings take."""

    __slots__ = ("ends", "text")

    def __init__(self, text: str, ends: array[int]) -> None:
        self.text = text
        self.ends = ends

    @classmethod
    def of(cls, names: Iterable[N]) -> Names[N]:
        """These names, in this order."""
        parts = list(names)
        return cls("".join(parts), array("I", accumulate(map(len, parts))))

    def __len__(self) -> int:
        """The number of names."""
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> N: ...
    @overload
    def __getitem__(self, index: slice) -> list[N]: ...
    def __getitem__(self, index: int | slice) -> N | list[N]:
        """One name, or some of them."""
        if isinstance(index, slice):
            return [self[place] for place in range(len(self.ends))[index]]
        place = index if index >= 0 else index + len(self.ends)
        return self.text[self.ends[place - 1] if place > 0 else 0 : self.ends[place]]  # type: ignore[return-value] # N is a str by another name

    def __iter__(self) -> Iterator[N]:
        """All names in order."""
        text, start = self.text, 0
        for end in self.ends:
            yield text[start:end]  # type: ignore[misc] # as above
            start = end

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Names):
            return self.text == other.text and self.ends == other.ends
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.text)

    def many(self, numbers: Iterable[int]) -> list[N | None]:
        """The names with these numbers; None for a number below 0."""
        text, ends = self.text, self.ends
        return [
            None if number < 0 else text[ends[number - 1] if number else 0 : ends[number]]  # type: ignore[misc] # as above
            for number in numbers
        ]

    def ascend(self) -> bool:
        """Whether each name is greater than the one before it: in order, and none twice."""
        return all(starmap(lt, pairwise(self)))


class Among(Sequence[N], Generic[N]):
    """Some of many names, by number; each is made when it is asked for."""

    __slots__ = ("names", "numbers")

    def __init__(self, names: Names[N], numbers: Sequence[int]) -> None:
        self.names = names
        self.numbers = numbers

    def __len__(self) -> int:
        """How many they are."""
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> N: ...
    @overload
    def __getitem__(self, index: slice) -> list[N]: ...
    def __getitem__(self, index: int | slice) -> N | list[N]:
        """One name, or some of them."""
        if isinstance(index, slice):
            return [self.names[number] for number in self.numbers[index]]
        return self.names[self.numbers[index]]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def __hash__(self) -> int:
        return hash(tuple(self))


class Places(msgspec.Struct, frozen=True):
    """Where each guest stands: a number of `files`, line and column."""

    files: tuple[str, ...]
    file: array[int]
    line: array[int]
    column: array[int]

    def at(self, index: int) -> Location:
        """The place of one guest."""
        return Location(self.files[self.file[index]], self.line[index], self.column[index])


class GuestTable(Sequence[Guest]):
    """Guests by columns, one entry per guest each.

    `on` numbers `host_names`; `sizes` has two entries per guest, vCPUs and MiB; `group` numbers `group_names` (NO_GROUP: none);
    `template` numbers `templates`, records of which all but the fields of `OWN` hold for the guest. A name or a template may have a number
    though no guest has it. Nothing is changed once a table is made.
    """

    __slots__ = ("dirty_rate_mib_s", "group", "group_names", "host_names", "names", "on", "places", "sizes", "template", "templates")

    def __init__(
        self,
        *,
        names: Names[GuestName],
        on: array[int],
        host_names: tuple[HostName, ...],
        sizes: array[int],
        group: array[int],
        group_names: tuple[GroupName, ...],
        dirty_rate_mib_s: array[int],
        template: array[int],
        templates: tuple[Guest, ...],
        places: Places,
    ) -> None:
        self.names = names
        self.on = on
        self.host_names = host_names
        self.sizes = sizes
        self.group = group
        self.group_names = group_names
        self.dirty_rate_mib_s = dirty_rate_mib_s
        self.template = template
        self.templates = templates
        self.places = places

    @classmethod
    def of(cls, guests: Iterable[Guest]) -> GuestTable:
        """Guests as a table, in the order given; a table is given back as it is. O(guests)."""
        if isinstance(guests, GuestTable):
            return guests
        rows = GuestRows()
        for guest in guests:
            rows.add(guest)
        return rows.table()

    def __len__(self) -> int:
        """The number of guests."""
        return len(self.on)

    @overload
    def __getitem__(self, index: int) -> Guest: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Guest, ...]: ...
    def __getitem__(self, index: int | slice) -> Guest | tuple[Guest, ...]:
        """One guest, or some of them, as records."""
        if isinstance(index, slice):
            return tuple(self._record(place) for place in range(len(self))[index])
        return self._record(range(len(self))[index])

    def __iter__(self) -> Iterator[Guest]:
        """All guests as records, in order."""
        return map(self._record, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Sequence):
            return len(self) == len(other) and all(mine == its for mine, its in zip(self, other, strict=True))
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.names)

    def _record(self, index: int) -> Guest:
        group = self.group[index]
        return replace(
            self.templates[self.template[index]],
            name=self.names[index],
            on=self.host_names[self.on[index]],
            vcpus=self.sizes[2 * index],
            memory_mib=self.sizes[2 * index + 1],
            group=None if group == NO_GROUP else self.group_names[group],
            dirty_rate_mib_s=self.dirty_rate_mib_s[index],
            at=self.places.at(index),
        )


class Numbers(dict[str, int]):
    """Texts, numbered in the order in which they are first asked for."""

    def __missing__(self, text: str) -> int:
        """The next number."""
        number = self[text] = len(self)
        return number


class GuestRows:
    """Guests in the making: rows are added in any order, sorted, taken out again, and become a table."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.ends = array("I")
        self.on = array("i")
        self.hosts = Numbers()
        self.sizes = array("q")
        self.group = array("i")
        self.groups = Numbers()
        self.dirty_rate_mib_s = array("q")
        self.template = array("i")
        self.templates: list[Guest] = []
        self._template_number: dict[tuple[Any, ...], int] = {}
        self.files = Numbers()
        self.file = array("I")
        self.line = array("I")
        self.column = array("I")

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.on)

    def number_template(self, guest: Guest) -> int:
        """The number of the template that a guest like this has; a new one, if none is equal."""
        shared = _shared(guest)
        number = self._template_number.setdefault(shared, len(self.templates))
        if number == len(self.templates):
            self.templates.append(guest)
        return number

    def add(self, guest: Guest) -> None:
        """Add a record."""
        self._add_names((guest.name,))
        self.on.append(self.hosts[guest.on])
        self.sizes.extend((guest.vcpus, guest.memory_mib))
        self.group.append(NO_GROUP if guest.group is None else self.groups[guest.group])
        self.dirty_rate_mib_s.append(guest.dirty_rate_mib_s)
        self.template.append(self.number_template(guest))
        self.file.append(self.files[guest.at.file])
        self.line.append(guest.at.line)
        self.column.append(guest.at.column)

    def add_many(
        self,
        *,
        names: Sequence[str],
        hosts: Sequence[str],
        vcpus: Sequence[int],
        memory_mib: Sequence[int],
        groups: Sequence[str | None],
        dirty_rates_mib_s: Sequence[int],
        templates: Sequence[int],
        file: str,
        lines: Sequence[int],
    ) -> None:
        """Add rows by their columns; they stand in one file, at the beginning of these lines.

        An array is made of a list in half the time in which an iterator extends one.
        """
        self._add_names(names)
        self.on += array("i", [self.hosts[host] for host in hosts])
        sizes = [0] * (2 * len(names))
        sizes[::2], sizes[1::2] = vcpus, memory_mib
        self.sizes += array("q", sizes)
        self.group += array("i", [NO_GROUP if group is None else self.groups[group] for group in groups])
        self.dirty_rate_mib_s += array("q", dirty_rates_mib_s)
        self.template += array("i", templates)
        self.file += array("I", [self.files[file]]) * len(names)
        self.line += array("I", lines)
        self.column += array("I", [1]) * len(names)

    def _add_names(self, names: Sequence[str]) -> None:
        ends = accumulate(map(len, names), initial=self.ends[-1] if self.ends else 0)
        next(ends)
        self.ends.extend(ends)
        self.text.append("".join(names))

    def names(self) -> Names[GuestName]:
        """The names of all rows."""
        self.text = ["".join(self.text)]
        return Names(self.text[0], self.ends)

    def at(self, row: int) -> Location:
        """Where a row stands."""
        return Location(list(self.files)[self.file[row]], self.line[row], self.column[row])

    def sort(self) -> list[int]:
        """Bring rows into the order of their names, those of one name as they came; returns all that share theirs. O(n) if sorted."""
        if self.names().ascend():
            return []
        given = list(self.names())
        rows = sorted(range(len(given)), key=given.__getitem__)
        same = [place for place in range(1, len(rows)) if given[rows[place]] == given[rows[place - 1]]]
        self._replace([given[row] for row in rows], lambda column: map(column.__getitem__, rows))
        return sorted({*same, *(place - 1 for place in same)})

    def drop(self, rows: Collection[int]) -> None:
        """Leave rows out. O(n)."""
        if rows:
            kept = bytearray(b"\1" * len(self))
            for row in rows:
                kept[row] = 0
            self._replace(list(compress(self.names(), kept)), lambda column: compress(column, kept))

    def _replace(self, names: list[GuestName], picked: Callable[[array[int]], Iterable[int]]) -> None:
        """Other rows in the place of these: their names, and what of each column is theirs."""
        self.text, self.ends = [], array("I")
        self._add_names(names)
        vcpus, memory_mib = picked(self.sizes[::2]), picked(self.sizes[1::2])
        self.sizes = array("q", chain.from_iterable(zip(vcpus, memory_mib, strict=True)))
        for name in ("on", "group", "dirty_rate_mib_s", "template", "file", "line", "column"):
            column: array[int] = getattr(self, name)
            setattr(self, name, array(column.typecode, picked(column)))

    def table(self, host_names: Sequence[HostName] | None = None) -> GuestTable:
        """The rows as a table. `host_names`: how it numbers hosts (those that guests are on must be among them)."""
        on, known = self.on, tuple(map(HostName, self.hosts))
        if host_names is not None and known != tuple(host_names):
            number = {name: place for place, name in enumerate(host_names)}
            moved = [number[name] for name in known]
            on, known = array("i", map(moved.__getitem__, on)), tuple(host_names)
        return GuestTable(
            names=self.names(),
            on=on,
            host_names=known,
            sizes=self.sizes,
            group=self.group,
            group_names=tuple(map(GroupName, self.groups)),
            dirty_rate_mib_s=self.dirty_rate_mib_s,
            template=self.template,
            templates=tuple(self.templates),
            places=Places(tuple(self.files), self.file, self.line, self.column),
        )

"""Guests in columns: a fleet has a million of them, and as records they would take half a gigabyte.

What differs from guest to guest has a column; all else is a template that most guests share. Records are views that are made when they are
asked for. Columns are arrays of the standard library (`check` loads no numpy), which numpy can use without a copy.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, islice, pairwise, starmap
from operator import attrgetter, lt
from typing import Any, Generic, TypeVar, overload

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

    def ascend(self) -> bool:
        """Whether each name is greater than the one before it: in order, and none twice."""
        return all(starmap(lt, pairwise(self)))


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where each guest stands: a number of `files`, line and column."""

    files: tuple[str, ...]
    file: array[int]
    line: array[int]
    column: array[int]

    def at(self, index: int) -> Location:
        """The place of one guest."""
        return Location(self.files[self.file[index]], self.line[index], self.column[index])


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class GuestTable(Sequence[Guest]):
    """Guests by columns, one entry per guest each.

    `on` numbers `host_names`; `sizes` has two entries per guest, vCPUs and MiB; `group` numbers `group_names` (NO_GROUP: none);
    `template` numbers `templates`, records of which all but the fields of `OWN` hold for the guest. A name or a template may have a number
    though no guest has it.
    """

    names: Names[GuestName]
    on: array[int]
    host_names: tuple[HostName, ...]
    sizes: array[int]
    group: array[int]
    group_names: tuple[GroupName, ...]
    dirty_rate_mib_s: array[int]
    template: array[int]
    templates: tuple[Guest, ...]
    places: Places

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

    def add_names(self, names: Sequence[str]) -> None:
        """The names of further rows, whose columns the caller extends."""
        start = self.ends[-1] if self.ends else 0
        self.ends.extend(islice(accumulate(map(len, names), initial=start), 1, None))
        self.text.append("".join(names))

    def add(self, guest: Guest) -> None:
        """Add a record."""
        self.add_names((guest.name,))
        self.on.append(self.hosts[guest.on])
        self.sizes.extend((guest.vcpus, guest.memory_mib))
        self.group.append(NO_GROUP if guest.group is None else self.groups[guest.group])
        self.dirty_rate_mib_s.append(guest.dirty_rate_mib_s)
        self.template.append(self.number_template(guest))
        self.file.append(self.files[guest.at.file])
        self.line.append(guest.at.line)
        self.column.append(guest.at.column)

    def names(self) -> Names[GuestName]:
        """The names of all rows."""
        self.text = ["".join(self.text)]
        return Names(self.text[0], self.ends)

    def sort(self) -> None:
        """Bring rows into the order of their names; rows of one name stay in the order in which they came. O(n) if they are already."""
        if not self.names().ascend():
            given = list(self.names())
            self._pick(sorted(range(len(given)), key=given.__getitem__))

    def drop(self, rows: Iterable[int]) -> None:
        """Leave rows out."""
        gone = set(rows)
        if gone:
            self._pick([row for row in range(len(self)) if row not in gone])

    def _pick(self, rows: list[int]) -> None:
        """Only these rows, in this order."""
        names = self.names()
        self.text, self.ends = [], array("I")
        self.add_names(list(map(names.__getitem__, rows)))
        self.sizes = array("q", chain.from_iterable((self.sizes[2 * row], self.sizes[2 * row + 1]) for row in rows))
        for name in ("on", "group", "dirty_rate_mib_s", "template", "file", "line", "column"):
            column: array[int] = getattr(self, name)
            setattr(self, name, array(column.typecode, map(column.__getitem__, rows)))

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

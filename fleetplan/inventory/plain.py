"""Lines of facts that are plainly sound, read as JSON by the ten thousand and put straight into columns.

A chunk of lines is taken only if each says the same read as JSON as it says read as YAML, which is what `inventory.facts` does: nothing
escaped, no key twice, every value with a column sound. What the other keys mean is learnt from that exact reader, once for each text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType
from msgspec.structs import replace

from fleetplan.fleet.model import Guest, Host, HostFacts, HostName
from fleetplan.fleet.source import NOWHERE, Location
from fleetplan.fleet.table import GuestRows
from fleetplan.inventory import schema
from fleetplan.inventory.draft import Draft
from fleetplan.inventory.events import LONGEST
from fleetplan.inventory.facts import read_fact
from fleetplan.inventory.records import guest_of, host_of
from fleetplan.inventory.values import LONGEST_NAME, quantity_of

ODD = (b"\\", b"\t")
"""Where one of these stands, JSON and YAML may differ: YAML has other escapes, and takes tabs in some places only."""

Optional = str | None | UnsetType


class UnplainError(Exception):
    """Among these lines is one that the exact reader must see."""


class GuestLine(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The keys of a guest that have a column."""

    guest: str
    on: str
    vcpus: int
    memory: str
    group: Optional = UNSET
    dirty_rate: Optional = UNSET


class HostLine(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The keys of a host that differ from host to host."""

    host: str
    vcpus: int
    memory: str
    zone: Optional = UNSET
    rack: Optional = UNSET
    pool: Optional = UNSET
    address: Optional = UNSET


class _Amounts(dict[str, int]):
    """Quantities of one kind by their text."""

    def __init__(self, kind: str, least: int) -> None:
        super().__init__()
        self._kind, self._least = kind, least

    def __missing__(self, text: str) -> int:
        """Raises UnplainError for a text that is no such quantity."""
        value = quantity_of(text, self._kind)
        if not isinstance(value, int) or value < self._least:
            raise UnplainError
        self[text] = value
        return value


L = TypeVar("L", GuestLine, HostLine)
R = TypeVar("R", Guest, Host)


class Template(msgspec.Struct, Generic[R], frozen=True):
    """What the keys without a column say: the record that they make. `colons`: how many are in their text, of keys and of values."""

    colons: int
    record: R


class _Plain(Generic[L, R]):
    """Reads plain lines of one noun."""

    noun: ClassVar[str]
    kind: ClassVar[schema.Kind]

    def __init__(self, draft: Draft, line: type[L]) -> None:
        self._columns = tuple(line.__struct_fields__)
        rest = [key for key in self.kind if key not in self._columns and key != "like"]
        whole = msgspec.defstruct(self.noun, [(key, Raw, Raw()) for key in rest], bases=(line,), forbid_unknown_fields=True, gc=False)
        self._decode: Callable[[bytes], list[L]] = msgspec.json.Decoder[Any](whole).decode_lines
        self._rest: Callable[[L], tuple[Raw, ...]] = attrgetter(*rest)
        self._templates: dict[bytes, Template[R] | None] = {}
        defaults = draft.sections.get("defaults")
        self._defaults: Mapping[str, Any] = {} if defaults is None else defaults.values.get(self.noun, {})
        self._memory = _Amounts("memory", 1)

    def lines(self, chunk: bytes, count: int) -> list[L]:
        """The lines of a chunk, which ends with the end of a line. Raises UnplainError if they are not so many, each one object."""
        if chunk.count(b"}\n{") != count - 1 or any(odd in chunk for odd in ODD):
            raise UnplainError
        try:
            lines = self._decode(chunk)
        except (msgspec.DecodeError, RecursionError) as problem:
            raise UnplainError from problem
        if len(lines) != count:
            raise UnplainError
        return lines

    def templates(self, chunk: bytes, lines: Sequence[L], colons: int) -> tuple[list[bytes], dict[bytes, R]]:
        """The rest of each line as text, and what each such text makes. `colons` are those of the columns, of keys and of values.

        Raises UnplainError if the rest of a line is not sound, or if there are more colons in the chunk than all these: then a key is there
        twice, and JSON kept one of the two.
        """
        texts = list(map(b"\0".join, map(self._rest, lines)))
        fresh = {text: place for place, text in enumerate(texts) if text not in self._templates}
        if fresh:
            written = chunk.split(b"\n")
            self._templates.update((text, self._learn(text, written[place])) for text, place in fresh.items())
        counts = Counter(texts)
        used = {text: template for text in counts if (template := self._templates[text]) is not None}
        told = colons + sum(template.colons * counts[text] for text, template in used.items())
        if len(used) < len(counts) or chunk.count(b":") != told:
            raise UnplainError
        return texts, {text: template.record for text, template in used.items()}

    def _learn(self, text: bytes, line: bytes) -> Template[R] | None:
        """What the exact reader says of a line with such a rest; None if it finds anything wrong."""
        scratch = Draft()
        fact = read_fact(line, NOWHERE, scratch)
        if fact is None or fact.findings or scratch.findings:
            return None
        values = {**self._defaults, **{key: value for key, value in fact.raw.values.items() if key not in self._columns}}
        record = self._record(values)
        return None if record is None else Template(sum(map(bool, text.split(b"\0"))) + text.count(b":"), record)

    def _record(self, values: Mapping[str, Any]) -> R | None:
        raise NotImplementedError


def _colons_of_names(names: list[str]) -> int:
    """The colons of a column of names, their keys' included. Raises UnplainError where `values.name_problem` has something to say."""
    together = "".join(names)
    blank = " " in together and any(name != name.strip() for name in names)
    if blank or not together.isprintable() or not all(names) or max(map(len, names)) > LONGEST_NAME:
        raise UnplainError
    return len(names) + together.count(":")


def _colons_of_texts(texts: list[Any]) -> int:
    """The same for a column that a line may lack, and `values.text`."""
    there = len(texts) - texts.count(UNSET)
    if not there:
        return 0
    given = [text for text in texts if isinstance(text, str)]
    together = "".join(given)
    if not together.isprintable() or (len(together) > LONGEST and max(map(len, given)) > LONGEST):
        raise UnplainError
    return there + together.count(":")


def _colons_of_vcpus(vcpus: list[int]) -> int:
    """The same for a column of numbers."""
    if min(vcpus) < 1 or max(vcpus) > schema.MOST_VCPUS:
        raise UnplainError
    return len(vcpus)


class PlainGuests(_Plain[GuestLine, Guest]):
    """Reads plain lines of guests into rows."""

    noun = "guest"
    kind = schema.GUEST

    def __init__(self, draft: Draft, rows: GuestRows) -> None:
        super().__init__(draft, GuestLine)
        self._rows = rows
        self._rates = _Amounts("rate", 0)

    def _record(self, values: Mapping[str, Any]) -> Guest:
        return guest_of("", NOWHERE, {"on": "", "vcpus": 0, "memory": 0, **values})

    def take(self, chunk: bytes, file: str, numbers: Sequence[int]) -> None:
        """All lines of a chunk, which have these numbers in the file; or none of them. Raises UnplainError. O(bytes)."""
        lines = self.lines(chunk, len(numbers))
        names, hosts, vcpus = [line.guest for line in lines], [line.on for line in lines], [line.vcpus for line in lines]
        groups, rates = [line.group for line in lines], [line.dirty_rate for line in lines]
        colons = _colons_of_names(names) + _colons_of_vcpus(vcpus) + sum(_colons_of_texts(column) for column in (hosts, groups, rates))
        memory_mib = [self._memory[line.memory] for line in lines]
        default_rate = self._defaults.get("dirty_rate", 0)
        amounts = {rate: self._rates[rate] if isinstance(rate, str) else default_rate for rate in set(rates)}
        texts, templates = self.templates(chunk, lines, colons + len(memory_mib))
        number = {text: self._rows.number_template(record) for text, record in templates.items()}
        self._rows.add_many(
            names=names,
            hosts=hosts,
            vcpus=vcpus,
            memory_mib=memory_mib,
            groups=list(map(self._meant(groups).__getitem__, groups)),
            dirty_rates_mib_s=list(map(amounts.__getitem__, rates)),
            templates=list(map(number.__getitem__, texts)),
            file=file,
            lines=numbers,
        )

    def _meant(self, groups: Sequence[Optional]) -> dict[Optional, str | None]:
        """Each group as it is given, or the default where it is not."""
        default = self._defaults.get("group")
        return {group: group if isinstance(group, str) else default for group in set(groups)}


class PlainHosts(_Plain[HostLine, Host]):
    """Reads plain lines of hosts into records."""

    noun = "host"
    kind = schema.HOST

    def __init__(self, draft: Draft, hosts: list[Host]) -> None:
        super().__init__(draft, HostLine)
        self._hosts = hosts
        self._facts: dict[tuple[Any, ...], HostFacts] = {}

    def _record(self, values: Mapping[str, Any]) -> Host | None:
        """A host with these keys; None if it lacks one that it must have."""
        if "kernel" not in values or "vmm" not in values:
            return None
        return host_of("", NOWHERE, {"vcpus": 0, "memory": 0, **values}, self._facts)

    def take(self, chunk: bytes, file: str, numbers: Sequence[int]) -> None:
        """As `PlainGuests.take`."""
        lines = self.lines(chunk, len(numbers))
        colons = _colons_of_names([line.host for line in lines]) + _colons_of_vcpus([line.vcpus for line in lines])
        colons += sum(_colons_of_texts([getattr(line, key) for line in lines]) for key in ("zone", "rack", "pool", "address"))
        memory_mib = [self._memory[line.memory] for line in lines]
        texts, templates = self.templates(chunk, lines, colons + len(memory_mib))
        places = map(Location, repeat(file), numbers, repeat(1))
        self._hosts.extend(map(_host, lines, memory_mib, map(templates.__getitem__, texts), places))


def _host(line: HostLine, memory_mib: int, like: Host, at: Location) -> Host:
    return replace(
        like,
        name=HostName(line.host),
        vcpus=line.vcpus,
        memory_mib=memory_mib,
        zone=line.zone if isinstance(line.zone, str) else like.zone,
        rack=line.rack if isinstance(line.rack, str) else like.rack,
        pool=line.pool if isinstance(line.pool, str) else like.pool,
        address=line.address if isinstance(line.address, str) else like.address,
        at=at,
    )

"""How the text of a value is read: one reader per kind of value.

A reader takes a node and what it belongs to; it returns the value, or reports what is wrong and returns `BAD`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import lru_cache
from sys import intern
from typing import Any

import msgspec
from yaml.events import ScalarEvent

from fleetplan.findings import inventory_rules as rules
from fleetplan.findings.finding import Rule
from fleetplan.firmware.kernels import KernelNameError
from fleetplan.firmware.kernels import parse as parse_kernel
from fleetplan.fleet.model import Reboot
from fleetplan.fleet.policy import Share
from fleetplan.inventory.events import MapNode, Mark, Node, SeqNode, described, is_null, is_plain
from fleetplan.migration.vmm import VmmNameError
from fleetplan.migration.vmm import parse as parse_vmm


class _Bad:
    """The type of `BAD`."""

    def __repr__(self) -> str:
        return "BAD"


BAD = _Bad()
"""Stands for a value that was reported and is not used."""

LONGEST_NAME = 253
MOST_DIGITS = 18
"""Longer numbers are impossible for everything that an inventory counts."""


class Place(msgspec.Struct, frozen=True):
    """What a value belongs to, for its error: `host `arm-01`` and `zone`; and where errors go."""

    owner: str
    key: str
    report: Callable[..., None]

    @property
    def what(self) -> str:
        """The value in words."""
        return f"`{self.key}` of {self.owner}" if self.owner else f"`{self.key}`"

    def refuse(self, rule: Rule, node: Node, **facts: str) -> _Bad:
        """Report a value, and be BAD."""
        self.report(rule, node.start_mark, what=self.what, **facts)
        return BAD

    def wrong(self, node: Node, expected: str) -> _Bad:
        """Report a value of another type."""
        if isinstance(node, ScalarEvent) and node.value == "" and is_plain(node):
            return self.refuse(rules.NO_VALUE, node)
        return self.refuse(rules.WRONG_TYPE, node, expected=expected, found=described(node))

    def inner(self, key: str) -> Place:
        """The place of something inside of this value."""
        return Place(self.owner, f"{self.key}.{key}" if self.key else key, self.report)


Reader = Callable[[Node, Place], Any]


def text(node: Node, place: Place) -> Any:
    """Text as it was written, quoted or not, without control characters."""
    if not isinstance(node, ScalarEvent) or (node.value == "" and is_plain(node)):
        return place.wrong(node, "text")
    if not node.value.isprintable():
        return place.refuse(rules.IMPOSSIBLE, node, found=repr(node.value)[:80], limit="it has control characters")
    return intern(node.value)


def name_problem(name: str) -> str | None:
    """What keeps a text from being a name, if anything."""
    if not name:
        return "it is empty"
    if len(name) > LONGEST_NAME:
        return f"it is longer than {LONGEST_NAME} characters"
    if not name.isprintable():
        return "it has control characters"
    if name != name.strip():
        return "it has blanks at an end"
    return None


def integer(least: int, most: int) -> Reader:
    """A whole number between two limits, both allowed."""

    def read(node: Node, place: Place) -> Any:
        if not isinstance(node, ScalarEvent) or not is_plain(node) or not re.fullmatch(r"[-+]?\d+", node.value, re.ASCII):
            return place.wrong(node, "a whole number")
        value = int(node.value) if len(node.value) <= MOST_DIGITS else most + 1
        if not least <= value <= most:
            shown = node.value[:MOST_DIGITS] + ("…" if len(node.value) > MOST_DIGITS else "")
            return place.refuse(rules.IMPOSSIBLE, node, found=shown, limit=f"it must be from {least} to {most}")
        return value

    return read


def boolean(node: Node, place: Place) -> Any:
    """`true` or `false`."""
    if isinstance(node, ScalarEvent) and is_plain(node) and node.value in {"true", "false"}:
        return node.value == "true"
    return place.wrong(node, "true or false")


def all_or_named(node: Node, place: Place) -> Any:
    """`true`, `false`, or a list of name patterns."""
    return several(text)(node, place) if isinstance(node, SeqNode) else boolean(node, place)


def hexadecimal(node: Node, place: Place) -> Any:
    """An unsigned 64-bit number, as 0x text (quoted or not) or in decimal."""
    if isinstance(node, ScalarEvent) and re.fullmatch(r"0[xX][0-9a-fA-F]{1,16}|\d{1,20}", node.value, re.ASCII):
        value = int(node.value, 16) if node.value[:2] in {"0x", "0X"} else int(node.value)
        if value < 1 << 64:
            return value
        return place.refuse(rules.IMPOSSIBLE, node, found=node.value, limit="it does not fit 64 bits")
    return place.wrong(node, "a number such as 0x413fd0c1")


class Units(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of quantity: its units in the unit of the value, and how to ask for it."""

    units: Mapping[str, Decimal]
    expected: str
    most: int


KIB = Decimal(1) / 1024
MEMORY = Units(
    units={"KiB": KIB, "MiB": Decimal(1), "GiB": Decimal(1024), "TiB": Decimal(1024 * 1024)},
    expected="a size with its unit, such as 512GiB or 4096MiB",
    most=64 * 1024 * 1024,
)
DURATION = Units(
    units={"s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86400)},
    expected="a duration with its unit, such as 300s or 5m",
    most=366 * 86400,
)
PAGE = Units(
    units={"KiB": Decimal(1), "MiB": Decimal(1024), "GiB": Decimal(1024 * 1024)},
    expected="a page size with its unit, such as 2MiB or 1GiB",
    most=16 * 1024 * 1024,
)
BIT = Decimal(10**6) / 8 / 2**20
RATE = Units(
    units={"Mbit": BIT, "Gbit": BIT * 1000, "MiB": Decimal(1), "GiB": Decimal(1024)},
    expected="a rate per second with its unit, such as 25Gbit or 2980MiB",
    most=1024 * 1024,
)


QUANTITIES = {"memory": MEMORY, "duration": DURATION, "rate": RATE, "page": PAGE}


@lru_cache(maxsize=4096)
def quantity_of(written: str, kind: str) -> int | str:
    """The value in the unit of its kind, or what is wrong: `unit`, `fraction` or `size`."""
    units = QUANTITIES[kind]
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,6})?) ?([A-Za-z]+)", written, re.ASCII)
    if match is None or match[2] not in units.units:
        return "unit"
    value = Decimal(match[1]) * units.units[match[2]]
    if kind != "rate" and value != value.to_integral_value():
        return "fraction"
    return int(value) if value <= units.most else "size"


def quantity(kind: str, least: int = 0) -> Reader:
    """A number with its unit: `memory` in MiB, `duration` in seconds, `rate` in MiB/s (rounded down), `page` in KiB."""
    units = QUANTITIES[kind]

    def read(node: Node, place: Place) -> Any:
        if not isinstance(node, ScalarEvent) or (node.value == "" and is_plain(node)):
            return place.wrong(node, units.expected)
        value = quantity_of(node.value, kind)
        if isinstance(value, int) and value >= least:
            return value
        if value == "size":
            return place.refuse(rules.IMPOSSIBLE, node, found=node.value, limit="that is more than any host has")
        if value == "fraction":
            return place.refuse(rules.BAD_QUANTITY, node, found=node.value[:60], expected="a whole number of MiB or seconds")
        if isinstance(value, int):
            return place.refuse(rules.IMPOSSIBLE, node, found=node.value, limit="it must be more than nothing")
        return place.refuse(rules.BAD_QUANTITY, node, found=node.value[:60], expected=units.expected)

    return read


def _decimal(written: str) -> Decimal | None:
    try:
        return Decimal(written) if re.fullmatch(r"\d{1,9}(\.\d{1,3})?", written, re.ASCII) else None
    except InvalidOperation:
        return None


def per_mille(node: Node, place: Place) -> Any:
    """A share such as `5%` or `12.5%`, in thousandths."""
    if isinstance(node, ScalarEvent) and node.value.endswith("%"):
        share = _decimal(node.value[:-1])
        if share is not None and share <= 100 and share * 10 == int(share * 10):
            return int(share * 10)
    return place.wrong(node, "a share such as 5% or 12.5%")


def share(node: Node, place: Place) -> Any:
    """A count such as `3`, or a share such as `5%`."""
    if isinstance(node, ScalarEvent) and node.value.endswith("%"):
        thousandths = per_mille(node, place)
        return thousandths if thousandths is BAD else Share(per_mille=thousandths)
    count = integer(0, 10_000_000)(node, place)
    return count if count is BAD else Share(count=count)


def ratio(node: Node, place: Place) -> Any:
    """A decimal number from 0.1 to 100, in thousandths."""
    value = _decimal(node.value) if isinstance(node, ScalarEvent) and is_plain(node) else None
    if value is None:
        return place.wrong(node, "a number such as 1.5")
    if not Decimal("0.1") <= value <= 100:
        return place.refuse(rules.IMPOSSIBLE, node, found=str(value), limit="it must be from 0.1 to 100")
    return int(value * 1000)


def word(kind: type[StrEnum] | Mapping[str, Any]) -> Reader:
    """One of a few words, as the member of an enumeration or the value of a mapping."""
    meanings: Mapping[str, Any] = kind if isinstance(kind, Mapping) else {member.value: member for member in kind}

    def read(node: Node, place: Place) -> Any:
        if not isinstance(node, ScalarEvent) or (node.value == "" and is_plain(node)):
            return place.wrong(node, " or ".join(meanings))
        if node.value not in meanings:
            facts = suggestion(node.value, meanings)
            return place.refuse(rules.UNKNOWN_WORD, node, found=node.value[:60], expected=", ".join(meanings), **facts)
        return meanings[node.value]

    return read


@lru_cache(maxsize=4096)
def _kernel_problem(name: str) -> str | None:
    try:
        parse_kernel(name)
    except KernelNameError as problem:
        return str(problem)
    return None


@lru_cache(maxsize=4096)
def _vmm_problem(name: str) -> str | None:
    try:
        parse_vmm(name)
    except VmmNameError as problem:
        return str(problem)
    return None


def release_problem(kernel: str, vmm: str) -> str | None:
    """What is wrong with the names of a release; None if nothing is."""
    return _kernel_problem(kernel) or _vmm_problem(vmm)


def kernel(node: Node, place: Place) -> Any:
    """A kernel release, as text."""
    value = text(node, place)
    problem = None if value is BAD else _kernel_problem(value)
    return value if problem is None else place.refuse(rules.BAD_KERNEL, node, found=value[:80], problem=problem)


def vmm(node: Node, place: Place) -> Any:
    """A VMM with its version, as text."""
    value = text(node, place)
    problem = None if value is BAD else _vmm_problem(value)
    return value if problem is None else place.refuse(rules.BAD_VMM, node, found=value[:80], problem=problem)


def psci(node: Node, place: Place) -> Any:
    """A PSCI version, as text such as `1.0`."""
    value = text(node, place)
    if value is BAD or re.fullmatch(r"0\.[12]|1\.[0-3]", value):
        return value
    return place.refuse(rules.BAD_PSCI, node, found=value[:60])


def reboot(node: Node, place: Place) -> Any:
    """When a guest last rebooted warm: `never`, `here`, or a kernel release."""
    if isinstance(node, ScalarEvent) and node.value in REBOOTS:
        return REBOOTS[node.value]
    found = kernel(node, place)
    return found if found is BAD else Reboot(kernel=found)


REBOOTS = {"never": Reboot(ever=False), "here": Reboot()}


def day(node: Node, place: Place) -> Any:
    """An ISO date, as text."""
    value = text(node, place)
    if value is BAD:
        return value
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        return place.wrong(node, "a date such as 2027-01-31")


def minute(node: Node, place: Place) -> Any:
    """A time of day such as `22:00`, in minutes after midnight."""
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", node.value) if isinstance(node, ScalarEvent) else None
    return int(match[1]) * 60 + int(match[2]) if match else place.wrong(node, "a time of day such as 22:00")


def several(reader: Reader) -> Reader:
    """A list of values, or one value alone, as a tuple."""

    def read(node: Node, place: Place) -> Any:
        items = node.items if isinstance(node, SeqNode) else [node]
        values = [reader(item, place) for item in items]
        return BAD if any(value is BAD for value in values) else tuple(values)

    return read


def ascending(reader: Reader) -> Reader:
    """A list of numbers, or one number alone, as a tuple: each once, the smallest first."""

    def read(node: Node, place: Place) -> Any:
        values = several(reader)(node, place)
        return BAD if values is BAD else tuple(sorted(set(values)))

    return read


def listed(reader: Reader) -> Reader:
    """A list of values as a tuple; one value alone is no list."""

    def read(node: Node, place: Place) -> Any:
        return several(reader)(node, place) if isinstance(node, SeqNode) else place.wrong(node, "a list")

    return read


def registers(node: Node, place: Place) -> Any:
    """`[[id, value], ...]` in list order, ids unique."""
    if not isinstance(node, SeqNode):
        return place.wrong(node, "a list of [id, value] pairs")
    pairs: dict[int, int] = {}
    sound = True
    for item in node.items:
        if not isinstance(item, SeqNode) or len(item.items) != 2:
            place.wrong(item, "a pair [id, value]")
            sound = False
            continue
        register, value = (hexadecimal(part, place) for part in item.items)
        if register is BAD or value is BAD:
            sound = False
        elif register in pairs:
            place.refuse(rules.IMPOSSIBLE, item, found=f"register {register:#x}", limit="it is listed twice")
            sound = False
        else:
            pairs[register] = value
    return tuple(pairs.items()) if sound else BAD


def mapping(key_reader: Callable[[str], Any], reader: Reader, expected: str = "a number such as 0x6030000000140000") -> Reader:
    """A mapping whose keys are all alike, as a dict in the order of its keys. `key_reader` raises ValueError for a bad key."""

    def read(node: Node, place: Place) -> Any:
        if not isinstance(node, MapNode):
            return place.wrong(node, "a mapping")
        found: dict[Any, Any] = {}
        first: dict[Any, Mark] = {}
        sound = True
        for key_node, value_node in node.entries:
            try:
                key = key_reader(key_node.value)
            except ValueError:
                place.wrong(key_node, expected)
                sound = False
                continue
            if key in first:
                report_duplicate(place, key_node, first[key])
                sound = False
            first.setdefault(key, key_node.start_mark)
            value = reader(value_node, place.inner(key_node.value))
            sound = sound and value is not BAD
            found[key] = value
        return dict(sorted(found.items())) if sound else BAD

    return read


def report_duplicate(place: Place, key: ScalarEvent, first: Mark) -> None:
    """Report a key that is there already."""
    where = f"line {first.line + 1}"
    owner = f"`{key.value}` of {place.what}" if place.key or place.owner else f"`{key.value}`"
    place.report(rules.DUPLICATE_KEY, key.start_mark, what=owner, first=where)


def not_known(node: Node) -> bool:
    """Whether the value says that it is not known."""
    return is_null(node)


Table = Mapping[str, Reader]


def suggestion(word_: str, known: Collection[str]) -> dict[str, str]:
    """The known word that is nearest, as a fact, or no fact."""
    from difflib import get_close_matches  # noqa: PLC0415 - only for errors

    close = get_close_matches(word_, known, n=1)
    return {"suggestion": close[0]} if close else {}


MOST_PAGES = 1 << 32


def pages(node: Node, place: Place) -> Any:
    """`{size: number}` as a dict of the MiB that are reserved by the size in KiB; or sizes alone, as a tuple of KiB."""
    if not isinstance(node, MapNode):
        return ascending(quantity("page", least=1))(node, place)
    found = mapping(_page_kib, integer(0, MOST_PAGES), "a size such as 2MiB")(node, place)
    return found if found is BAD else {size: size * number // 1024 for size, number in found.items()}


def _page_kib(text: str) -> int:
    size = quantity_of(text, "page")
    if not isinstance(size, int) or not size:
        raise ValueError(text)
    return size

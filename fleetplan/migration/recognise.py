"""Reads what a VMM printed: pasted text -> lines that are known, with their facts, and the scripts that print all of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any

import msgspec

from fleetplan.firmware import encodings
from fleetplan.firmware import registers as fw
from fleetplan.firmware.errno import Errno
from fleetplan.migration.reasons import Stage
from fleetplan.migration.vmm import ROWS, Family, Text, VmmProfile, parse, profiles
from fleetplan.migration.vmm_packages import PACKAGES, Package
from fleetplan.migration.wordings import SCRIPTS, WORDINGS, Role, Script, Wording, display, pack, read_register


class Line(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A line that was recognised. `text` is what was pasted of it, in one line; of the facts those are None that it does not have.

    `register` is an id. `spelled` are the ways to print in which its register is named so (10.2 and 11 differ).
    """

    wording: Wording
    text: str
    register: int | None = None
    written: int | None = None
    there: int | None = None
    errno: Errno | None = None
    brought: int | None = None
    listed: int | None = None
    version: str | None = None
    machine: str | None = None
    spelled: frozenset[Text] = frozenset(Text)

    @property
    def facts(self) -> tuple[object, ...]:
        """Equal for lines that say the same, however their register is spelled."""
        given = (self.register, self.written, self.there, self.errno, self.brought, self.listed, self.version, self.machine)
        return (self.wording.name, *given)

    @property
    def tells(self) -> bool:
        """Whether the VMM says in it what happened: wraps of libvirt and noise do not."""
        return self.wording.role not in {Role.WRAP, Role.NOISE}


class Reading(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What was pasted, as far as it is known. `scripts` print every line that tells; `unread` are lines of which nothing is known."""

    lines: tuple[Line, ...]
    scripts: tuple[Script, ...]
    unread: tuple[str, ...]

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Where the load may have ended, in the order of stages."""
        found = {row.stage for row in self.scripts}
        return tuple(stage for stage in Stage if stage in found)

    def about(self, role: Role) -> tuple[Line, ...]:
        """The lines of one role."""
        return tuple(line for line in self.lines if line.wording.role is role)


def read(text: str) -> Reading:
    """Read pasted text. Tolerant of prefixes, time stamps, quoting, and of line breaks within lines. O(text x wordings)."""
    matches = _chosen(list(_matches(text)))
    lines = tuple(_distinct(_line(wording, match) for wording, match in matches))
    telling = [line for line in lines if line.tells]
    found = tuple(row for row in SCRIPTS if telling and all(_prints(row, line) for line in telling))
    return Reading(lines=lines, scripts=found, unread=tuple(_unread(text, [match.span() for _, match in matches])))


Match = tuple[Wording, re.Match[str]]


def _matches(text: str) -> Iterator[Match]:
    for wording in WORDINGS:
        for match in wording.pattern.finditer(text):
            yield wording, match


def _chosen(matches: list[Match]) -> list[Match]:
    """Of matches that overlap the one that begins first, and of these the longest."""
    found: list[Match] = []
    end = 0
    for wording, match in sorted(matches, key=lambda pair: (pair[1].start(), -pair[1].end())):
        if match.start() >= end:
            found.append((wording, match))
            end = match.end()
    return found


def _line(wording: Wording, match: re.Match[str]) -> Line:
    told = {"errno": wording.implies, **wording.read(match)}
    facts = {name: value for name, value in told.items() if name in Line.__struct_fields__}
    spelled = frozenset(Text)
    if "register" in wording.fields:
        spelled = frozenset(text for text in Text if pack(display(text, facts["register"])) == pack(match["register"])) or spelled
    return Line(wording=wording, text=re.sub(r"[\s>|]+", " ", match[0]), spelled=spelled, **facts)


def _distinct(lines: Iterable[Line]) -> Iterator[Line]:
    """QEMU prints what it cannot set twice."""
    seen: set[tuple[object, ...]] = set()
    for line in lines:
        if line.facts not in seen:
            seen.add(line.facts)
            yield line


def _prints(row: Script, line: Line) -> bool:
    if line.wording not in row.may_print:
        return False
    if line.errno is not None and line.wording in row.lines and line.wording.role is Role.ONCE and row.family is Family.QEMU:
        return line.errno is row.errno
    return bool(row.texts & line.spelled)


BEFORE_MESSAGE = re.compile(
    r"^[\s>|]*(?:\d{4}-\d\d-\d\d[T ][\d:.,+Z-]+:?\s*)?(?:[\w.-]+\[\d+\]:\s*)?"
    r"(?:(?:qemu-system-\w+|qemu-kvm|/?[\w/.-]*qemu[\w-]*|error|internal error|operation failed|warning)[:\s]*)*",
    re.IGNORECASE,
)
"""What stands before a message in a log."""


def _unread(text: str, spans: Sequence[tuple[int, int]]) -> Iterator[str]:
    """The lines of the text that no match touches, without prefixes."""
    place = 0
    for line in text.splitlines(keepends=True):
        begin, place = place, place + len(line)
        words = BEFORE_MESSAGE.sub("", line).strip()
        if words and not any(start < place and end > begin for start, end in spans):
            yield words


def nearest(text: str) -> Wording:
    """The known line that is most like a text of which nothing is known."""
    words = " ".join(text.lower().split())
    return max(WORDINGS, key=lambda wording: SequenceMatcher(None, words, _plain(wording), autojunk=False).ratio())


def _plain(wording: Wording) -> str:
    return re.sub(r"\{\w+\}", "0", wording.template).lower()


# --- registers that are named beside any message --------------------------------------------------------------------------------------

NAMES = re.compile(
    r"\b0x(?P<id>60[23]0[0-9a-f]{12})\b|\bS(?P<op0>[23])_(?P<op1>\d)_C(?P<crn>\d+)_C(?P<crm>\d+)_(?P<op2>\d)\b|"
    r"\b(?P<name>[A-Z][A-Z0-9_]*(?:_EL[0-3]|_VERSION|_WORKAROUND_\d|_BMAP(?:_2)?))\b|"
    r"(?P<display>fw (?:feat )?reg \d+|demuxed reg [0-9a-f]+|op0:\d+ op1:\d+ crn:\d+ crm:\d+ op2:\d+)"
)


def registers_named(text: str) -> tuple[int, ...]:
    """Ids of registers that a text names in any way: by id, encoding, `S2_0_C1_C1_4`, or name. In the order of the text."""
    found: dict[int, None] = {}
    for match in NAMES.finditer(text):
        if match["id"]:
            found[int(match["id"], 16)] = None
        elif match["op0"]:
            found[encodings.sysreg(*(int(match[part]) for part in ("op0", "op1", "crn", "crm", "op2")))] = None
        elif match["display"]:
            found[read_register(match["display"])] = None
        elif (place := _by_name(match["name"])) is not None:
            found[place] = None
    return tuple(found)


def _by_name(name: str) -> int | None:
    row = fw.BY_NAME.get(name) or fw.BY_NAME.get(f"SMCCC_{name}")
    if row is not None:
        return row.id
    try:
        return encodings.by_name(name)
    except KeyError:
        return None


# --- who prints it --------------------------------------------------------------------------------------------------------------------


class Printer(msgspec.Struct, frozen=True, kw_only=True):
    """Versions of a VMM: from `first` on and before `before` (empty: no end).

    `package`: the distribution's product whose builds of that number speak otherwise than upstream.
    """

    family: Family
    first: tuple[int, ...]
    before: tuple[int, ...] = ()
    package: str = ""


def printers(reading: Reading) -> tuple[Printer, ...]:
    """The VMMs that print all of the lines that were read, oldest first."""
    return tuple(_joined(printer for row in reading.scripts for printer in _speakers(row, reading.lines)))


def _speakers(row: Script, lines: Sequence[Line]) -> Iterator[Printer]:
    since = max((line.wording.since for line in lines), default=())
    until = min((line.wording.until for line in lines if line.wording.until), default=())
    rows = [known for known in ROWS if known.family is row.family]
    for known, after in zip(rows, [*rows[1:], None], strict=True):
        profile = VmmProfile(family=known.family, load=known.load, text=known.text, knows_pin=known.knows_pin)
        if not row.of(profile) or not _all_spelled(known.text, lines):
            continue
        first, before = max(known.first, since), min((end for end in (after.first if after else (), until) if end), default=())
        if not before or first < before:
            yield Printer(family=known.family, first=first, before=before)
    for package in PACKAGES if row.family is Family.QEMU else ():
        profile = VmmProfile(family=row.family, load=package.load, text=package.text, knows_pin=package.knows_pin)
        if row.of(profile) and _all_spelled(package.text, lines) and _differs(package):
            yield Printer(family=row.family, first=package.numbers, package=package.product)


def _differs(package: Package) -> bool:
    """Whether a package speaks otherwise than the upstream release of its number."""
    upstream = next(iter(profiles(parse(f"{Family.QEMU.value}-{'.'.join(map(str, package.numbers))}"))))
    return (package.load, package.text) != (upstream.load, upstream.text)


def _all_spelled(text: Text, lines: Sequence[Line]) -> bool:
    return all(text in line.spelled for line in lines)


def _joined(printers: Iterable[Printer]) -> list[Printer]:
    """Adjoining ranges as one, each once."""
    found: list[Printer] = []
    ordered = sorted(set(printers), key=lambda printer: (printer.family.value, printer.package, printer.first))
    for printer in ordered:
        last = found[-1] if found else None
        if (
            last is not None
            and (last.family, last.package) == (printer.family, "") == (printer.family, printer.package)
            and last.before == printer.first
        ):
            found[-1] = Printer(family=last.family, first=last.first, before=printer.before)
        elif last is None or last != printer:
            found.append(printer)
    return found


def facts_of(line: Line) -> dict[str, Any]:
    """The facts of a line that it has."""
    names = ("register", "written", "there", "errno", "brought", "listed", "version", "machine")
    return {name: getattr(line, name) for name in names if getattr(line, name) is not None}

"""Reads an inventory: one file, or a folder of files with facts. Collects every problem, and stops at none."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec.structs import replace
from yaml.events import MappingStartEvent, ScalarEvent

from fleetplan.findings import inventory_rules as rules
from fleetplan.findings.finding import Finding, Rule
from fleetplan.fleet.model import Fleet
from fleetplan.fleet.policy import Waiver
from fleetplan.fleet.source import Location
from fleetplan.inventory import schema
from fleetplan.inventory.draft import Draft, Raw, location, place_from
from fleetplan.inventory.events import Events, MapNode, Mark, Node, SeqNode, described, is_null, is_plain
from fleetplan.inventory.resolve import check_waivers, resolve
from fleetplan.inventory.text import flaw, numbered_lines
from fleetplan.inventory.values import BAD, Place, integer, name_problem, suggestion

MOST_EXCERPTS = 50
PEOPLES = (".yaml", ".yml", ".json")


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What came of reading: a fleet, unless there were errors; and all findings, sorted."""

    fleet: Fleet | None
    findings: tuple[Finding, ...]


def load(path: Path) -> Loaded:
    """Read an inventory. Never raises for what stands in it, or for what cannot be read. O(size)."""
    draft = Draft()
    with _collector_paused():
        peoples, facts = _files(path, draft)
        for file in peoples:
            read_text(file, draft, _Document(str(file), draft).read)
        if facts:
            _read_facts(facts, draft)
        fleet = resolve(draft, Location(str(path))) if peoples else None
    return Loaded(fleet=fleet, findings=with_excerpts(sorted(draft.findings, key=Finding.sort_key)))


def load_waivers(path: Path) -> tuple[tuple[Waiver, ...], tuple[Finding, ...]]:
    """The waivers of a file that has nothing else, or all that is wrong with it."""
    draft = Draft()
    read_text(path, draft, _Document(str(path), draft).read)
    check_waivers(draft)
    for name in sorted(draft.seen - {"fleetplan", "waivers"}):
        draft.report(rules.UNKNOWN_KEY, str(path), Location(str(path)), what="a file of waivers", key=name)
    found = with_excerpts(sorted(draft.findings, key=Finding.sort_key))
    return () if found else tuple(Waiver(**raw.values, at=raw.at) for raw in draft.waivers), found


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Nothing here makes cycles; the collector would only walk a growing heap, again and again (60 % of the time, measured)."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _files(path: Path, draft: Draft) -> tuple[list[Path], list[Path]]:
    """The files that people wrote, and those of facts, in the order of their names."""
    try:
        if not path.is_dir():
            return [path], []
        peoples = sorted(file for file in path.iterdir() if file.suffix in PEOPLES)
        facts = sorted((path / "facts").glob("*.jsonl"))
    except OSError as problem:
        draft.report(rules.UNREADABLE, str(path), Location(str(path)), path=str(path), problem=problem.strerror or str(problem))
        return [], []
    if not peoples:
        draft.report(rules.NO_INVENTORY, str(path), Location(str(path)), path=str(path))
    return peoples, facts


def read_text(file: Path, draft: Draft, reader: Any) -> None:
    """Read a file's bytes and hand them on, if they are text."""
    at = Location(str(file))
    try:
        data = file.read_bytes()
    except OSError as problem:
        draft.report(rules.UNREADABLE, str(file), at, path=str(file), problem=problem.strerror or str(problem))
        return
    place = flaw(data)
    if place is not None:
        offset, problem_text = place
        before = data[:offset]
        line = before.count(b"\n") + 1
        column = offset - (before.rfind(b"\n") + 1) + 1
        draft.report(rules.NOT_TEXT, str(file), Location(str(file), line, column), problem=problem_text)
        return
    reader(data)


def _read_facts(files: list[Path], draft: Draft) -> None:
    from fleetplan.inventory.lines import FactFiles  # noqa: PLC0415 - only folders have facts

    facts = FactFiles(draft)
    for file in files:
        facts.read(file)
    facts.settle()


class _Document:
    """Reads one file that people wrote."""

    def __init__(self, file: str, draft: Draft) -> None:
        self._file = file
        self._draft = draft

    def _report(self, rule: Rule, mark: Mark, **facts: str) -> None:
        self._draft.report(rule, self._file, location(self._file, mark), **facts)

    def read(self, data: bytes) -> None:
        """All of the file, up to a syntax error."""
        events = Events(data, self._report)
        try:
            root = events.document()
            if root is None or (isinstance(root, ScalarEvent) and root.value == "" and is_plain(root)):
                self._draft.report(rules.EMPTY, self._file, Location(self._file), path=self._file)
                return
            if isinstance(root, MappingStartEvent):
                self._top(events)
            else:
                found = described(events.node(root))
                self._report(rules.WRONG_TYPE, root.start_mark, what="an inventory", expected="a mapping", found=found)
                self._draft.seen.update(schema.TOP)
            events.end()
        except yaml.YAMLError as problem:
            self._syntax(problem)

    def _syntax(self, problem: yaml.YAMLError) -> None:
        mark = getattr(problem, "problem_mark", None)
        at = location(self._file, mark) if mark is not None else Location(self._file)
        text = getattr(problem, "problem", None) or "this is not YAML"
        self._draft.report(rules.SYNTAX, self._file, at, problem=str(text))

    def _top(self, events: Events) -> None:
        given: dict[str, Mark] = {}
        for key, first in events.entries():
            name = key.value
            if name in given and name not in {"hosts", "guests", "groups"}:
                self._report(rules.DUPLICATE_KEY, key.start_mark, what=f"`{name}`", first=f"line {given[name].line + 1}")
                events.node(first, 1)
                continue
            if name in given:
                self._report(rules.DUPLICATE_KEY, key.start_mark, what=f"`{name}`", first=f"line {given[name].line + 1}")
            given.setdefault(name, key.start_mark)
            self._draft.seen.add(name)
            self._section(name, key, events, first)

    def _section(self, name: str, key: ScalarEvent, events: Events, first: Any) -> None:
        streamed = {
            "hosts": (schema.HOST, "host", self._draft.hosts),
            "guests": (schema.GUEST, "guest", self._draft.guests),
            "groups": (schema.GROUP, "group", self._draft.groups),
        }
        if name in streamed and isinstance(first, MappingStartEvent):
            kind, noun, records = streamed[name]
            self._records(kind, noun, records, events)
            return
        node = events.node(first, 1)
        match name:
            case "fleetplan":
                self._version(node)
            case "target" | "policy" | "defaults":
                self._one(name, key, node)
            case "waivers" | "releases":
                self._list(name, node)
            case _ if name in streamed:
                if not is_null(node):
                    Place("", name, self._report).wrong(node, "a mapping")
            case _:
                self._unknown(key)

    def _unknown(self, key: ScalarEvent) -> None:
        facts = suggestion(key.value, schema.TOP)
        self._report(rules.UNKNOWN_KEY, key.start_mark, what="the inventory", key=key.value[:80], **facts)

    def _version(self, node: Node) -> None:
        version = integer(0, 10**9)(node, Place("", "fleetplan", self._report))
        if version is not BAD and version != 1:
            self._report(rules.BAD_VERSION, node.start_mark, found=str(version))

    def _one(self, name: str, key: ScalarEvent, node: Node) -> None:
        """A section that an inventory has once, over all its files."""
        at = location(self._file, key.start_mark)
        earlier = self._draft.sections.get(name)
        if earlier is not None:
            self._draft.report(rules.DUPLICATE_KEY, self._file, at, what=f"`{name}`", first=str(earlier.at))
            return
        kinds = {"target": schema.TARGET, "policy": schema.POLICY, "defaults": schema.DEFAULTS}
        found = {} if is_null(node) and name != "target" else schema.section(kinds[name], node, Place("", name, self._report))
        self._draft.sections[name] = Raw({} if found is BAD else found, at, (), found is not BAD)

    def _list(self, name: str, node: Node) -> None:
        kind, records = (schema.WAIVER, self._draft.waivers) if name == "waivers" else (schema.RELEASE, self._draft.releases)
        if is_null(node):
            return
        if not isinstance(node, SeqNode):
            Place("", name, self._report).wrong(node, "a list")
            return
        for number, item in enumerate(node.items, 1):
            found = schema.section(kind, item, Place("", f"{name}[{number}]", self._report))
            records.append(Raw({} if found is BAD else found, location(self._file, item.start_mark), (), found is not BAD))

    def _records(self, kind: schema.Kind, noun: str, records: dict[str, Raw], events: Events) -> None:
        for key, first in events.entries():
            node = events.node(first, 2)
            name = key.value
            problem = name_problem(name)
            if problem is not None:
                self._report(rules.BAD_NAME, key.start_mark, name=name[:80].encode("unicode_escape").decode(), problem=problem)
                continue
            earlier = records.get(name)
            if earlier is not None:
                self._report(rules.DUPLICATE_KEY, key.start_mark, what=f"{noun} `{name}`", first=place_from(self._file, earlier.at))
                continue
            records[name] = self._record(kind, f"{noun} `{name}`", key, node)

    def _record(self, kind: schema.Kind, owner: str, key: ScalarEvent, node: Node) -> Raw:
        at = location(self._file, key.start_mark)
        if is_null(node):
            return Raw({}, at)
        if not isinstance(node, MapNode):
            Place(owner, "", self._report).report(
                rules.WRONG_TYPE, node.start_mark, what=owner, expected="a mapping", found=described(node)
            )
            return Raw({}, at, (), sound=False)
        found, sound, refers = schema.entries(kind, node, Place(owner, "", self._report))
        return Raw(found, at, tuple((name, location(self._file, mark)) for name, mark in refers.items()), sound)


def with_excerpts(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The first findings with the lines they are about, read again."""
    wanted: dict[str, set[int]] = {}
    for finding in findings[:MOST_EXCERPTS]:
        if finding.at.line:
            wanted.setdefault(finding.at.file, set()).add(finding.at.line)
    lines = {(file, number): _printable(line) for file, numbers in wanted.items() for number, line in numbered_lines(file, numbers)}
    shown = (_with_excerpt(finding, lines.get((finding.at.file, finding.at.line), "")) for finding in findings[:MOST_EXCERPTS])
    return (*shown, *findings[MOST_EXCERPTS:])


def _with_excerpt(finding: Finding, line: str) -> Finding:
    return replace(finding, excerpt=line) if line and not finding.excerpt else finding


def _printable(line: bytes) -> str:
    text = line.decode(errors="replace").rstrip("\r\n").replace("\t", " ")[:200]
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)

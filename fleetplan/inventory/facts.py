"""One line of facts, read exactly: every key with its place, every problem with its line and column.

This is what a line means. `inventory.lines` reads most lines faster, and gives those to this that it does not take.
"""

from __future__ import annotations

import msgspec
import yaml
from yaml.events import ScalarEvent

from fleetplan.findings import inventory_rules as rules
from fleetplan.findings.finding import Finding, Rule
from fleetplan.fleet.source import Location
from fleetplan.inventory import schema
from fleetplan.inventory.draft import Draft, Raw, place_from
from fleetplan.inventory.events import Events, MapNode, Mark, Node
from fleetplan.inventory.values import Place, name_problem

NOUNS = ("host", "guest")


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """What one line says of one host or guest. `start` is where its object begins; `findings` are those about its keys."""

    noun: str
    name: str
    raw: Raw
    start: Location
    findings: tuple[Finding, ...]


def read_fact(line: bytes, at: Location, draft: Draft) -> Fact | None:
    """A line that begins at a place; None if it names no host and no guest, which has been reported to the draft."""
    reader = _Line(at, draft)
    node = reader.node(line)
    return None if node is None else reader.fact(node)


def keep(draft: Draft, fact: Fact) -> None:
    """Add a fact to the draft, unless there is one of that host or guest."""
    records = draft.host_facts if fact.noun == "host" else draft.guest_facts
    earlier = records.get(fact.name)
    if earlier is not None:
        what, first = f"{fact.noun} `{fact.name}`", place_from(fact.start.file, earlier.at)
        draft.report(rules.DUPLICATE_KEY, fact.start.file, fact.start, what=what, first=first)
        return
    draft.findings.extend(fact.findings)
    records[fact.name] = fact.raw


class _Line:
    """Reads one line."""

    def __init__(self, at: Location, draft: Draft) -> None:
        self._at = at
        self._draft = draft

    def _place(self, mark: Mark) -> Location:
        return Location(self._at.file, self._at.line, mark.column + 1)

    def _report(self, rule: Rule, mark: Mark, **facts: str) -> None:
        self._draft.report(rule, self._at.file, self._place(mark), **facts)

    def node(self, line: bytes) -> Node | None:
        """The line as a node; None if it is no YAML, or has nothing in it."""
        events = Events(line, self._report)
        try:
            root = events.document()
            if root is None:
                self._draft.report(rules.BAD_FACT, self._at.file, self._at)
                return None
            node = events.node(root)
            events.end()
        except yaml.YAMLError as problem:
            mark = getattr(problem, "problem_mark", None)
            at = self._place(mark) if mark is not None else Location(self._at.file, self._at.line)
            self._draft.report(rules.SYNTAX, self._at.file, at, problem=str(getattr(problem, "problem", None) or "this is not JSON"))
            return None
        return node

    def fact(self, node: Node) -> Fact | None:
        """What the node says, if it names one thing."""
        names = [(key.value, value) for key, value in node.entries if key.value in NOUNS] if isinstance(node, MapNode) else []
        if not isinstance(node, MapNode) or len(names) != 1 or not isinstance(names[0][1], ScalarEvent):
            self._report(rules.BAD_FACT, node.start_mark)
            return None
        noun, name = names[0][0], names[0][1].value
        problem = name_problem(name)
        if problem is not None:
            shown = name[:80].encode("unicode_escape").decode()
            self._report(rules.BAD_NAME, names[0][1].start_mark, name=shown, problem=problem)
            return None
        return self._keys(noun, name, node)

    def _keys(self, noun: str, name: str, node: MapNode) -> Fact:
        found: list[Finding] = []

        def report(rule: Rule, mark: Mark, **facts: str) -> None:
            found.append(Finding(rule=rule.id, subject=self._at.file, at=self._place(mark), facts=facts))

        kind = schema.HOST if noun == "host" else schema.GUEST
        rest = MapNode([entry for entry in node.entries if entry[0].value != noun], node.start_mark)
        values, sound, refers = schema.entries(kind, rest, Place(f"{noun} `{name}`", "", report))
        places = tuple((key, self._place(mark)) for key, mark in refers.items())
        raw = Raw(values, Location(self._at.file, self._at.line, 1), places, sound)
        return Fact(noun=noun, name=name, raw=raw, start=self._place(node.start_mark), findings=tuple(found))

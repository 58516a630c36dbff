"""YAML (and JSON, which is YAML) as a stream of small nodes with places, bounded in depth and length.

libyaml's events are used without its composer: nothing is built for the whole file, every scalar stays the text that was written
(`kernel: 6.10` is "6.10"), and aliases, tags and further documents are refused where they stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import yaml
from yaml.events import AliasEvent, MappingEndEvent, MappingStartEvent, ScalarEvent, SequenceEndEvent, SequenceStartEvent

from fleetplan.findings import inventory_rules as rules

DEEPEST = 32
LONGEST = 64 * 1024
"""Characters of one scalar."""


Mark = Any
"""libyaml's mark: `line` and `column`, both from 0. (Its stubs say that events may have none; parsed ones always do.)"""


class MapNode(msgspec.Struct, frozen=True):
    """A mapping: keys and values in their order, duplicates included."""

    entries: list[tuple[ScalarEvent, Node]]
    start_mark: Mark


class SeqNode(msgspec.Struct, frozen=True):
    """A sequence."""

    items: list[Node]
    start_mark: Mark


Node = ScalarEvent | MapNode | SeqNode
"""A scalar is libyaml's own event: `value` is its text, `style` None for a plain one."""

PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser, or the one in Python where PyYAML was built without it: the same events, more slowly."""

Report = Callable[..., None]
"""`report(rule, mark, **facts)`."""


class Events:
    """The events of one text. Raises yaml.YAMLError where the text is not YAML."""

    def __init__(self, text: bytes, report: Report) -> None:
        self._next: Callable[[], Any] = PARSER(text).get_event
        self._report = report

    def document(self) -> Any:
        """The first event of the first document's root, or None if there is no document."""
        self._next()
        event = self._next()
        return self._next() if isinstance(event, yaml.events.DocumentStartEvent) else None

    def end(self) -> None:
        """After the root: refuse further documents."""
        self._next()
        event = self._next()
        if isinstance(event, yaml.events.DocumentStartEvent):
            self._report(rules.DOCUMENTS, event.start_mark)

    def entries(self) -> Iterator[tuple[ScalarEvent, Any]]:
        """Of a mapping whose start has been read: each key with the first event of its value, which the caller must consume."""
        while True:
            event = self._next()
            if type(event) is MappingEndEvent:
                return
            key = self.node(event, 1)
            value = self._next()
            if isinstance(key, ScalarEvent):
                yield key, value
            else:
                self._report(rules.WRONG_TYPE, key.start_mark, what="a key", expected="text", found=described(key))
                self.node(value, 1)

    def node(self, event: Any, depth: int = 0) -> Node:
        """The node that begins with this event. Too deep a one is reported and read as empty."""
        kind = type(event)
        if kind is ScalarEvent:
            if event.anchor is not None or event.tag is not None or len(event.value) > LONGEST:
                self._refuse_scalar(event)
            return event  # type: ignore[no-any-return] # libyaml's classes have no types
        if kind is AliasEvent:
            self._report(rules.ALIAS, event.start_mark, found=f"the alias `*{event.anchor}`")
            return ScalarEvent(None, None, (True, False), "null", event.start_mark, event.end_mark)
        self._refuse_properties(event)
        if depth >= DEEPEST:
            self._skip(event)
            return SeqNode([], event.start_mark)
        if kind is MappingStartEvent:
            return self._mapping(event, depth)
        return self._sequence(event, depth)

    def _mapping(self, start: Any, depth: int) -> MapNode:
        entries: list[tuple[ScalarEvent, Node]] = []
        while True:
            event = self._next()
            if type(event) is MappingEndEvent:
                return MapNode(entries, start.start_mark)
            key = self.node(event, depth + 1)
            value = self.node(self._next(), depth + 1)
            if isinstance(key, ScalarEvent):
                entries.append((key, value))
            else:
                self._report(rules.WRONG_TYPE, key.start_mark, what="a key", expected="text", found=described(key))

    def _sequence(self, start: Any, depth: int) -> SeqNode:
        items: list[Node] = []
        while True:
            event = self._next()
            if type(event) is SequenceEndEvent:
                return SeqNode(items, start.start_mark)
            items.append(self.node(event, depth + 1))

    def _skip(self, start: Any) -> None:
        """Read past a collection without keeping anything, whatever its depth."""
        self._report(rules.TOO_DEEP, start.start_mark, limit=str(DEEPEST))
        level = 1
        while level:
            kind = type(self._next())
            if kind is MappingStartEvent or kind is SequenceStartEvent:
                level += 1
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                level -= 1

    def _refuse_properties(self, event: Any) -> None:
        if event.anchor is not None:
            self._report(rules.ALIAS, event.start_mark, found=f"the anchor `&{event.anchor}`")
        if event.tag is not None:
            self._report(rules.TAG, event.start_mark, found=event.tag)

    def _refuse_scalar(self, event: Any) -> None:
        self._refuse_properties(event)
        if len(event.value) > LONGEST:
            self._report(rules.TOO_LONG, event.start_mark, length=str(len(event.value)), limit=str(LONGEST))


def is_plain(node: ScalarEvent) -> bool:
    """Whether a scalar was written without quotes."""
    return node.style is None or node.style == ""


def is_null(node: Node) -> bool:
    """`null` and `~`: not known."""
    return isinstance(node, ScalarEvent) and is_plain(node) and node.value in {"null", "~", "Null", "NULL"}


def described(node: Node) -> str:
    """What a node is, for an error."""
    if isinstance(node, MapNode):
        return "a mapping"
    if isinstance(node, SeqNode):
        return "a list"
    return f"the text `{node.value[:60]}`"

"""XML without its dangers: no document type, so no entities, and limits to size and depth."""

from __future__ import annotations

from typing import Never
from xml.parsers import expat

import msgspec

DEEPEST = 64
MOST_ELEMENTS = 1_000_000


class Element(msgspec.Struct):
    """An element. Tags and attributes of a namespace are `URI name`."""

    tag: str
    attributes: dict[str, str]
    children: list[Element] = []
    text: str = ""

    def all(self, path: str) -> list[Element]:
        """The elements at a path such as `devices/disk`, in the order of the document."""
        found = [self]
        for tag in path.split("/"):
            found = [child for element in found for child in element.children if child.tag == tag]
        return found

    def first(self, path: str) -> Element | None:
        """The first element at a path."""
        return next(iter(self.all(path)), None)

    def text_at(self, path: str) -> str | None:
        """The text of the first element at a path, None where there is none."""
        element = self.first(path)
        return (element.text.strip() or None) if element is not None else None

    def get(self, path: str, attribute: str) -> str | None:
        """An attribute of the first element at a path."""
        element = self.first(path)
        return element.attributes.get(attribute) if element is not None else None


class _Builder:
    """Takes what expat announces."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) >= DEEPEST or self._count > MOST_ELEMENTS:
            message = f"it has more than {DEEPEST} levels, or more than {MOST_ELEMENTS} elements"
            raise ValueError(message)
        element = Element(tag, attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, _tag: str) -> None:
        self._open.pop()

    def data(self, text: str) -> None:
        if self._open:
            self._open[-1].text += text


def _refuse(*_: object) -> Never:
    message = "it has a document type or entities, which are refused"
    raise ValueError(message)


def parse_xml(data: bytes) -> Element:
    """The root of a document, which is UTF-8 whatever it says. Raises ValueError."""
    builder = _Builder()
    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.UnparsedEntityDeclHandler = _refuse
    parser.ExternalEntityRefHandler = _refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as problem:
        message = f"line {problem.lineno}: it is no XML: {expat.ErrorString(problem.code)}"
        raise ValueError(message) from None
    assert builder.root is not None  # noqa: S101 - expat refuses a document without a root
    return builder.root

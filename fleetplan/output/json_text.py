"""JSON as it is printed: whatever text it carries, a terminal shows it, and a reader gets it back as it was."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import msgspec

from fleetplan.output.printable import printable

_NOT_PLAIN = re.compile(r"[^\n -~]")


def encode(value: Any) -> bytes:
    """Indented JSON that ends with a newline. Of text that is no Unicode (names of files may be so), lone surrogates are written out."""
    try:
        text = msgspec.json.encode(value)
    except UnicodeEncodeError:
        text = msgspec.json.encode(_in_unicode(msgspec.to_builtins(value)))
    return harmless(msgspec.json.format(text, indent=2)) + b"\n"


def harmless(text: bytes) -> bytes:
    r"""The same JSON, with `\u009b` for what a terminal would obey: RFC 8259 lets it stand as it is. O(length)."""
    if text.isascii() and b"\x7f" not in text:
        return text
    return _NOT_PLAIN.sub(_escaped, text.decode()).encode()


def _escaped(found: re.Match[str]) -> str:
    return _escape(found[0])


@cache
def _escape(mark: str) -> str:
    if printable(mark) == mark:
        return mark
    return json.dumps(mark)[1:-1] if mark > "\x7f" else f"\\u{ord(mark):04x}"


def _in_unicode(value: Any) -> Any:
    match value:
        case str():
            return value if value.isascii() else "".join(printable(mark) if "\ud800" <= mark <= "\udfff" else mark for mark in value)
        case dict():
            return {_in_unicode(key): _in_unicode(item) for key, item in value.items()}
        case list() | tuple():
            return [_in_unicode(item) for item in value]
        case _:
            return value

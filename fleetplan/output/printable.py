"""Text from outside, made harmless for whoever shows it.

Names and file lines come from people and machines. What a terminal, a browser or an editor would obey instead of showing (escape
sequences, line ends, marks that turn the direction of writing) is written out as an escape that can be read.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache

OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"})
"""General categories of Unicode that are not shown as they are: controls, format marks, lone surrogates, separators of lines."""

HARMLESS = frozenset("\u00ad\u200c\u200d")
"""Of those, what words of living languages are written with: soft hyphen, and the joiners."""


def printable(text: str) -> str:
    r"""The text with every obeyed character as `\x1b`, `\u202e` and the like; `text` itself where there is none. O(length)."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_shown, text))


@cache
def _shown(character: str) -> str:
    if unicodedata.category(character) not in OBEYED or character in HARMLESS:
        return character
    return _NAMED.get(character) or _escape(ord(character))


def _escape(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_NAMED: Mapping[str, str] = {"\t": " ", "\n": "\\n", "\r": "\\r"}
"""A tab takes one column, as the caret below a file's line counts it."""

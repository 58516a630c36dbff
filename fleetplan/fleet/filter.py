"""A small language that picks rows of a table: hosts and guests for `--limit`, whatever a screen shows for its filter.

    zone:a,b kernel:6.12.* !state:down web /-[0-9]{3}$/

Terms stand between blanks, and a row is picked if all of them hold. `!` before a term turns it round. `KEY:VALUE` looks at one column: the
whole of it must be like VALUE, in which `*`, `?` and `[ab]` stand for what they do in a shell. A word without a key is looked for anywhere
in the row's names; with `*` or `?` it must be like the whole of a name. `/REGEX/` is searched for, in a column or in names. A comma stands
for `or`. Quoted text ("a, b" or 'a, b') is taken as it is. Case never matters.

A text is parsed once, and each term asks each distinct value of a column once: O(terms * (values + rows)).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import Enum, auto
from fnmatch import translate
from functools import cached_property
from operator import and_, or_

import msgspec


class Trouble(Enum):
    """What can be wrong with the text of a filter."""

    UNKNOWN_KEY = auto()
    NO_VALUE = auto()
    NOTHING_NEGATED = auto()
    OPEN_QUOTE = auto()
    OPEN_REGEX = auto()
    BAD_REGEX = auto()
    NO_BLANK = auto()


class FilterError(ValueError):
    """A text that is no filter: what is wrong, where (`column` counts from 1), and of an unknown key which may have been meant.

    `word` is the key, or what the regular expression's compiler says.
    """

    def __init__(self, trouble: Trouble, text: str, column: int, word: str = "", meant: str | None = None) -> None:
        super().__init__(f"{trouble.name} at {column}")
        self.trouble = trouble
        self.text = text
        self.column = column
        self.word = word
        self.meant = meant


class How(Enum):
    """How a value is compared: with the whole, as a shell does; with any part; by a regular expression."""

    WHOLE = auto()
    GLOB = auto()
    PART = auto()
    REGEX = auto()


class Test(msgspec.Struct, frozen=True):
    """One value of a term, in lower case unless it is a regular expression."""

    how: How
    value: str

    def like(self) -> Callable[[str], bool]:
        """Whether a text in lower case passes."""
        value = self.value
        match self.how:
            case How.WHOLE:
                return value.__eq__
            case How.PART:
                return lambda text: value in text
            case How.GLOB:
                whole = re.compile(translate(value))
                return lambda text: whole.match(text) is not None
            case How.REGEX:
                anywhere = re.compile(value, re.IGNORECASE)
                return lambda text: anywhere.search(text) is not None


class Term(msgspec.Struct, frozen=True):
    """Any of some tests, on one column or (`key` None) on the names; `negated`: none of them."""

    key: str | None
    tests: tuple[Test, ...]
    negated: bool = False


class Column(msgspec.Struct, frozen=True, dict=True):
    """A text for each row: `values[codes[row]]`, or `values[row]` without codes. The code -1 is a row without a value, which is ""."""

    values: Sequence[str]
    codes: Sequence[int] | None = None

    @cached_property
    def lowered(self) -> Sequence[str]:
        """The values in lower case, and "" for the code -1; made once, however often the column is asked."""
        return [value.lower() for value in self.values] + ([] if self.codes is None else [""])

    def marks(self, tests: Sequence[Test]) -> bytes:
        """1 for each row that passes any of the tests."""
        found = bytes(len(self.lowered))
        for test in tests:
            found = bytes(map(or_, found, map(test.like(), self.lowered)))
        return found if self.codes is None else bytes(map(found.__getitem__, self.codes))


class Filter(msgspec.Struct, frozen=True):
    """A parsed text. Without terms it picks every row."""

    text: str
    terms: tuple[Term, ...]

    def select(self, columns: Mapping[str, Column], names: Sequence[str], rows: int) -> bytes:
        """1 for each of so many rows that is picked, 0 for the others.

        `names` are the keys of the columns that words without a key are looked for in. A key that these rows have no column for holds for
        none of them.
        """
        picked = bytes(b"\1" * rows)
        for term in self.terms:
            keys = names if term.key is None else (term.key,)
            found = bytes(rows)
            for key in keys:
                if key in columns:
                    found = bytes(map(or_, found, columns[key].marks(term.tests)))
            picked = bytes(map(and_, picked, found.translate(TURNED) if term.negated else found))
        return picked


TURNED = bytes((1, 0)) + bytes(254)
"""A table for `bytes.translate` that swaps 0 and 1."""

BLANKS = re.compile(r"\s*")
KEY = re.compile(r"([A-Za-z_][A-Za-z_0-9]*):")
VALUE = re.compile(
    r"""  "(?P<double>[^"]*)"
        | '(?P<single>[^']*)'
        | /(?P<regex>(?:\\.|[^/\\\s])+)/
        | (?P<plain>[^\s,"'/][^\s,]*)
    """,
    re.VERBOSE,
)
GLOB = re.compile(r"[*?[]")


def parse(text: str, keys: Collection[str]) -> Filter:
    """Read a filter over columns with these keys. Raises FilterError."""
    terms = []
    place = _after_blanks(text, 0)
    while place < len(text):
        term, place = _term(text, place, keys)
        terms.append(term)
        if place < len(text) and not text[place].isspace():
            raise FilterError(Trouble.NO_BLANK, text, place + 1)
        place = _after_blanks(text, place)
    return Filter(text, tuple(terms))


def _after_blanks(text: str, place: int) -> int:
    found = BLANKS.match(text, place)
    return found.end() if found is not None else place


def _term(text: str, start: int, keys: Collection[str]) -> tuple[Term, int]:
    """The term at a place, and the place after it."""
    negated = text[start] == "!"
    place = start + negated
    if negated and (place == len(text) or text[place].isspace()):
        raise FilterError(Trouble.NOTHING_NEGATED, text, start + 1)
    key = None
    if (named := KEY.match(text, place)) is not None:
        key = _known(named[1], keys, text, place)
        place = named.end()
    tests = []
    while True:
        test, place = _test(text, place, keyed=key is not None)
        tests.append(test)
        if place == len(text) or text[place] != ",":
            return Term(key, tuple(tests), negated), place
        place += 1


def _known(word: str, keys: Collection[str], text: str, place: int) -> str:
    key = word.lower()
    if key not in keys:
        from difflib import get_close_matches  # noqa: PLC0415 - seldom needed

        close = get_close_matches(key, sorted(keys), n=1)
        raise FilterError(Trouble.UNKNOWN_KEY, text, place + 1, word, close[0] if close else None)
    return key


def _test(text: str, place: int, *, keyed: bool) -> tuple[Test, int]:
    """The value at a place, and the place after it."""
    found = VALUE.match(text, place)
    if found is None:
        trouble = {'"': Trouble.OPEN_QUOTE, "'": Trouble.OPEN_QUOTE, "/": Trouble.OPEN_REGEX}
        raise FilterError(trouble.get(text[place : place + 1], Trouble.NO_VALUE), text, place + 1)
    if (regex := found["regex"]) is not None:
        return Test(How.REGEX, _sound(regex, text, place + 1)), found.end()
    exact = How.WHOLE if keyed else How.PART
    if (plain := found["plain"]) is not None:
        return Test(How.GLOB if GLOB.search(plain) else exact, plain.lower()), found.end()
    return Test(exact, (found["double"] or found["single"] or "").lower()), found.end()


def _sound(regex: str, text: str, place: int) -> str:
    try:
        re.compile(regex, re.IGNORECASE)
    except re.error as problem:
        raise FilterError(Trouble.BAD_REGEX, text, place + (problem.pos or 0) + 1, problem.msg) from None
    return regex

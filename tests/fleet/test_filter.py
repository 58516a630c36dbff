"""The filter language: what it picks, what it refuses and where; and an obvious reference for the fast way."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetplan.fleet.filter import Column, FilterError, How, Trouble, parse
from fleetplan.output.filters import SENTENCES, filter_sentence

KEYS = ("name", "zone", "state")
NAMES = ("web-1", "web-10", "WEB-2", "db-1", "a,b", "x y", "key:value")
ZONES = ("a", "b", "a", "A", "", "b", "a")


def picked(text: str) -> list[str]:
    columns = {"name": Column(NAMES), "zone": Column(("a", "b", "A"), [0, 1, 0, 2, -1, 1, 0])}
    marks = parse(text, KEYS).select(columns, ("name",), len(NAMES))
    return [name for name, mark in zip(NAMES, marks, strict=True) if mark]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", NAMES),
        ("  ", NAMES),
        ("web", ("web-1", "web-10", "WEB-2")),
        ("web-?", ("web-1", "WEB-2")),
        ("web-1", ("web-1", "web-10")),
        ("name:web-1", ("web-1",)),
        ("name:web", ()),
        ("NAME:Web-[12]", ("web-1", "WEB-2")),
        ("!web", ("db-1", "a,b", "x y", "key:value")),
        ("zone:a", ("web-1", "WEB-2", "db-1", "key:value")),
        ("zone:a !web", ("db-1", "key:value")),
        ("zone:b,A name:*-1", ("web-1", "db-1")),
        ('zone:""', ("a,b",)),
        ("!zone:*", ()),
        ("!zone:?*", ("a,b",)),
        ("'a,b'", ("a,b",)),
        ("a,b", ("web-1", "web-10", "WEB-2", "db-1", "a,b", "key:value")),
        ('name:"x y",db-1', ("db-1", "x y")),
        ('"key:value"', ("key:value",)),
        (r"/^web-\d$/", ("web-1", "WEB-2")),
        (r"/\sY/", ("x y",)),
        (r"name:/^d/,/^x/", ("db-1", "x y")),
        ("state:up", ()),
        ("!state:up", NAMES),
        ("'*'", ()),
    ],
)
def test_rows_are_picked(text: str, names: tuple[str, ...]) -> None:
    assert picked(text) == list(names)


@pytest.mark.parametrize(
    ("text", "trouble", "column", "meant"),
    [
        ("web zoen:a", Trouble.UNKNOWN_KEY, 5, "zone"),
        ("q:a", Trouble.UNKNOWN_KEY, 1, None),
        ("zone:", Trouble.NO_VALUE, 6, None),
        ("zone: a", Trouble.NO_VALUE, 6, None),
        ("zone:a,,b", Trouble.NO_VALUE, 8, None),
        ("web,", Trouble.NO_VALUE, 5, None),
        ("a ! b", Trouble.NOTHING_NEGATED, 3, None),
        ("!", Trouble.NOTHING_NEGATED, 1, None),
        ('name:"x y', Trouble.OPEN_QUOTE, 6, None),
        ("!'", Trouble.OPEN_QUOTE, 2, None),
        ("/web", Trouble.OPEN_REGEX, 1, None),
        ("web /a(b/", Trouble.BAD_REGEX, 7, None),
        ("'a'b", Trouble.NO_BLANK, 4, None),
        ("/a/b", Trouble.NO_BLANK, 4, None),
    ],
)
def test_a_text_that_is_no_filter_is_refused_where_it_is_wrong(text: str, trouble: Trouble, column: int, meant: str | None) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text, KEYS)
    assert (caught.value.trouble, caught.value.column, caught.value.meant) == (trouble, column, meant)
    assert filter_sentence(caught.value).startswith(f"column {column}: ")


def test_every_trouble_has_a_sentence() -> None:
    assert set(SENTENCES) == set(Trouble)


@given(st.text(alphabet="aB1-,:!/'\"[*? \\(", max_size=12))
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    column = 1
    try:
        marks = parse(text, KEYS).select({}, (), 3)
    except FilterError as problem:
        column, marks = problem.column, bytes(3)
    assert 1 <= column <= len(text) + 1
    assert len(marks) == 3


WORDS = st.text(alphabet="abAB1*?-", min_size=1, max_size=4)


@given(
    words=st.lists(st.tuples(st.sampled_from(["", "name:", "zone:"]), WORDS, st.booleans()), max_size=3), names=st.lists(WORDS, max_size=6)
)
def test_a_filter_is_what_an_obvious_reading_of_it_says(words: list[tuple[str, str, bool]], names: list[str]) -> None:
    zones = [name[::-1] for name in names]

    def holds(key: str, word: str, name: str, zone: str) -> bool:
        value, word = (zone if key == "zone:" else name).lower(), word.lower()
        return fnmatchcase(value, word) if key or set(word) & {"*", "?"} else word in value

    text = " ".join(f"{'!' if negated else ''}{key}{word}" for key, word, negated in words)
    marks = parse(text, KEYS).select({"name": Column(names), "zone": Column(zones, range(len(zones)))}, ("name",), len(names))
    wanted = [all(holds(key, word, name, zone) != negated for key, word, negated in words) for name, zone in zip(names, zones, strict=True)]
    assert list(map(bool, marks)) == wanted


def test_a_value_is_read_once_as_what_it_is() -> None:
    (term,) = parse("name:A*,b,/C/", KEYS).terms
    assert [(test.how, test.value) for test in term.tests] == [(How.GLOB, "a*"), (How.WHOLE, "b"), (How.REGEX, "C")]

"""JSON carries any text, and no terminal obeys it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetplan.output.json_text import encode, harmless
from tests.output.hostile import hostile
from tests.output.test_printable import obeyed


@given(st.dictionaries(hostile, st.lists(hostile)))
def test_what_is_read_is_what_was_written(value: dict[str, list[str]]) -> None:
    text = encode(value)
    assert not obeyed(text.decode().replace("\n", ""))
    if not any("\ud800" <= mark <= "\udfff" for mark in json.dumps(value, ensure_ascii=False)):
        assert json.loads(text) == value


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("\x1b\x7f\x9b", b'"\\u001b\\u007f\\u009b"'),
        ("\u202e\U000e0001", b'"\\u202e\\udb40\\udc01"'),
        ("é😀", '"é😀"'.encode()),
        ("\udcff", b'"\\\\udcff"'),
    ],
)
def test_obeyed_marks_are_escaped_and_shown_ones_are_not(text: str, written: bytes) -> None:
    assert encode(text) == written + b"\n"


def test_plain_text_is_handed_on_as_it_is() -> None:
    text = b'{"a": "b"}'
    assert harmless(text) is text

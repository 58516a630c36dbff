"""One file that needs nothing else, in which names are text and every colour can be read."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import product

import pytest
from hypothesis import given

from fleetplan.output.document import Bar, Bars, Bullets, Column, Document, Kind, Paragraph, Quote, Section, Table, Tone
from fleetplan.output.html import CODE, STYLE, render
from fleetplan.output.printable import printable
from tests.output.hostile import hostile

VOID = {"meta"}


class Page(HTMLParser):
    """Reads a page: its tags, its text, and whether every tag is closed in turn."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(content)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def of(text: str) -> Document:
    """Every kind of block, with a text in every place."""
    chart = Bars(text, (Kind(text, Tone.BAD), Kind(text)), (Bar(text, (1, 2)), Bar(text, (0, 0))))
    table = Table((Column(title=text),), ((text,),), text)
    points = Bullets(((0, text), (1, text), (2, text), (0, text)))
    return Document((Section(text, (Paragraph(text, Tone.BAD), Quote((text,)), points, table, chart)),))


@given(hostile.filter(bool))
def test_names_are_text_and_nothing_else(text: str) -> None:
    page, harmless = (Page(render(of(name), title=name, about=name)) for name in (text, "NAME"))
    assert [tag for tag in page.tags if tag != "code"] == harmless.tags
    assert [name for name, _ in page.attributes] == [name for name, _ in harmless.attributes]
    seen = CODE.sub(r"\1", printable(text))
    assert "".join(page.texts).replace("`", "") == "".join(harmless.texts).replace("NAME", seen).replace("`", "")


@given(hostile)
def test_nothing_is_fetched_and_nothing_runs(text: str) -> None:
    page = Page(render(of(text), title=text))
    assert not {"script", "link", "img", "iframe", "a", "object"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name in {"src", "href"} or name.startswith("on")]
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes


def test_charts_and_tables_have_names() -> None:
    page = render(of("x"), title="x")
    assert 'role="img" aria-label="x: x 1, x 2"' in page
    assert 'role="group" aria-label="Table: x"' in page


def _luminance(colour: str) -> float:
    """Relative luminance. Source: WCAG 2.2."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1])
def test_text_stands_out_from_what_is_behind_it(scheme: int) -> None:
    colours = dict(re.findall(r"--(\w+):(#[0-9a-f]{6})", re.findall(r":root\{([^}]*)\}", STYLE)[scheme]))
    for text, behind in product(("text", "faint", "good", "caution", "bad", "plain"), ("back", "raised")):
        assert contrast(colours[text], colours[behind]) >= 4.5, (text, behind)

"""Tables as values: order, filters, widths."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from fleetplan.fleet.filter import FilterError
from fleetplan.output.document import Align
from fleetplan.output.ink import Ink, Line, Span, length, padded, plain
from fleetplan.tui.table.lines import Slot, column_at, fitted, heading, row_line
from fleetplan.tui.table.model import Field, Table, Wish, Worded, arranged
from fleetplan.tui.table.view import TableView

NAMES = ["web-2", "db-1", "web-1", "mail"]


def table() -> Table:
    verdicts = Field(
        key="verdict",
        title="verdict",
        values=["✓ SAFE", "✗ FAILS"],
        codes=np.array([1, 0, 0, -1]),
        rank=[1, 0],
        inks=[Ink.SAFE, Ink.FAILS],
        said=["SAFE", "FAILS"],
    )
    name = Field(key="name", title="name", values=NAMES, least=3)
    numbers = np.array([10, 9, 300, 2])
    size = Field(key="size", title="size", values=Worded(numbers, str), rank=numbers, align=Align.RIGHT, width=5, rest=1)
    return Table(fields=(verdicts, name, size), rows=4, names=("name",), risky=np.array([True, False, True, False]))


def names(wish: Wish) -> list[str]:
    return [NAMES[row] for row in arranged(table(), wish)]


def test_rows_stand_as_they_are_given_until_somebody_sorts_them() -> None:
    assert names(Wish()) == NAMES
    assert names(Wish(sort="name")) == ["db-1", "mail", "web-1", "web-2"]
    assert names(Wish(sort="name", descending=True)) == ["web-2", "web-1", "mail", "db-1"]


def test_numbers_are_sorted_as_numbers() -> None:
    assert names(Wish(sort="size")) == ["mail", "db-1", "web-2", "web-1"]


def test_ties_keep_their_order_and_rows_without_a_value_come_last() -> None:
    assert names(Wish(sort="verdict")) == ["web-2", "db-1", "web-1", "mail"]


def test_filters_compare_with_the_word_not_with_the_sign() -> None:
    assert names(Wish(text="verdict:safe")) == ["db-1", "web-1"]
    assert names(Wish(text="web !verdict:safe")) == ["web-2"]
    assert names(Wish(text="/^web-[0-9]$/", risky=True)) == ["web-2", "web-1"]


def test_what_is_no_filter_is_refused() -> None:
    with pytest.raises(FilterError):
        names(Wish(text="nonsense:x"))


@given(st.text(alphabet="webdi-12 ", max_size=6), st.sampled_from([None, "name", "size", "verdict"]), st.booleans(), st.booleans())
def test_sorting_never_loses_or_invents_a_row(text: str, sort: str | None, risky: bool, descending: bool) -> None:
    kept = arranged(table(), Wish(text=text, risky=risky)).tolist()
    assert sorted(arranged(table(), Wish(text=text, risky=risky, sort=sort, descending=descending)).tolist()) == sorted(kept)


@given(st.integers(1, 60))
def test_lines_fit_the_width_as_soon_as_what_is_needed_does(width: int) -> None:
    slots = fitted(table(), width)
    lines = [plain(heading(slots, Wish())), *(plain(row_line(slots, row)) for row in range(4))]
    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) <= max(width, 14)
    assert {"verdict", "name"} <= {slot.field.key for slot in slots}


def test_the_least_needed_column_goes_first() -> None:
    assert [slot.field.key for slot in fitted(table(), 18)] == ["verdict", "name"]
    assert [slot.field.key for slot in fitted(table(), 30)] == ["verdict", "name", "size"]


def test_a_column_is_found_under_the_mouse() -> None:
    slots = fitted(table(), 60)
    assert [field.key for x in (0, slots[1].start, slots[2].start) if (field := column_at(slots, x))] == ["verdict", "name", "size"]
    assert column_at(slots, 59) is None


def test_the_heading_says_what_rows_are_sorted_by() -> None:
    slots = fitted(table(), 60)
    assert "name ▲" in plain(heading(slots, Wish(sort="name")))
    assert "name ▼" in plain(heading(slots, Wish(sort="name", descending=True)))


@given(st.lists(st.text(max_size=5), max_size=4), st.integers(1, 12))
def test_a_padded_line_has_exactly_its_width(parts: list[str], width: int) -> None:
    assert length(padded(tuple(Span(part) for part in parts), width)) == width


def test_of_a_hundred_thousand_rows_only_those_in_sight_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def counted(slots: Sequence[Slot], row: int) -> Line:
        drawn.append(row)
        return row_line(slots, row)

    monkeypatch.setattr("fleetplan.tui.table.view.row_line", counted)
    numbers = np.arange(100_000)
    names = Field(key="name", title="name", values=Worded(numbers, "row-{}".format), width=12)

    class Alone(App[None]):
        def compose(self) -> ComposeResult:
            yield TableView()

    async def run() -> None:
        app = Alone()
        async with app.run_test(size=(80, 24)) as pilot:
            app.query_one(TableView).show(Table(fields=(names,), rows=100_000, names=("name",)))
            await pilot.pause()
            painted = len(drawn)
            assert 0 < painted <= 4 * 24
            await pilot.press("end", "pageup")
            assert len(drawn) <= painted + 6 * 24
            assert max(drawn) == 99_999

    asyncio.run(run())

"""Exposure as CSV, SVG and sparklines: nothing in a name is run, and the figures are right."""

from __future__ import annotations

import csv
import re
from io import StringIO
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetplan.firmware.guest_view import MITIGATIONS
from fleetplan.migration.exposure import Exposure
from fleetplan.migration.standing import Count, Tally
from fleetplan.output.csv import STARTS_A_FORMULA, csv_pieces, guarded
from fleetplan.output.exposure import BARS, WIDEST, exposed_guests, flaws, share, sparkline
from fleetplan.output.exposure_chart import exposure_svg
from fleetplan.output.printable import printable
from fleetplan.rollout.timeline import Moment


@given(st.lists(st.lists(st.text(st.characters(blacklist_categories=("Cs",))) | st.integers(-9, 9), min_size=1), min_size=1))
def test_a_spreadsheet_reads_what_was_written_and_takes_nothing_for_a_formula(rows: list[list[str | int]]) -> None:
    text = b"".join(csv_pieces(rows)).decode()
    read = list(csv.reader(StringIO(text, newline="")))
    assert len(read) == len(rows)
    for row, cells in zip(rows, read, strict=True):
        for value, cell in zip(row, cells, strict=True):
            shown = printable(str(value))
            assert cell in {shown, f"'{shown}"}
            assert isinstance(value, int) or not cell.lstrip().startswith(STARTS_A_FORMULA)


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\u00a0=1", "＝1"])  # noqa: RUF001 - full width is meant
def test_formulas_are_guarded(name: str) -> None:
    assert guarded(name) == f"'{name}"


def test_other_text_and_numbers_stay_and_controls_are_written_out() -> None:
    assert [guarded(cell) for cell in ("web-1", "1.0", "", -1)] == ["web-1", "1.0", "", "-1"]
    assert [guarded(cell) for cell in ("\t=1", "a\x1b[31m\r\n")] == ["' =1", "a\\x1b[31m\\r\\n"]


@given(st.lists(st.integers(0, 10**7), max_size=300))
def test_a_sparkline_is_as_wide_as_it_may_be_and_zero_only_where_all_is_none(values: list[int]) -> None:
    line = sparkline(values, max([1, *values]))
    few = max(1, -(-len(values) // WIDEST))
    chunks = [values[start : start + few] for start in range(0, len(values), few)]
    assert len(line) == len(chunks) <= WIDEST
    assert [bar == "·" for bar in line] == [not any(chunk) for chunk in chunks]
    if values and max(values):
        assert BARS[-1] in line


def test_a_sparkline_rises_with_its_values() -> None:
    assert sparkline([0, 1, 4, 8], 8) == "·▁▄█"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ((0, 0, 5), "no guest is exposed"),
        ((1, 1, 1), "1 of 1 guest (100.0 %) is exposed"),
        ((2, 2, 40), "2 of 40 guests (5.0 %) are exposed"),
        ((0, 3, 40), "of 40 guests, at least 0 (0.0 %), at most 3 (7.5 %) are exposed"),
    ],
)
def test_figures_in_words(found: tuple[int, int, int], words: str) -> None:
    assert exposed_guests(*found) == words


def test_a_small_part_is_never_none_and_a_part_never_all() -> None:
    assert share(1, 10**6) == "1 (< 0.1 %)"
    assert share(999_999, 10**6) == "999,999 (99.9 %)"


def test_flaws_share_their_name() -> None:
    assert [flaws(MITIGATIONS[:number]) for number in (1, 2, 3)] == ["Spectre v2", "Spectre v2 and v4", "Spectre v2, v4 and BHB"]


def moment(wave: int, exposed: int) -> Moment:
    counts = tuple(
        Count(item=item, guests=dict.fromkeys(Exposure, 0) | {Exposure.EXPOSED: exposed}, at_least=exposed, at_most=exposed)
        for item in MITIGATIONS
    )
    return Moment(wave=wave, ends_s=wave * 60, tally=Tally(guests=10, items=counts, at_least=exposed, at_most=exposed))


def test_the_chart_is_well_formed_says_what_it_shows_and_escapes_what_comes_from_outside() -> None:
    text = exposure_svg([moment(0, 4), moment(1, 2), moment(2, 0)], "to <script>&\x1b[31m")
    root = ET.fromstring(text)  # noqa: S314 - made here
    title, description = (root.find(f"{{http://www.w3.org/2000/svg}}{tag}") for tag in ("title", "desc"))
    assert title is not None
    assert title.text == r"to <script>&\x1b[31m"
    assert description is not None
    assert description.text is not None
    assert "Spectre v2: 4 (40.0 %) exposed now, 0 (0.0 %) after wave 2." in description.text
    assert "prefers-color-scheme:dark" in text
    assert "<script" not in text
    assert root.attrib["role"] == "img"


def test_bars_are_as_high_as_their_numbers() -> None:
    """4, 2 and none of 4 at most: the second bar is half as high as the first."""
    text = exposure_svg([moment(0, 4), moment(1, 2), moment(2, 0)], "t")
    path = re.findall(r'class="band exposed" d="([^"]*)"', text)[0]
    bars = re.findall(r"M[\d.]+ ([\d.]+)H[\d.]+V([\d.]+)H[\d.]+Z", path)
    heights = [float(low) - float(high) for low, high in bars]
    assert len(heights) == 2
    assert heights[0] == pytest.approx(2 * heights[1])

"""Exposure over a rollout as an SVG: a panel for each flaw, stacked by what guests are; light and dark, readable without colour vision.

The only text from outside is the title, and it is escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from fleetplan.migration.exposure import SAFE, Exposure
from fleetplan.migration.standing import Count
from fleetplan.output.exposure import FLAWS, exposed
from fleetplan.output.printable import printable
from fleetplan.rollout.timeline import Moment

WIDTH, LEFT, RIGHT, TOP, PANEL, GAP, FOOT = 760, 70, 20, 92, 130, 44, 40
"""Sizes in units of the view box."""

MOST_TICKS = 12

SHOWN = tuple(kind for kind in Exposure if kind not in SAFE)
"""Bottom of the stack first."""

COLOURS: Mapping[Exposure, tuple[str, str]] = {
    Exposure.STALE: ("#b35900", "#f0a04b"),
    Exposure.HIDDEN: ("#1f5fa8", "#7fb8ff"),
    Exposure.STRIPPED: ("#8c2d82", "#e08ad6"),
    Exposure.EXPOSED: ("#a5182a", "#ff8a8a"),
    Exposure.UNKNOWN: ("#6b7280", "#9aa3b0"),
}
"""On light, on dark; each has a contrast of 3 or more to its background."""


def exposure_svg(moments: Sequence[Moment], title: str) -> str:
    """The chart; at least one moment. `title` says of what."""
    height = TOP + (PANEL + GAP) * len(FLAWS) + FOOT - GAP
    shown = escape(printable(title))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title description">',
        f'<title id="title">{shown}</title>',
        f'<desc id="description">{escape(_described(moments))}</desc>',
        f"<style>{_style()}</style>",
        f'<rect class="back" width="{WIDTH}" height="{height}"/>',
        f'<text class="head" x="{LEFT}" y="26">{shown}</text>',
        *_legend(),
    ]
    most = max([1, *(_height(moment.tally.items[place]) for moment in moments for place in range(len(FLAWS)))])
    for place in range(len(FLAWS)):
        lines += _panel([moment.tally.items[place] for moment in moments], most, TOP + place * (PANEL + GAP))
    lines += [*_ticks(moments, height - FOOT + 16), "</svg>"]
    return "\n".join(lines) + "\n"


def _described(moments: Sequence[Moment]) -> str:
    """What the chart shows, for who cannot see it: each flaw at first and at last."""
    first, last = moments[0].tally, moments[-1].tally
    told = (
        f"{FLAWS[one.item]}: {exposed(one.at_least, one.at_most, first.guests)} exposed now, "
        f"{exposed(other.at_least, other.at_most, last.guests)} after wave {moments[-1].wave}."
        for one, other in zip(first.items, last.items, strict=True)
    )
    return " ".join(told)


def _style() -> str:
    light = "".join(f".{_class(kind)}{{fill:{colour}}}" for kind, (colour, _) in COLOURS.items())
    dark = "".join(f".{_class(kind)}{{fill:{colour}}}" for kind, (_, colour) in COLOURS.items())
    return (
        "text{font:13px sans-serif;fill:#1b1f24}.head{font-size:16px;font-weight:600}.faint{fill:#57606a}.back{fill:#fff}"
        f".axis{{stroke:#8b949e;fill:none}}path.band{{stroke:#fff}}{light}"
        "@media (prefers-color-scheme:dark){text{fill:#e7eaee}.faint{fill:#a3adb9}.back{fill:#12151a}.axis{stroke:#6b7280}"
        f"path.band{{stroke:#12151a}}{dark}}}"
    )


def _class(kind: Exposure) -> str:
    return kind.name.lower()


def _legend() -> Iterator[str]:
    x = LEFT
    for kind in SHOWN:
        yield f'<rect class="{_class(kind)}" x="{x}" y="42" width="12" height="12"/><text x="{x + 17}" y="53">{escape(kind)}</text>'
        x += 40 + 8 * len(kind)


def _height(count: Count) -> int:
    return sum(count.guests[kind] for kind in SHOWN)


def _panel(counts: Sequence[Count], most: int, top: int) -> Iterator[str]:
    """One flaw: a bar for each moment, in the order of `SHOWN` from below."""
    bottom = top + PANEL
    yield f'<text x="{LEFT}" y="{top - 8}">{escape(FLAWS[counts[0].item])}</text>'
    base = [0] * len(counts)
    for kind in SHOWN:
        above = [low + count.guests[kind] for low, count in zip(base, counts, strict=True)]
        if above != base:
            yield f'<path class="band {_class(kind)}" d="{_bars(base, above, most, bottom)}"/>'
        base = above
    yield f'<path class="axis" d="M{LEFT} {top}V{bottom}H{WIDTH - RIGHT}"/>'
    yield f'<text class="faint" x="{LEFT - 8}" y="{top + 5}" text-anchor="end">{most:,}</text>'
    yield f'<text class="faint" x="{LEFT - 8}" y="{bottom}" text-anchor="end">0</text>'


def _bars(base: Sequence[int], above: Sequence[int], most: int, bottom: int) -> str:
    """Closed bars that stand on `base`; those without height are left out."""
    return "".join(
        f"M{_x(place, len(base))} {_y(low, most, bottom)}H{_x(place + 1, len(base))}V{_y(high, most, bottom)}H{_x(place, len(base))}Z"
        for place, (low, high) in enumerate(zip(base, above, strict=True))
        if high > low
    )


def _x(place: int, moments: int) -> str:
    return f"{LEFT + (WIDTH - LEFT - RIGHT) * place / moments:.6g}"


def _y(value: int, most: int, bottom: int) -> str:
    return f"{bottom - PANEL * value / most:.6g}"


def _ticks(moments: Sequence[Moment], y: int) -> Iterator[str]:
    """Numbers of waves below the bars; of many, some."""
    each = -(-len(moments) // MOST_TICKS)
    for place in range(0, len(moments), each):
        middle = LEFT + (WIDTH - LEFT - RIGHT) * (place + 0.5) / len(moments)
        word = "now" if not moments[place].wave else f"{moments[place].wave}"
        yield f'<text class="faint" x="{middle:.6g}" y="{y}" text-anchor="middle">{word}</text>'
    yield f'<text class="faint" x="{WIDTH - RIGHT}" y="{y + 18}" text-anchor="end">after wave</text>'

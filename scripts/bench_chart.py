#!/usr/bin/env python3
"""Draws CPU seconds by fleet size as SVG: what `bench.py --json` measured, beside what is known of other planners.

usage: bench_chart.py MEASURED.json -o CHART.svg

Only the standard library is used; the same figures give the same bytes.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 860, 520
LEFT, RIGHT, TOP, BOTTOM = 70, 210, 74, 78
"""Margins around the plot; the names of the lines stand right of it."""

HOSTS = (100, 100_000)
SECONDS = (0.01, 1000)


@dataclass(frozen=True)
class Line:
    """A line of the chart: points of hosts and CPU seconds, where they come from, and how it is drawn."""

    name: str
    points: tuple[tuple[int, float], ...]
    style: str
    source: str
    dashed: bool = False


PEERS = (
    Line(
        "hroller: reboot groups",
        ((100, 0.05), (500, 0.49), (1_000, 1.73), (2_000, 12.4), (5_000, 134.7)),
        "hroller",
        "Ganeti 3.0.2, hroller -t FILE, shared storage, 10 guests a host, 70 % of memory in use; CPU seconds on one core",
        dashed=True,
    ),
    Line(
        "BtrPlace: whole rollout",
        ((100, 2.0), (1_000, 29.8), (5_000, 80.0)),
        "btrplace",
        "BtrPlace 1.12 at ec0a71ec with Choco 4.10.18 on Java 17: 100 and 1,000 hosts with 10 guests each in 10 waves, spread kept; "
        "5,000 hosts with 30,000 guests in 20 waves, no spread; CPU seconds on one core",
        dashed=True,
    ),
    Line(
        "BtrPlace, published",
        ((5_000, 180.0),),
        "btrplace",
        "Hermenier, Lawall, Muller: BtrPlace, IEEE TDSC 2013, abstract: 5,000 servers and 30,000 VMs in 3 minutes (one reconfiguration)",
        dashed=True,
    ),
)
"""Other planners, with the source of each figure. None of them knows firmware."""

OWN = ("plan", "load", "judge")

COLOURS = {
    "plan": ("#1d4ed8", "#6ea8fe"),
    "load": ("#0f766e", "#4fd1c5"),
    "judge": ("#4d7c0f", "#a3d65c"),
    "hroller": ("#c2410c", "#ff9a62"),
    "btrplace": ("#a21caf", "#e58af0"),
}
"""Of each style the colour on light ground and on dark."""

STYLE = """
  .card { fill: #ffffff; stroke: #d0d7de }
  .text { fill: #1f2328 } .faint { fill: #59636e } .grid { stroke: #d0d7de }
%s
  text { font: 13px system-ui, sans-serif } .title { font-size: 16px; font-weight: 600 } .small { font-size: 11.5px }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #3d444d } .text { fill: #f0f6fc } .faint { fill: #9198a1 } .grid { stroke: #3d444d }
%s
  }
"""


def _style() -> str:
    light, dark = (
        "\n".join(f"    .{name} {{ fill: {pair[side]} }} .{name} polyline {{ stroke: {pair[side]} }}" for name, pair in COLOURS.items())
        for side in (0, 1)
    )
    return STYLE % (light, dark)


def chart(measured: Mapping[str, Any]) -> str:
    """The chart of one run of the benchmark."""
    lines = [*_own(measured["fleets"]), *PEERS]
    body = "\n".join([*_frame(), *_grid(), *(part for line in lines for part in _drawn(line)), *_names(lines)])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">\n'
        f"<title>CPU seconds by fleet size, fleetplan beside other planners</title>\n<style>{_style()}</style>\n{body}\n</svg>\n"
    )


def _own(fleets: Mapping[str, Any]) -> Iterator[Line]:
    sizes = sorted((int(name.split()[1]), fleet["cpu_s"]) for name, fleet in fleets.items() if name.startswith("generated "))
    for stage in OWN:
        points = tuple((hosts, max(cpu[stage], SECONDS[0])) for hosts, cpu in sizes)
        yield Line(f"fleetplan: {stage}", points, stage, "scripts/bench.py")


def _x(hosts: float) -> float:
    low, high = map(math.log10, HOSTS)
    return round(LEFT + (WIDTH - LEFT - RIGHT) * (math.log10(hosts) - low) / (high - low), 1)


def _y(seconds: float) -> float:
    low, high = map(math.log10, SECONDS)
    return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (math.log10(seconds) - low) / (high - low), 1)


def _frame() -> Iterator[str]:
    yield f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8"/>'
    yield _text(LEFT, 30, "From an inventory to a judged plan: CPU seconds by fleet size", "text title")
    yield _text(LEFT, 50, "one core, both axes logarithmic; every guest has its landing place, 12 guests a host", "faint small")
    notes = (
        "fleetplan: generated fleets, each run in a process of its own, user and system time; scripts/bench.py measures and draws.",
        "Others, measured on one core or published: hroller groups hosts for reboots, BtrPlace moves guests in given waves.",
    )
    for number, note in enumerate(notes):
        yield _text(LEFT - 46, HEIGHT - 26 + 16 * number, note, "faint small")


def _grid() -> Iterator[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for power in range(2, 6):
        x = _x(10**power)
        yield f'<line class="grid" x1="{x}" y1="{TOP}" x2="{x}" y2="{bottom}"/>'
        yield _text(x, bottom + 18, f"{10**power:,}" + (" hosts" if power == 2 else ""), "faint", anchor="middle")
    for power in range(-2, 4):
        y = _y(10.0**power)
        yield f'<line class="grid" x1="{LEFT}" y1="{y}" x2="{right}" y2="{y}"/>'
        yield _text(LEFT - 8, y + 4, f"{10.0**power:g} s", "faint", anchor="end")


def _drawn(line: Line) -> Iterator[str]:
    points = [(_x(hosts), _y(seconds)) for hosts, seconds in line.points]
    dash = ' stroke-dasharray="6 4"' if line.dashed else ""
    path = " ".join(f"{x},{y}" for x, y in points)
    yield f'<g class="{line.style}"><desc>{escape(line.source)}</desc>'
    yield f'<polyline points="{path}" style="fill: none" stroke-width="2"{dash}/>'
    for x, y in points:
        shape = f'<rect x="{x - 3.5}" y="{y - 3.5}" width="7" height="7"' if line.dashed else f'<circle cx="{x}" cy="{y}" r="3.5"'
        yield f"{shape}/>"
    yield "</g>"


def _names(lines: list[Line]) -> Iterator[str]:
    """Names beside the last points, moved apart where they would meet."""
    placed = sorted(((_y(line.points[-1][1]), _x(line.points[-1][0]), line) for line in lines if line.points), key=lambda each: each[0])
    last = 0.0
    for y, x, line in placed:
        last = max(y, last + 17)
        value = f"{line.points[-1][1]:.1f}".removesuffix(".0")
        yield _text(x + 9, last + 4, f"{line.name}, {value} s", line.style)


def _text(x: float, y: float, text: str, style: str, *, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{round(y, 1)}" class="{style}" text-anchor="{anchor}">{escape(text)}</text>'


def main() -> None:
    """Read what was measured, and write the chart."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("measured", type=Path, help="what `bench.py --json` printed")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    options.output.write_text(chart(json.loads(options.measured.read_text())))


if __name__ == "__main__":
    main()

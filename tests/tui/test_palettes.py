"""Colours can be read, and told apart, by everybody."""

from __future__ import annotations

from itertools import combinations

import pytest

from fleetplan.output.ink import Ink
from fleetplan.output.palettes import ANSI, DARK, LIGHT, Palette
from fleetplan.output.risk import STANDS, VERDICTS

RISKS = (Ink.SAFE, Ink.CHANGES, Ink.STRIPS, Ink.UNKNOWN, Ink.FAILS)

MACHADO = {
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "normal": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
}
"""Severity 1.0, on linear RGB (Machado, Oliveira, Fernandes 2009, table 1)."""

APART = 15.0
"""Least distance in CIE L*a*b* (delta E 1976) of two risk colours; 2.3 can just be seen."""


def linear(colour: str) -> tuple[float, float, float]:
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels)
    return red, green, blue


def luminance(colour: str) -> float:
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lower, higher = sorted((luminance(one), luminance(other)))
    return (higher + 0.05) / (lower + 0.05)


def lab(rgb: tuple[float, ...]) -> tuple[float, float, float]:
    red, green, blue = (min(max(value, 0.0), 1.0) for value in rgb)
    white = (0.95047, 1.0, 1.08883)
    sums = (
        0.4124 * red + 0.3576 * green + 0.1805 * blue,
        0.2126 * red + 0.7152 * green + 0.0722 * blue,
        0.0193 * red + 0.1192 * green + 0.9505 * blue,
    )
    x, y, z = (
        value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116
        for value in (part / full for part, full in zip(sums, white, strict=True))
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def seen(colour: str, eye: str) -> tuple[float, float, float]:
    rgb = linear(colour)
    return lab(tuple(sum(weight * value for weight, value in zip(row, rgb, strict=True)) for row in MACHADO[eye]))


@pytest.mark.parametrize("palette", [DARK, LIGHT], ids=lambda palette: palette.name)
def test_every_ink_can_be_read_on_every_ground(palette: Palette) -> None:
    short = {(ink, ground): contrast(colour, ground) for ink, colour in palette.inks.items() for ground in palette.grounds}
    assert {place: ratio for place, ratio in short.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("eye", MACHADO)
@pytest.mark.parametrize("palette", [DARK, LIGHT], ids=lambda palette: palette.name)
def test_risks_are_told_apart_by_eyes_that_see_fewer_colours(palette: Palette, eye: str) -> None:
    near = {}
    for one, other in combinations(RISKS, 2):
        first, second = seen(palette.inks[one], eye), seen(palette.inks[other], eye)
        distance = sum((a - b) ** 2 for a, b in zip(first, second, strict=True)) ** 0.5
        if distance < APART:
            near[one, other] = round(distance, 1)
    assert near == {}


@pytest.mark.parametrize("palette", [DARK, LIGHT, ANSI], ids=lambda palette: palette.name)
def test_every_ink_has_a_colour(palette: Palette) -> None:
    assert set(palette.inks) == set(Ink)


def test_signs_differ_without_colour() -> None:
    for signs in (VERDICTS.values(), STANDS.values()):
        assert len({sign.glyph for sign in signs}) == len({sign.word for sign in signs}) == len(signs)
        assert all(len(sign.glyph) == 1 for sign in signs)

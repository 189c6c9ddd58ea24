"""The report's colours: contrast with the paper, and distinguishable series."""

import re

import pytest
from tests.house.source import ROOT


def luminance(colour: str) -> float:
    """Relative luminance of a colour (WCAG 2.2)."""
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def linear(colour: str) -> list[float]:
    """Linear red, green and blue of ``#rrggbb``, 0 to 1."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def contrast(first: str, other: str) -> float:
    """Contrast of two colours, 1 to 21 (WCAG 2.2)."""
    low, high = sorted((luminance(first), luminance(other)))
    return (high + 0.05) / (low + 0.05)


# How those see who lack one kind of cone, in linear light (Machado, Oliveira and Fernandes 2009).
SIGHTS = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216),
                   (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413),
                     (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602),
                   (0.004733, 0.691367, 0.303900)),
}  # fmt: skip


def lab(colour: str, sight: str) -> list[float]:
    """A colour in Oklab for a kind of colour vision (Ottosson 2020)."""
    perceived = [
        min(1.0, max(0.0, sum(a * b for a, b in zip(row, linear(colour), strict=True))))
        for row in SIGHTS[sight]
    ]
    mixed = ((0.4122214708, 0.5363325363, 0.0514459929), (0.2119034982, 0.6806995451, 0.1073969566),
             (0.0883024619, 0.2817188376, 0.6299787005))  # fmt: skip
    cones = [sum(a * b for a, b in zip(row, perceived, strict=True)) ** (1 / 3) for row in mixed]
    out = ((0.2104542553, 0.7936177850, -0.0040720468), (1.9779984951, -2.4285922050, 0.4505937099),
           (0.0259040371, 0.7827717662, -0.8086757660))  # fmt: skip
    return [sum(a * b for a, b in zip(row, cones, strict=True)) for row in out]


def themes() -> dict[str, dict[str, str]]:
    """The colours of the style sheet: on paper and in the light, and in the dark."""
    style = (ROOT / "sim/entraide_sim/report/page.css").read_text("utf-8")
    blocks = re.findall(r":root \{(.*?)\}", style, re.S)
    colours = [dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block)) for block in blocks]
    return dict(zip(("light", "dark"), colours, strict=True))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_stand_out(theme) -> None:
    """Lines and marks have a contrast of 3 to 1 with the paper, words of 4.5 to 1 (WCAG 2.2)."""
    held = themes()[theme]
    marks = {f"c{at}": contrast(held[f"c{at}"], held["paper"]) for at in range(7)}
    text = {name: contrast(held[name], held["paper"]) for name in ("ink", "soft", "c0")}
    steps = {
        f"h{at}": contrast(held[f"h{at}"], held["ink" if at < 4 else "paper"]) for at in range(8)
    }

    assert {} == {name: value for name, value in marks.items() if value < 3}
    assert {} == {name: value for name, value in (text | steps).items() if value < 4.5}


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_are_told_apart(theme, sight) -> None:
    """All pairs of series differ for every colour vision, and by line styles and marks."""
    held = themes()[theme]
    perceived = [lab(held[f"c{at}"], sight) for at in range(6)]
    apart = {
        (a, b): sum((x - y) ** 2 for x, y in zip(perceived[a], perceived[b], strict=True)) ** 0.5
        for a in range(6)
        for b in range(a)
    }

    assert {} == {pair: value for pair, value in apart.items() if value < 0.12}

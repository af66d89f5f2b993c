"""The report's colours are told apart by readers who do not see red or green, and stand out from the page, light and dark.

What they see is simulated by the matrices for a severity of 1.0 of Machado, Oliveira and Fernandes, "A Physiologically-based Model
for Simulation of Color Vision Deficiency", IEEE Transactions on Visualization and Computer Graphics 15 (6), 2009, table 1;
differences are those of CIE 1976 (L*a*b*), contrasts those of WCAG 2.2.
"""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import impact

STYLE = (Path(impact.__file__).parent / "templates" / "report.css").read_text()
SIGHT = {
    "all colours": np.eye(3),
    "no red": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "no green": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
}
TOGETHER = [*combinations(("blue", "green", "bad"), 2), *combinations(("bad", "second", "third"), 2)]
"""Colours that one drawing has: those of who answered, and those of what was judged and what was met."""
TOLD_APART = 12.0
"""Five times the difference (2.3) that is just seen; line styles, hatches and names stand beside each colour."""
STANDS_OUT = 3.0
"""Contrast that WCAG asks of graphical objects (1.4.11)."""
READABLE = 4.5
"""And of text (1.4.3)."""

Colour = NDArray[np.float64]


def schemes() -> dict[str, dict[str, Colour]]:
    """The colours of the style sheet for light and dark pages and for paper, as linear RGB."""
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    return {
        name: {colour: linear(code) for colour, code in re.findall(r"--(\w+): #([0-9a-f]{6});", block)}
        for name, block in zip(("light", "dark", "paper"), blocks, strict=True)
    }


def linear(code: str) -> Colour:
    """An sRGB colour as amounts of light, 0..1."""
    parts = np.array([int(code[at : at + 2], 16) for at in (0, 2, 4)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(colour: Colour) -> Colour:
    """A linear RGB colour as CIE L*a*b* under D65."""
    to_xyz = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
    ratios = to_xyz @ np.clip(colour, 0, 1) / np.array([0.95047, 1.0, 1.08883])
    x, y, z = np.where(ratios > 216 / 24389, np.cbrt(ratios), (24389 / 27 * ratios + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def difference(first: Colour, second: Colour) -> float:
    return float(np.linalg.norm(lab(first) - lab(second)))


def contrast(first: Colour, second: Colour) -> float:
    light, dark = sorted((float(colour @ np.array([0.2126, 0.7152, 0.0722])) for colour in (first, second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_measures_are_those_of_their_definitions() -> None:
    """White beside black, and the two colours that nobody without red or green can name."""
    assert contrast(linear("ffffff"), linear("000000")) == pytest.approx(21)
    assert lab(linear("ff0000")) == pytest.approx([53.24, 80.09, 67.20], abs=0.05)
    red, green = linear("c00000"), linear("607000")
    assert difference(red, green) > 2 * max(difference(SIGHT[name] @ red, SIGHT[name] @ green) for name in ("no red", "no green"))


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("scheme", schemes())
def test_colours_of_one_drawing_are_told_apart(scheme: str, sight: str) -> None:
    colours = {name: SIGHT[sight] @ colour for name, colour in schemes()[scheme].items()}

    found = {pair: round(difference(*(colours[name] for name in pair)), 1) for pair in TOGETHER}

    assert {pair: apart for pair, apart in found.items() if apart < TOLD_APART} == {}


@pytest.mark.parametrize("scheme", schemes())
def test_lines_and_words_stand_out_from_the_page(scheme: str) -> None:
    colours = schemes()[scheme]

    for ground in ("page", "band"):
        seen = {name: contrast(colours[name], colours[ground]) for name in ("ink", "soft", "blue", "green", "bad", "second", "third")}
        assert {name: ratio for name, ratio in seen.items() if ratio < (READABLE if name in {"ink", "soft"} else STANDS_OUT)} == {}

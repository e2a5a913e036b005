"""Where the characters of a print lie, and their ink.

Owns fonts and layout, in "fine" pixels: ``SCALE`` of them to one pixel of the picture. Does not know shapes
or scenes.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import matplotlib
from PIL import ImageFont

SCALE = 3
CAP_HEIGHT = 0.729  # of the font's size; the same in every DejaVu face
FONTS = ("DejaVuSansMono-Bold", "DejaVuSans-Bold", "DejaVuSerif-Bold")
SPACING = 0.05  # between characters, of the font's size


@dataclass(frozen=True)
class Letter:
    """A character: its pen position and the box of its ink, in fine pixels from the print's centre."""

    char: str
    pen: tuple[float, float]
    ink: tuple[float, float, float, float]


@lru_cache(maxsize=512)
def load_font(name: str, pixels: int) -> ImageFont.FreeTypeFont:
    """The face ``name`` at ``pixels`` fine pixels, from the fonts that matplotlib brings along."""
    path = Path(matplotlib.get_data_path(), "fonts", "ttf", f"{name}.ttf")
    return ImageFont.truetype(path, pixels, layout_engine=ImageFont.Layout.BASIC)


def pixels_for(cap_height: float) -> int:
    """The font size, in fine pixels, whose capitals are ``cap_height`` picture pixels high."""
    return round(cap_height * SCALE / CAP_HEIGHT)


def cap_height(pixels: int) -> float:
    """The inverse of ``pixels_for``, in picture pixels."""
    return pixels * CAP_HEIGHT / SCALE


@lru_cache(maxsize=4096)
def _metrics(char: str, font: str, pixels: int) -> tuple[float, tuple[float, float, float, float]]:
    face = load_font(font, pixels)
    return face.getlength(char), face.getbbox(char, anchor="ls")


def lay_out(text: str, font: str, pixels: int) -> tuple[Letter, ...]:
    """The letters of a print, centred on (0, 0), before rotation."""
    pens, boxes, pen = [], [], 0.0
    for char in text:
        advance, box = _metrics(char, font, pixels)
        pens.append(pen)
        boxes.append(box)
        pen += advance + SPACING * pixels
    shift = (boxes[0][0] + pens[-1] + boxes[-1][2]) / 2
    drop = pixels * CAP_HEIGHT / 2
    return tuple(
        Letter(char, (x - shift, drop), (x - shift + b[0], drop + b[1], x - shift + b[2], drop + b[3]))
        for char, x, b in zip(text, pens, boxes, strict=True)
    )


def ink_width(text: str, font: str, pixels: int) -> float:
    """The print's width in picture pixels."""
    letters = lay_out(text, font, pixels)
    return (letters[-1].ink[2] - letters[0].ink[0]) / SCALE

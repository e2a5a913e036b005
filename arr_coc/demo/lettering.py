"""Where the characters of a print lie, and their ink.

Owns fonts and layout, in "fine" pixels: ``SCALE`` of them to one pixel of the picture. Does not know shapes
or scenes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

SCALE = 3
CAP_HEIGHT = 0.729  # of the font's size; the same in every DejaVu face
FONTS = ("DejaVuSansMono-Bold", "DejaVuSans-Bold", "DejaVuSerif-Bold")
SPACING = 0.05  # between characters, of the font's size


@dataclass(frozen=True)
class Letter:
    """A character in fine pixels from the print's centre: pen position, box of its ink, its cell's sides.

    The cell reaches from pen to pen and holds the ink.
    """

    char: str
    pen: tuple[float, float]
    ink: tuple[float, float, float, float]
    cell: tuple[float, float]


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


@lru_cache(maxsize=16_384)
def _ink(char: str, font: str, pixels: int) -> tuple[float, float, float, float]:
    """The box of a character's ink from its pen position."""
    tile = Image.new("L", (2 * pixels, 2 * pixels))
    pen = pixels // 2, pixels
    ImageDraw.Draw(tile).text(pen, char, fill=255, font=load_font(font, pixels), anchor="ls")
    box = tile.getbbox()
    assert box is not None
    return (box[0] - pen[0], box[1] - pen[1], box[2] - pen[0], box[3] - pen[1])


@lru_cache(maxsize=16_384)
def _cell(char: str, font: str, pixels: int) -> tuple[float, float, float]:
    """The advance, and the sides of the cell from the pen position."""
    face = load_font(font, pixels)
    left, _, right, _ = face.getbbox(char, anchor="ls")  # reaches over the advance, not the ink alone
    return face.getlength(char), left, right


def lay_out(text: str, font: str, pixels: int) -> tuple[Letter, ...]:
    """The letters of a print, centred on (0, 0), before rotation."""
    pens, cells, pen = [], [], 0.0
    for char in text:
        advance, left, right = _cell(char, font, pixels)
        pens.append(pen)
        cells.append((left, right))
        pen += advance + SPACING * pixels
    shift = (cells[0][0] + pens[-1] + cells[-1][1]) / 2
    drop = pixels * CAP_HEIGHT / 2
    letters = []
    for char, start, (left, right) in zip(text, pens, cells, strict=True):
        x, box = start - shift, _ink(char, font, pixels)
        ink = (x + box[0], drop + box[1], x + box[2], drop + box[3])
        letters.append(Letter(char, (x, drop), ink, (x + left, x + right)))
    return tuple(letters)


def width_of(letters: Sequence[Letter]) -> float:
    """A print's width in picture pixels, from cell to cell."""
    return (letters[-1].cell[1] - letters[0].cell[0]) / SCALE

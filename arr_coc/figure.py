"""A picture of what one request looked at: overview grid, relevance, patches with their tokens.

Owns how it is drawn. Knows neither a model nor how an answer travels.
"""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from arr_coc.answers import Report
from arr_coc.types import Box, Floats, Grid

INK = (255, 60, 0)
Point = tuple[float, float]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_HEAT = 0.35  # of the drawing; the rest is the picture
_DRAWN_FOR = 1024  # longer side, in pixels, that the widths and sizes below are for
_OUTLINE, _FONT, _MARGIN = 5, 22, 12
_MOST_LINES = 12  # of the caption


@dataclass(frozen=True, slots=True)
class Sight:
    """What there is to draw. Boxes are pixels of the upright picture."""

    width: int
    height: int
    grid: Grid
    relevance: Floats | None  # [rows, cols], 0..1; None where nothing was weighed
    patches: Sequence[tuple[Box, int]]  # with their tokens
    answer: str
    visual_tokens: int
    native_tokens: int

    @classmethod
    def of(cls, report: Report) -> Self:
        """All that ``report``, of a request about one picture, tells."""
        allocation = report.allocation
        return cls(
            width=report.width,
            height=report.height,
            grid=report.grid,
            relevance=allocation.relevance if allocation else None,
            patches=[(patch.box, patch.tokens) for patch in allocation.patches] if allocation else [],
            answer=report.text,
            visual_tokens=report.usage.visual_tokens,
            native_tokens=report.native_tokens,
        )


def draw(scene: Image.Image, question: str, sight: Sight) -> Image.Image:
    """The upright RGB picture ``scene``, at any scale, with ``sight`` drawn over it and the answer underneath."""
    unit = max(scene.size) / _DRAWN_FOR
    font = ImageFont.load_default(max(10.0, _FONT * unit))
    shown = overlaid(scene, sight)
    _label_patches(shown, sight, unit, font)
    spent = f"{sight.visual_tokens} visual tokens of {sight.native_tokens} native"
    return _framed(shown, [question, f"{sight.answer}   ({spent})"], unit, font)


def overlaid(scene: Image.Image, sight: Sight) -> Image.Image:
    """``scene`` with the grid, relevance and patches of ``sight``, and no word."""
    shown = scene.copy()
    if sight.relevance is not None:
        shown = Image.blend(shown, _heat(sight.relevance, scene.size), _HEAT)
    _draw_grid(shown, sight.grid)
    pen, outline = ImageDraw.Draw(shown), round(_OUTLINE * max(scene.size) / _DRAWN_FOR) or 1
    for corner, other, _ in _placed(shown, sight):
        pen.rectangle((*corner, *other), outline=INK, width=outline)
    return shown


def _framed(shown: Image.Image, paragraphs: Sequence[str], unit: float, font: Font) -> Image.Image:
    """``shown`` with text underneath."""
    margin, line_height = _MARGIN * unit, sum(font.getbbox("Qg")[1::2])
    lines = _wrapped(paragraphs, shown.width - 2 * margin, font)
    framed = Image.new("RGB", (shown.width, shown.height + round((len(lines) + 0.5) * line_height)), "white")
    framed.paste(shown)
    pen = ImageDraw.Draw(framed)
    for number, line in enumerate(lines):
        pen.text((margin, shown.height + (number + 0.1) * line_height), line, "black", font)
    return framed


def _wrapped(paragraphs: Sequence[str], width: float, font: Font) -> list[str]:
    """Lines of at most about ``width`` pixels, and not more of them than can be shown."""
    columns = max(8, int(width / font.getlength("n")))
    lines = [line for text in paragraphs for line in textwrap.wrap(text, columns) or [""]]
    return lines if len(lines) <= _MOST_LINES else [*lines[: _MOST_LINES - 1], "..."]


def _draw_grid(shown: Image.Image, grid: Grid) -> None:
    pen = ImageDraw.Draw(shown, "RGBA")
    for column in range(1, grid.cols):
        x = column * shown.width / grid.cols
        pen.line([(x, 0), (x, shown.height)], "#0003")
    for row in range(1, grid.rows):
        y = row * shown.height / grid.rows
        pen.line([(0, y), (shown.width, y)], "#0003")


def _label_patches(shown: Image.Image, sight: Sight, unit: float, font: Font) -> None:
    pen = ImageDraw.Draw(shown)
    for (x, y), _, tokens in _placed(shown, sight):
        pen.text((x + 8 * unit, y + 6 * unit), f"{tokens} tokens", INK, font)


def _placed(shown: Image.Image, sight: Sight) -> Iterator[tuple[Point, Point, int]]:
    """Two corners of each patch on ``shown``, and its tokens."""
    across, down = shown.width / sight.width, shown.height / sight.height
    for box, tokens in sight.patches:
        yield (box.x0 * across, box.y0 * down), (box.x1 * across, box.y1 * down), tokens


def _heat(relevance: Floats, size: tuple[int, int]) -> Image.Image:
    """Relevance 0..1 from dark blue to yellow."""
    level = np.clip(relevance / max(float(relevance.max()), 1e-6), 0, 1)[..., None]
    colours = level * np.array([255, 220, 0]) + (1 - level) * np.array([20, 20, 90])
    return Image.fromarray(colours.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)

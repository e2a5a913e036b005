"""A picture of what one request looked at: overview grid, relevance, patches with their tokens."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from arr_coc.types import Report

INK = (255, 60, 0)


def draw(scene: Image.Image, question: str, report: Report) -> Image.Image:
    """``scene`` with everything that ``report`` tells drawn over it, and the answer underneath."""
    assert report.allocation is not None, "only a zoomed request has something to draw"
    shown = Image.blend(scene, _heat(report.allocation.relevance, scene.size), 0.35)
    pen = ImageDraw.Draw(shown)
    for i in range(1, report.grid.cols):
        pen.line(
            [(i * scene.width / report.grid.cols, 0), (i * scene.width / report.grid.cols, scene.height)],
            "#0003",
        )
    for i in range(1, report.grid.rows):
        pen.line(
            [(0, i * scene.height / report.grid.rows), (scene.width, i * scene.height / report.grid.rows)],
            "#0003",
        )
    font = ImageFont.load_default(22)
    for patch in report.allocation.patches:
        pen.rectangle(patch.box.as_tuple(), outline=INK, width=5)
        pen.text((patch.box.x0 + 8, patch.box.y0 + 6), f"{patch.tokens} tokens", INK, font)
    framed = Image.new("RGB", (scene.width, scene.height + 72), "white")
    framed.paste(shown)
    spent = f"{report.usage.visual_tokens} visual tokens of {report.native_tokens} native"
    ImageDraw.Draw(framed).text(
        (12, scene.height + 8), f"{question}\n{report.text}   ({spent})", "black", font
    )
    return framed


def _heat(relevance: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Relevance 0..1 from dark blue to yellow."""
    level = np.clip(relevance / max(float(relevance.max()), 1e-6), 0, 1)[..., None]
    colours = level * np.array([255, 220, 0]) + (1 - level) * np.array([20, 20, 90])
    return Image.fromarray(colours.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)

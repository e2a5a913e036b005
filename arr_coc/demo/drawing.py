"""Draws a scene.

Owns pixels: every object is drawn ``SCALE`` times too large on a tile of its own and pasted reduced, so
that edges are smooth and a large picture costs no more than its objects.
"""

from collections.abc import Callable, Sequence
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from arr_coc.demo.lettering import SCALE, Letter, cap_height, lay_out, load_font, width_of
from arr_coc.demo.outlines import PRINT_DROP, Point, outline, turn
from arr_coc.demo.world import Color, Scene, SceneObject
from arr_coc.types import Pixels

GRAIN_TILE = 128
PLATE_MARGIN = 0.32  # of the cap height, on every side


def render(scene: Scene) -> Image.Image:
    """The scene as an RGB picture of ``scene.width x scene.height``."""
    canvas = _background(scene)
    for thing in scene.objects:
        _stamp_polygon(canvas, shape_points(thing.shape, thing.center, thing.across, thing.angle), thing.rgb)
        if thing.print is not None:
            _stamp_print(canvas, thing)
    return canvas


def shape_points(shape: str, center: Point, across: float, angle: float) -> list[Point]:
    """The outline in pixels."""
    return [(center[0] + across * x, center[1] + across * y) for x, y in outline(shape, angle)]


def print_center(shape: str, center: Point, across: float, angle: float) -> Point:
    """Where the print's centre stands, in pixels."""
    dx, dy = turn((0.0, PRINT_DROP.get(shape, 0.0) * across), angle)
    return (center[0] + dx, center[1] + dy)


def plate_size(width: float, height: float) -> tuple[float, float]:
    """Width and height of the plate behind a print, in the print's units."""
    return (width + 2 * PLATE_MARGIN * height, height + 2 * PLATE_MARGIN * height)


def _stamp_print(canvas: Image.Image, thing: SceneObject) -> None:
    assert thing.print is not None
    letters = lay_out(thing.print, thing.font, thing.font_pixels)
    center = print_center(thing.shape, thing.center, thing.across, thing.angle)
    width, height = width_of(letters), cap_height(thing.font_pixels)
    if thing.plate is not None:
        w, h = plate_size(width, height)
        corners = [(-w / 2, -h / 2), (w / 2, -h / 2), (w / 2, h / 2), (-w / 2, h / 2)]
        turned = [turn(corner, thing.angle) for corner in corners]
        _stamp_polygon(canvas, [(center[0] + x, center[1] + y) for x, y in turned], thing.plate)
    reach = width / 2 + height  # holds the print however it is turned
    box = (center[0] - reach, center[1] - reach, center[0] + reach, center[1] + reach)
    _stamp(canvas, box, thing.ink, lambda tile, origin: _ink(tile, origin, center, letters, thing))


def _ink(
    tile: Image.Image, origin: Point, center: Point, letters: Sequence[Letter], thing: SceneObject
) -> Image.Image:
    x, y = (center[0] - origin[0]) * SCALE, (center[1] - origin[1]) * SCALE
    pen, font = ImageDraw.Draw(tile), load_font(thing.font, thing.font_pixels)
    for letter in letters:
        pen.text((x + letter.pen[0], y + letter.pen[1]), letter.char, fill=255, font=font, anchor="ls")
    if thing.angle == 0:
        return tile
    return tile.rotate(-thing.angle, Image.Resampling.BILINEAR, center=(x, y))


def _stamp_polygon(canvas: Image.Image, points: list[Point], rgb: Color) -> None:
    xs, ys = [p[0] for p in points], [p[1] for p in points]

    def fill(tile: Image.Image, origin: Point) -> Image.Image:
        fine = [((x - origin[0]) * SCALE - 0.5, (y - origin[1]) * SCALE - 0.5) for x, y in points]
        ImageDraw.Draw(tile).polygon(fine, fill=255)
        return tile

    _stamp(canvas, (min(xs), min(ys), max(xs), max(ys)), rgb, fill)


def _stamp(
    canvas: Image.Image,
    box: tuple[float, float, float, float],
    rgb: Color,
    fill: Callable[[Image.Image, Point], Image.Image],
) -> None:
    """Paste ``rgb`` through the mask that ``fill`` draws on a fine tile over ``box``."""
    x0, y0 = floor(box[0]) - 1, floor(box[1]) - 1
    size = ((ceil(box[2]) + 1 - x0) * SCALE, (ceil(box[3]) + 1 - y0) * SCALE)
    mask = fill(Image.new("L", size), (x0, y0)).reduce(SCALE)
    canvas.paste(rgb, (x0, y0), mask)


def _background(scene: Scene) -> Image.Image:
    size = (scene.width, scene.height)
    rng = np.random.default_rng(scene.texture_seed)
    base = np.asarray(scene.background, dtype=np.float32)
    if scene.texture == "gradient":
        vertical = rng.random() < 0.5
        ramp = np.linspace(-1, 1, scene.height if vertical else scene.width, dtype=np.float32)
        line = _bytes(base + rng.uniform(-16, 16) * ramp[:, None])  # (side, 3)
        strip = Image.fromarray(line[:, None] if vertical else line[None])
        return strip.resize(size, Image.Resampling.NEAREST)
    canvas = Image.new("RGB", size, scene.background)
    if scene.texture == "noise":
        grain = rng.standard_normal((GRAIN_TILE, GRAIN_TILE, 1)) * rng.uniform(1.5, 5.0)
        tile = Image.fromarray(_bytes(base + grain))
        for y in range(0, scene.height, GRAIN_TILE):
            for x in range(0, scene.width, GRAIN_TILE):
                canvas.paste(tile, (x, y))
    return canvas


def _bytes(values: NDArray[np.floating]) -> Pixels:
    rounded: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded

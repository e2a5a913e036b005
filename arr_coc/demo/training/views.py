"""What a view of a scene shows: dense labels for its tokens, and whether print can be read in it.

Owns the geometry between a scene's ground truth and a view's token grid. Knows nothing of pixels,
questions' wording, or the model.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arr_coc.demo.scenes import COLORS, SHAPES, Scene, SceneObject
from arr_coc.demo.training.network import TOKEN_SIDE
from arr_coc.demo.training.tokenizer import CHARACTERS
from arr_coc.types import Box, Floats, Grid

READABLE = 11.0
UNREADABLE = 8.0
"""Print heights in view pixels: from the first the truth is asked, below the second "unreadable"."""

IGNORE = -100
COVERED, TOUCHED = 0.4, 0.05


@dataclass(frozen=True)
class View:
    """``box`` of a scene (in its pixels) shown on ``grid``."""

    grid: Grid
    box: Box

    @property
    def scale(self) -> float:
        """View pixels a scene pixel, in the direction that is shrunk more."""
        return TOKEN_SIDE * min(self.grid.cols / self.box.width, self.grid.rows / self.box.height)

    def shows(self, box: Box) -> bool:
        return (
            self.box.x0 <= box.x0
            and self.box.y0 <= box.y0
            and box.x1 <= self.box.x1
            and box.y1 <= self.box.y1
        )

    def touches(self, box: Box) -> bool:
        return self.box.x0 < box.x1 and self.box.y0 < box.y1 and box.x0 < self.box.x1 and box.y0 < self.box.y1


@dataclass(frozen=True)
class Labels:
    """``classes``: int64 [tokens, 5] (colour, shape, three glyphs; 0 none, -100 not asked).

    ``place``: float32 [tokens, 3]: x, y in the view of the covering object's centre, and whether
    that centre lies in the token; NaN where not asked.
    """

    classes: NDArray[np.int64]
    place: Floats


def whole(scene: Scene, grid: Grid) -> View:
    """The whole scene on ``grid``."""
    return View(grid, Box(0, 0, scene.width, scene.height))


def legibility(item: SceneObject, views: Iterable[View]) -> bool | None:
    """Can the object's print be read in the best of ``views``? None where it is open."""
    heights = [0.0]
    for view in views:
        if all(view.shows(glyph.box) for glyph in item.glyphs):
            heights.append(item.print_height * view.scale)
        elif (
            any(view.touches(glyph.box) for glyph in item.glyphs)
            and view.scale * item.print_height > UNREADABLE
        ):
            heights.append((READABLE + UNREADABLE) / 2)  # a part of it can be read: neither answer is right
    best = max(heights)
    if best >= READABLE:
        return True
    return False if best < UNREADABLE else None


def tokens_on(view: View, box: Box) -> NDArray[np.bool_]:
    """Which of the view's tokens show a part of ``box``: [tokens]."""
    x0, x1 = ((x - view.box.x0) / view.box.width * view.grid.cols for x in (box.x0, box.x1))
    y0, y1 = ((y - view.box.y0) / view.box.height * view.grid.rows for y in (box.y0, box.y1))
    cols, rows = np.arange(view.grid.cols), np.arange(view.grid.rows)
    across, down = (cols < x1) & (cols + 1 > x0), (rows < y1) & (rows + 1 > y0)
    return (down[:, None] & across[None, :]).reshape(-1)


def label(scene: Scene, view: View) -> Labels:
    """Dense labels of one view."""
    tokens = view.grid.tokens
    classes = np.zeros((tokens, 5), np.int64)
    place = np.full((tokens, 3), np.nan, np.float32)
    place[:, 2] = 0.0
    items = [item for item in scene.objects if view.touches(item.box)]
    if items:
        _label_objects(items, view, classes, place)
        for item in items:
            _label_glyphs(item, view, classes)
    return Labels(classes, place)


def _label_objects(items: list[SceneObject], view: View, classes: NDArray[np.int64], place: Floats) -> None:
    boxes = np.array([item.box.as_tuple() for item in items])  # [objects, 4]
    boxes = (boxes - [view.box.x0, view.box.y0] * 2) / ([view.box.width, view.box.height] * 2)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2  # [objects, (x, y)] in units of the view
    inside_x = _overlap(boxes[:, 0], boxes[:, 2], view.grid.cols)
    inside_y = _overlap(boxes[:, 1], boxes[:, 3], view.grid.rows)
    cover = (inside_y[:, :, None] * inside_x[:, None, :]).reshape(len(items), -1)  # [objects, tokens]
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) * view.grid.tokens
    cover = cover / np.minimum(1.0, area)[:, None]
    best = cover.argmax(0)
    most = cover.max(0)
    kinds = np.array([[1 + COLORS.index(i.color), 1 + SHAPES.index(i.shape)] for i in items])
    covered = most >= COVERED
    classes[covered, :2] = kinds[best[covered]]
    classes[~covered & (most > TOUCHED), :2] = IGNORE
    place[covered, :2] = centres[best[covered]]
    for index, (x, y) in enumerate(centres):
        if 0 <= x < 1 and 0 <= y < 1:
            at = int(y * view.grid.rows) * view.grid.cols + int(x * view.grid.cols)
            classes[at, :2] = kinds[index]
            place[at] = x, y, 1.0


def _overlap(low: NDArray[np.float64], high: NDArray[np.float64], cells: int) -> NDArray[np.float64]:
    """Share of each of ``cells`` equal cells of [0, 1] that each interval covers: [intervals, cells]."""
    edges = np.arange(cells)
    left = np.maximum(low[:, None] * cells, edges)
    right = np.minimum(high[:, None] * cells, edges + 1)
    share: NDArray[np.float64] = np.clip(right - left, 0.0, 1.0)
    return share


def _label_glyphs(item: SceneObject, view: View, classes: NDArray[np.int64]) -> None:
    height = item.print_height * view.scale
    for index, glyph in enumerate(item.glyphs):
        x = ((glyph.box.x0 + glyph.box.x1) / 2 - view.box.x0) / view.box.width
        y = ((glyph.box.y0 + glyph.box.y1) / 2 - view.box.y0) / view.box.height
        if not (0 <= x < 1 and 0 <= y < 1):
            continue
        at = int(y * view.grid.rows) * view.grid.cols + int(x * view.grid.cols)
        clear = height >= (READABLE + UNREADABLE) / 2 and view.shows(glyph.box)
        if clear:
            classes[at, 2 + index] = 1 + CHARACTERS.index(glyph.char)
        elif classes[at, 2 + index] == 0:
            classes[at, 2:] = IGNORE

"""What could be looked at again: every candidate at every level of detail, its cost and its worth.

Owns the worth of patches, and which of them compete for one place. Pure numpy: knows nothing of budgets.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arr_coc.candidates import Boxes, Map, candidates, integral, mass
from arr_coc.foveation import LEAST_ZOOM
from arr_coc.shapes import shapes_beside
from arr_coc.types import Box, Grid

SAME_PLACE = 0.3  # overlap, in shares of the smaller box, from which two candidates compete
MAX_PLACES = 16
REACH = 1.5  # overview cells along a patch, at least: a map does not tell where in a cell its maximum lies
VALUE_UNIT = 1e-6  # values are compared as whole multiples of it


@dataclass(frozen=True, slots=True)
class Frame:
    """How cells, pixels and tokens of one picture relate."""

    width: int  # upright pixels
    height: int
    grid: Grid  # of the overview
    side: int  # pixels along a cell
    detail: float  # pixels that the source has for each upright pixel, at most 1

    @property
    def cell(self) -> tuple[float, float]:
        """Height and width of an overview cell in upright pixels."""
        return self.height / self.grid.rows, self.width / self.grid.cols

    @property
    def overview_scale(self) -> float:
        """Overview pixels for each upright pixel, along a side."""
        return math.sqrt(self.grid.cells * self.side**2 / (self.width * self.height))


@dataclass(frozen=True, slots=True)
class Offer:
    """A box at a level of detail. It costs ``grid.tokens``; ``units`` of ``VALUE_UNIT`` are its worth."""

    box: Box
    grid: Grid
    units: int

    @property
    def value(self) -> float:
        return self.units * VALUE_UNIT


def offers(worth: Map, frame: Frame, crop_price: float) -> list[list[Offer]]:
    """Place by place, the offers that none there beats at its cost; cheapest first, all worth their price.

    ``worth`` ``[rows, cols]`` is what looking closer at each cell would bring. At most one offer of a
    place may be taken; values of different places add up.
    """
    smallest = shapes_beside(frame.grid).smallest * frame.side / frame.detail
    found = candidates(worth, (max(smallest / frame.cell[0], REACH), max(smallest / frame.cell[1], REACH)))
    if not len(found):
        return []
    options = _options(found, frame)
    units, place = _units(options, worth, frame, crop_price)
    frontiers = [_frontier(options, units, place == p) for p in range(place.max() + 1)]
    return [frontier for frontier in frontiers if frontier]


@dataclass(frozen=True, slots=True)
class _Options:
    """Every candidate at every level, arrays ``[K, levels]``."""

    boxes: Boxes  # [K, levels, 4] whole pixels, y0 x0 y1 x1
    rows: NDArray[np.int64]
    cols: NDArray[np.int64]
    possible: NDArray[np.bool_]
    zoom: NDArray[np.float64]  # linear, over the overview
    queries: int | None  # visual tokens of each, where they are not its cells

    @property
    def cost(self) -> NDArray[np.int64]:
        return self.rows * self.cols if self.queries is None else np.full_like(self.rows, self.queries)


def _options(found: Boxes, frame: Frame) -> _Options:
    """Grow each candidate to its grids' aspect, to ``REACH``, and so that no patch has more pixels than its
    source."""
    shapes = shapes_beside(frame.grid)
    scaled = found * np.array(frame.cell * 2)
    height, width = np.maximum(scaled[:, 2:] - scaled[:, :2], REACH * np.array(frame.cell)).T
    middle_y, middle_x = (scaled[:, 2:] + scaled[:, :2]).T / 2
    smallest = shapes.smallest * frame.side / frame.detail
    aspect = np.log(np.maximum(width, smallest) / np.maximum(height, smallest))
    nearest = np.abs(aspect[:, None] - np.log(shapes.aspects)).argmin(axis=1)
    rows, cols = np.moveaxis(shapes.grids[nearest], -1, 0)  # [K, levels]
    least = cols * frame.side / frame.detail
    across = np.maximum(np.maximum(width[:, None], height[:, None] * cols / rows), least)
    across = np.minimum(np.minimum(across, frame.width), frame.height * cols / rows)
    possible = across >= least
    wide, high = np.ceil(across - 1e-6), np.ceil(across * rows / cols - 1e-6)
    x0 = np.clip(np.round(middle_x[:, None] - wide / 2), 0, np.maximum(frame.width - wide, 0))
    y0 = np.clip(np.round(middle_y[:, None] - high / 2), 0, np.maximum(frame.height - high, 0))
    zoom = np.sqrt(rows * cols * frame.side**2 / (wide * high)) / frame.overview_scale
    boxes = np.stack([y0, x0, y0 + high, x0 + wide], axis=-1)
    return _Options(boxes, rows, cols, possible, zoom, frame.grid.queries)


def _units(
    options: _Options, worth: Map, frame: Frame, crop_price: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Worth ``[K, levels]`` of every option in units, and the place ``[K]`` it competes for.

    What better places hold is not counted again, so that values add up across places.
    """
    cells = options.boxes / np.array(frame.cell * 2)
    restored = np.log2(np.maximum(options.zoom, 1)) / math.log2(
        max(frame.detail / frame.overview_scale, LEAST_ZOOM)
    )
    restored = np.where(options.possible & (options.zoom >= LEAST_ZOOM), np.minimum(restored, 1), 0)
    alone = mass(integral(worth), cells) * restored
    place, leaders = _places(options.boxes[:, 0], alone[:, 0])
    owned = integral(_owned(worth, cells[leaders, 0]))
    values = mass(owned, cells, np.maximum(place, 0)[:, None]) * restored - crop_price
    return np.round(values / VALUE_UNIT).astype(np.int64), place


def _places(boxes: Boxes, value: NDArray[np.float64]) -> tuple[NDArray[np.int64], list[int]]:
    """Group overlapping candidates around the most valuable: the place of each (-1: none), the leaders."""
    place = np.full(len(boxes), -1)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    leaders: list[int] = []
    for index in np.argsort(-value.round(9), kind="stable").tolist():
        if place[index] < 0 and len(leaders) < MAX_PLACES:
            same = _overlaps(boxes, area, index) > SAME_PLACE
            place[same & (place < 0)] = len(leaders)
            leaders.append(index)
    return place, leaders


def _overlaps(boxes: Boxes, area: NDArray[np.float64], index: int) -> NDArray[np.float64]:
    """Area ``[K]`` that each box shares with the box at ``index``, over the smaller one's."""
    low = np.maximum(boxes[:, :2], boxes[index, :2])
    high = np.minimum(boxes[:, 2:], boxes[index, 2:])
    shared = np.maximum(high - low, 0).prod(axis=1)
    return np.asarray(shared / np.minimum(area, area[index]))


def _owned(worth: Map, leaders: Boxes) -> Map:
    """Each place's own share of the map ``[places, rows, cols]``: every cell belongs to just one.

    To the best place whose leader holds its middle, else to the one whose leader is nearest.
    """
    rows, cols = worth.shape
    y, x = np.arange(rows)[:, None] + 0.5, np.arange(cols) + 0.5
    y0, x0, y1, x1 = leaders.T[:, :, None, None]
    away = np.hypot(np.maximum(np.maximum(y0 - y, y - y1), 0), np.maximum(np.maximum(x0 - x, x - x1), 0))
    owner = away.round(6).argmin(axis=0)  # [rows, cols]; inside is no distance at all
    return np.asarray(worth * (owner == np.arange(len(leaders))[:, None, None]))


def _frontier(options: _Options, units: NDArray[np.int64], here: NDArray[np.bool_]) -> list[Offer]:
    """The offers of one place that none beats at its cost, cheapest first."""
    candidate, level = ((units > 0) & here[:, None]).nonzero()
    worth = units[candidate, level]
    order = np.lexsort((-worth, options.cost[candidate, level]))
    ahead = np.maximum.accumulate(np.concatenate([[0], worth[order][:-1]]))[: len(order)]
    best = order[worth[order] > ahead]
    return [
        _offer(options, (k, n), int(units[k, n])) for k, n in zip(candidate[best], level[best], strict=True)
    ]


def _offer(options: _Options, at: tuple[int, int], units: int) -> Offer:
    y0, x0, y1, x1 = options.boxes[at].tolist()
    grid = Grid(int(options.rows[at]), int(options.cols[at]), options.queries)
    return Offer(Box(x0, y0, x1, y1), grid, units)

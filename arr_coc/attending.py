"""Which patches are looked at again, and with how many tokens each.

Owns the balance of the three ways of knowing, the worth of a patch, and the choice of patches
under a token budget, which is exact. Pure numpy: knows nothing of models or tensors.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arr_coc.candidates import Boxes, Map, candidates, integral, mass
from arr_coc.foveation import LEAST_ZOOM, MAX_PATCH_TOKENS, MIN_PATCH_TOKENS
from arr_coc.knapsack import knapsack
from arr_coc.profile import ModelProfile
from arr_coc.types import Balance, Box, Floats, Grid

LEVELS = (8, 10, 12, 14, 16, 18, 20)  # a patch costs about the square of its level
ASPECTS = (1.0, 4 / 3, 3 / 4, 2.0, 1 / 2)  # width over height; few, so that the tower's shapes repeat
SAME_PLACE = 0.3  # overlap, in shares of the smaller box, from which two candidates compete
MAX_PLACES = 16
TRUST = 0.8  # what certainty adds to a question's weight
VALUE_UNIT = 1e-6  # values are compared as whole multiples of it


@dataclass(frozen=True, slots=True)
class Frame:
    """How cells, pixels and tokens of one picture relate."""

    width: int  # upright pixels
    height: int
    grid: Grid  # of the overview
    side: int  # pixels along a token
    detail: float  # pixels that the source has for each upright pixel, at most 1

    @property
    def cell(self) -> tuple[float, float]:
        """Height and width of an overview cell in upright pixels."""
        return self.height / self.grid.rows, self.width / self.grid.cols

    @property
    def overview_scale(self) -> float:
        """Overview pixels for each upright pixel, along a side."""
        return math.sqrt(self.grid.tokens * self.side**2 / (self.width * self.height))


@dataclass(frozen=True, slots=True)
class Look:
    """A chosen box at a chosen level of detail."""

    box: Box
    grid: Grid
    value: float


def balance(participatory: Floats, least: float = 0.5, most: float = 0.9) -> Balance:
    """Weigh the ways of knowing by how sure the question is of its place.

    The more concentrated the map ``[rows, cols]``, the more it counts: ``least`` where it is flat,
    ``most`` where it points at one place, nothing where nothing was asked.
    """
    total = float(participatory.sum())
    if total <= 0:
        return Balance(propositional=0.5, perspectival=0.5, participatory=0.0)
    q = participatory.ravel() / total
    entropy = -float((q * np.log(np.where(q > 0, q, 1))).sum())
    certainty = 1 - entropy / math.log(max(q.size, 2))
    asked = min(max(least + TRUST * certainty, least), most)
    return Balance(propositional=(1 - asked) / 2, perspectival=(1 - asked) / 2, participatory=asked)


class TokenAllocator:
    """Spends visual tokens on the patches that promise most. Deterministic; one picture at a time."""

    def __init__(self, profile: ModelProfile) -> None:
        self._max_patches = profile.max_patches
        self._crop_price = profile.crop_price

    def allocate(self, relevance: Floats, lost_detail: Floats, frame: Frame, budget: int) -> list[Look]:
        """Choose what to look at again, best first, for at most ``budget`` visual tokens.

        ``relevance`` and ``lost_detail`` are ``[rows, cols]`` over the overview. What a patch is
        worth: its share of the worth of all cells, times the share of the missing zoom it restores,
        less the price of a crop.
        """
        worth = worth_of_cells(relevance, lost_detail)
        smallest = LEVELS[0] * frame.side / frame.detail
        found = candidates(worth, (smallest / frame.cell[0], smallest / frame.cell[1]))
        if not len(found):
            return []
        options = _options(found, frame)
        values, place = _values(options, worth, frame, self._crop_price)
        groups = [_frontier(options.cost, values, place == p) for p in range(place.max() + 1)]
        budget = min(budget, self._max_patches * MAX_PATCH_TOKENS)
        chosen = knapsack([[(o.cost, o.value) for o in group] for group in groups], budget, self._max_patches)
        looks = [options.look(groups[p][o].index, groups[p][o].value * VALUE_UNIT) for p, o in chosen]
        return sorted(looks, key=lambda look: -look.value)


def worth_of_cells(relevance: Floats, lost_detail: Floats) -> Map:
    """What looking closer at each cell would bring, in shares: ``[rows, cols]``, at most one in all.

    Relevance counts squared, so that a map's diffuse rest does not add up to more than the place it
    points at; lost detail as its root, so that busy places do not outbid faint print.
    """
    score = relevance.astype(np.float64) ** 2
    return np.asarray(score * np.sqrt(lost_detail) / max(float(score.sum()), 1e-9))


@dataclass(frozen=True, slots=True)
class _Option:
    index: tuple[int, int]  # candidate, level
    cost: int
    value: int


@dataclass(frozen=True, slots=True)
class _Options:
    """Every candidate at every level, arrays ``[K, levels]``."""

    boxes: Boxes  # [K, levels, 4] whole pixels, y0 x0 y1 x1
    rows: NDArray[np.int64]
    cols: NDArray[np.int64]
    possible: NDArray[np.bool_]
    zoom: NDArray[np.float64]  # linear, over the overview

    @property
    def cost(self) -> NDArray[np.int64]:
        return self.rows * self.cols

    def look(self, index: tuple[int, int], value: float) -> Look:
        y0, x0, y1, x1 = self.boxes[index].tolist()
        return Look(Box(x0, y0, x1, y1), Grid(int(self.rows[index]), int(self.cols[index])), value)


def _level_grid(level: int, aspect: float) -> tuple[int, int]:
    rows = round(level / math.sqrt(aspect))
    cols = max(round(level * math.sqrt(aspect)), math.ceil(MIN_PATCH_TOKENS / rows))
    assert MIN_PATCH_TOKENS <= rows * cols <= MAX_PATCH_TOKENS
    return rows, cols


_GRIDS = np.array(
    [[_level_grid(level, aspect) for level in LEVELS] for aspect in ASPECTS]
)  # [aspects, levels, 2]


def _options(found: Boxes, frame: Frame) -> _Options:
    """Grow each candidate to its grids' aspect, and so that no patch has more pixels than its source."""
    scaled = found * np.array(frame.cell * 2)
    height, width = (scaled[:, 2:] - scaled[:, :2]).T
    middle_y, middle_x = (scaled[:, 2:] + scaled[:, :2]).T / 2
    smallest = LEVELS[0] * frame.side / frame.detail
    aspect = np.log(np.maximum(width, smallest) / np.maximum(height, smallest))
    nearest = np.abs(aspect[:, None] - np.log(ASPECTS)).argmin(axis=1)
    rows, cols = np.moveaxis(_GRIDS[nearest], -1, 0)  # [K, levels]
    least = cols * frame.side / frame.detail
    across = np.maximum(np.maximum(width[:, None], height[:, None] * cols / rows), least)
    across = np.minimum(np.minimum(across, frame.width), frame.height * cols / rows)
    possible = across >= least
    wide, high = np.ceil(across - 1e-6), np.ceil(across * rows / cols - 1e-6)
    x0 = np.clip(np.round(middle_x[:, None] - wide / 2), 0, np.maximum(frame.width - wide, 0))
    y0 = np.clip(np.round(middle_y[:, None] - high / 2), 0, np.maximum(frame.height - high, 0))
    zoom = np.sqrt(rows * cols * frame.side**2 / (wide * high)) / frame.overview_scale
    return _Options(np.stack([y0, x0, y0 + high, x0 + wide], axis=-1), rows, cols, possible, zoom)


def _values(
    options: _Options, worth: Map, frame: Frame, crop_price: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Value ``[K, levels]`` of every option in units, and the place ``[K]`` it competes for.

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
    overlap = _overlaps(boxes) > SAME_PLACE
    place = np.full(len(boxes), -1)
    leaders: list[int] = []
    for index in np.argsort(-value.round(9), kind="stable").tolist():
        if place[index] < 0 and len(leaders) < MAX_PLACES:
            place[overlap[index] & (place < 0)] = len(leaders)
            leaders.append(index)
    return place, leaders


def _overlaps(boxes: Boxes) -> NDArray[np.float64]:
    """Shared area of each two boxes over the smaller one's: ``[K, K]``."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=-1)
    shared = np.maximum(high - low, 0).prod(axis=-1)
    return np.asarray(shared / np.minimum(area[:, None], area))


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


def _frontier(cost: NDArray[np.int64], value: NDArray[np.int64], here: NDArray[np.bool_]) -> list[_Option]:
    """The options of one place that none beats at its price, cheapest first."""
    candidate, level = ((value > 0) & here[:, None]).nonzero()
    options = [
        _Option((k, n), int(cost[k, n]), int(value[k, n]))
        for k, n in zip(candidate.tolist(), level.tolist(), strict=True)
    ]
    frontier: list[_Option] = []
    for option in sorted(options, key=lambda o: (o.cost, -o.value)):
        if not frontier or option.value > frontier[-1].value:
            frontier.append(option)
    return frontier

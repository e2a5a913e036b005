"""Batches: rendered views, their dense labels, and packed question-answer turns.

Owns what each training step is made of. A batch depends on its number alone, so that a resumed
run sees what an unbroken one would have seen. Knows nothing of the model.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arr_coc.demo.scenes import FIRST_HELD_OUT_SEED, Scene, render
from arr_coc.demo.training.geometry import CATALOGUE, Geometry, patch_view, scene_for, views_of
from arr_coc.demo.training.network import TOKEN_SIDE
from arr_coc.demo.training.sheets import sheet
from arr_coc.demo.training.tokenizer import IM_END, IMAGE, PAD, TurnEncoder, TurnIds
from arr_coc.demo.training.turns import PRINT_KINDS, Turn, sample_turns
from arr_coc.demo.training.views import Labels, View, label, tokens_on
from arr_coc.foveation import view as cut
from arr_coc.types import Floats, Grid, Pixels

TRAINED_SEEDS = range(FIRST_HELD_OUT_SEED)
HELD_OUT_SEEDS = range(FIRST_HELD_OUT_SEED, 2 * FIRST_HELD_OUT_SEED)
JOINT_TOKENS = 2000
VISION_TOKENS = 4096
ROUTES = {"small": 0.35, "native": 0.29, "zoom": 0.26, "overview": 0.1}
TEXT_PIECES = 320
"""Pieces of turns a sample. All batches of a geometry have one shape: the CPU's matrix kernels are compiled
for a shape when it first comes, which costs as much as the step itself."""

SHEETS_SHARE = 0.7
"""Of the tower's own pictures; the rest are scenes. Sheets show many times more glyphs."""

VISION_GRIDS = (Grid(8, 8), Grid(6, 11), Grid(11, 6), Grid(7, 9), Grid(9, 7), Grid(12, 12))

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Turns:
    """Turns of all samples, one after another, padded: ids, turn, offset, targets, weights [batch, text].

    ``opening`` [prefix] is shared. ``weights`` is above 0 where the next piece belongs to an answer.
    ``mention_at`` [mentions, 2] are (row, column) of phrases' last pieces, ``mention_xy`` [mentions, 2]
    where in the scene (0..1) they point. ``point_at`` [points, 2] are (row, column) of the pieces that an
    answer to be seen in one place is given after, ``point_on`` [points, prefix] where that place is. ``kinds`` names the kind of each turn of each sample.
    """

    opening: Ids
    ids: Ids
    turn: Ids
    offset: Ids
    targets: Ids
    weights: Floats
    mention_at: Ids
    mention_xy: Floats
    point_at: Ids
    point_on: NDArray[np.bool_]
    kinds: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Batch:
    """Samples of one geometry: per view its grid, pixels uint8 [batch, height, width, 3] and labels."""

    grids: tuple[Grid, ...]
    pixels: tuple[Pixels, ...]
    labels: tuple[Labels, ...]
    turns: Turns | None


def vision_batch(rng: random.Random) -> Batch:
    """Views for the tower alone: sheets, scenes and crops on one grid."""
    grid = rng.choices(VISION_GRIDS, (0.6, 0.08, 0.08, 0.08, 0.08, 0.08))[0]
    wanted = VISION_TOKENS // grid.tokens
    shown: list[tuple[Pixels, Labels]] = []
    while len(shown) < wanted:
        scene, views = _sheet_views(rng, grid) if rng.random() < SHEETS_SHARE else _scene_views(rng, grid)
        picture = render(scene)
        shown += [(cut(picture, v.grid, TOKEN_SIDE, v.box), label(scene, v)) for v in views]
    return Batch((grid,), *_stacked([shown[:wanted]]), None)


def _sheet_views(rng: random.Random, grid: Grid) -> tuple[Scene, list[View]]:
    scene = sheet(rng, round(grid.cols * TOKEN_SIDE * 1.25), round(grid.rows * TOKEN_SIDE * 1.25))
    return scene, [patch_view(rng, scene, grid, 0.8) for _ in range(2)]


def _scene_views(rng: random.Random, grid: Grid) -> tuple[Scene, list[View]]:
    from arr_coc.demo.sampling import sample_scene

    size = rng.choice((256, 256, 320, 384, 448, 512, 640, 768))
    while True:
        scene = sample_scene(rng.randrange(FIRST_HELD_OUT_SEED), size=size)
        if grid.cols * TOKEN_SIDE <= scene.width and grid.rows * TOKEN_SIDE <= scene.height:
            views = 1 if size == 256 else 2
            return scene, [patch_view(rng, scene, grid, 0.45) for _ in range(views)]
        size = min(1024, size + 64)


def reading_batch(rng: random.Random, encoder: TurnEncoder) -> Batch:
    """Small pictures with questions."""
    return batch_of(rng, encoder, rng.choice(CATALOGUE["small"]), TRAINED_SEEDS)


def joint_batch(rng: random.Random, encoder: TurnEncoder, seeds: range = TRAINED_SEEDS) -> Batch:
    """Pictures with questions, as the server would show them."""
    route = rng.choices(tuple(ROUTES), tuple(ROUTES.values()))[0]
    return batch_of(rng, encoder, rng.choice(CATALOGUE[route]), seeds)


def batch_of(
    rng: random.Random, encoder: TurnEncoder, geometry: Geometry, seeds: range, samples: int | None = None
) -> Batch:
    """As many samples of one geometry as the token budget allows, at least two."""
    shown: list[list[tuple[Pixels, Labels]]] = [[] for _ in geometry.grids]
    asked: list[list[tuple[Turn, TurnIds]]] = []
    looked: list[list[View]] = []
    for _ in range(samples or min(24, max(2, round(JOINT_TOKENS / geometry.tokens)))):
        scene = scene_for(rng, geometry, seeds)
        views = views_of(rng, scene, geometry)
        picture = render(scene)
        for place, view in zip(shown, views, strict=True):
            place.append((cut(picture, view.grid, TOKEN_SIDE, view.box), label(scene, view)))
        looked.append(views)
        asked.append(fill(sample_turns(rng, scene, views), encoder))
    opening = encoder.opening(grid.tokens for grid in geometry.grids)
    return Batch(geometry.grids, *_stacked(shown), pack(opening, asked, looked))


def _stacked(
    shown: Sequence[Sequence[tuple[Pixels, Labels]]],
) -> tuple[tuple[Pixels, ...], tuple[Labels, ...]]:
    pixels = tuple(np.stack([pixels for pixels, _ in place]) for place in shown)
    labels = tuple(
        Labels(np.stack([one.classes for _, one in place]), np.stack([one.place for _, one in place]))
        for place in shown
    )
    return pixels, labels


def fill(turns: Iterator[Turn], encoder: TurnEncoder) -> list[tuple[Turn, TurnIds]]:
    """Turns up to the first that does not fit into TEXT_PIECES any more."""
    left, filled = TEXT_PIECES, []
    for turn in turns:
        piece = encoder.turn(turn.question, turn.answer, turn.mentions)
        left -= len(piece.ids)
        if left < 0:
            break
        filled.append((turn, piece))
    return filled


def pack(
    opening: Sequence[int],
    asked: Sequence[Sequence[tuple[Turn, TurnIds]]],
    looked: Sequence[Sequence[View]],
) -> Turns:
    """Lay each sample's turns end to end."""
    shape = (len(asked), TEXT_PIECES)
    ids, turn, offset = (np.full(shape, value, np.int64) for value in (PAD, -1, 0))
    targets, weights = np.zeros(shape, np.int64), np.zeros(shape, np.float32)
    mention_at: list[tuple[int, int]] = []
    point_at: list[tuple[int, int]] = []
    point_on: list[NDArray[np.bool_]] = []
    for row, turns in enumerate(asked):
        at = 0
        for index, (one, piece) in enumerate(turns):
            span = slice(at, at + len(piece.ids))
            ids[row, span], turn[row, span], offset[row, span] = piece.ids, index, range(len(piece.ids))
            targets[row, span] = (*piece.ids[1:], IM_END)
            weights[row, at + piece.answer_start - 1 : span.stop - 1] = one.weight / _answer_length(piece)
            mention_at += [(row, at + end) for end in piece.mention_ends]
            if one.asked is not None:
                on = np.zeros(len(opening), np.bool_)
                on[np.array(opening) == IMAGE] = np.concatenate(
                    [tokens_on(v, one.asked) for v in looked[row]]
                )
                last = span.stop - 2 if one.kind in PRINT_KINDS else at + piece.answer_start - 1
                points = range(at + piece.answer_start - 1, last + 1)
                point_at += [(row, column) for column in points]
                point_on += [on] * len(points)
            at = span.stop
    places = [xy for turns in asked for one, _ in turns for xy in one.places]
    return Turns(
        opening=np.array(opening, np.int64), ids=ids, turn=turn, offset=offset, targets=targets, weights=weights,
        mention_at=np.array(mention_at, np.int64).reshape(-1, 2),
        mention_xy=np.array(places, np.float32).reshape(-1, 2),
        point_at=np.array(point_at, np.int64).reshape(-1, 2),
        point_on=np.array(point_on, np.bool_).reshape(-1, len(opening)),
        kinds=tuple(tuple(one.kind for one, _ in turns) for turns in asked),
    )  # fmt: skip


def _answer_length(piece: TurnIds) -> int:
    return len(piece.ids) - piece.answer_start

"""Sheets: rows of small shapes with labels, which teach the vision tower alone.

Owns their layout. Their letters are nearly all random, so that glyphs are learned and not words.
"""

import random
from dataclasses import replace

from arr_coc.demo import sampling
from arr_coc.demo.drawing import shape_points
from arr_coc.demo.lettering import cap_height, pixels_for
from arr_coc.demo.scenes import COLORS, SHAPES, Scene, SceneObject
from arr_coc.demo.words import COMMON_WORDS
from arr_coc.types import Box

LEAST_PRINT = 11.0
NUMBERS_SHARE = 0.3
RANDOM_LETTERS = 0.9


def sheet(rng: random.Random, width: int, height: int) -> Scene:
    """A scene of labelled shapes on a loose lattice of cells of 52-128 px."""
    cell = rng.choice((52, 60, 64, 72, 85, 96, 128))
    cols, rows = max(1, width // cell), max(1, height // cell)
    wide, high = width / cols, height / rows
    items = [
        _in_cell(rng, (c * wide, r * high), (wide, high))
        for r in range(rows)
        for c in range(cols)
        if rng.random() < 0.9
    ]
    return Scene(
        width=width,
        height=height,
        background=sampling._background(rng),
        objects=tuple(items),
        texture=rng.choice(("plain", "plain", "gradient", "noise")),
        texture_seed=rng.getrandbits(32),
    )


def _in_cell(rng: random.Random, corner: tuple[float, float], cell: tuple[float, float]) -> SceneObject:
    room = 0.94 * min(cell)
    thing = sampling._bare(rng, rng.choice(SHAPES), rng.choice(COLORS), room * rng.uniform(0.6, 1.0))
    if rng.random() < 0.9:
        thing = _labelled(rng, thing, room)
    slack = [max(0.0, side - thing.across) / 2 for side in cell]
    x, y = (low + side / 2 + rng.uniform(-s, s) for low, side, s in zip(corner, cell, slack, strict=True))
    return _at(thing, x, y)


def _labelled(rng: random.Random, thing: SceneObject, room: float) -> SceneObject:
    text = str(rng.randint(10, 99)) if rng.random() < NUMBERS_SHARE else _letters(rng)
    plate = rng.random() < 0.65
    need = sampling._across_per_height(thing, text, plate)
    tallest = min(34.0, room / need)
    if tallest < LEAST_PRINT:
        return thing
    pixels = pixels_for(rng.uniform(LEAST_PRINT, tallest))
    shade = rng.randint(232, 255)
    return replace(
        thing,
        print=text,
        font_pixels=pixels,
        print_height=cap_height(pixels),
        across=max(thing.across, need * cap_height(pixels)),
        ink=sampling._ink(rng, thing.color, plate),
        plate=(shade, shade, shade) if plate else None,
    )


def _letters(rng: random.Random) -> str:
    if rng.random() < RANDOM_LETTERS:
        return "".join(rng.choices(sampling.LETTERS, k=3))
    return rng.choice(COMMON_WORDS)


def _at(thing: SceneObject, x: float, y: float) -> SceneObject:
    points = shape_points(thing.shape, (x, y), thing.across, thing.angle)
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    moved = replace(thing, center=(x, y), box=Box(min(xs), min(ys), max(xs), max(ys)))
    return replace(moved, glyphs=sampling._glyphs(moved)) if moved.print else moved

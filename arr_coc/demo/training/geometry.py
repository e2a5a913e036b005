"""Which views a batch shows: native pictures, overviews, and patches as the server cuts them.

Owns the distribution of sizes, grids, scales and places. Knows nothing of questions or tensors.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from math import exp, log, sqrt

from arr_coc.demo import sampling
from arr_coc.demo.scenes import Scene
from arr_coc.demo.training.network import TOKEN_SIDE
from arr_coc.demo.training.views import View, whole
from arr_coc.foveation import MAX_PATCH_TOKENS, MIN_PATCH_TOKENS, fit_grid, native_grid
from arr_coc.types import Box, Grid

ASPECTS = (1.0, 4 / 3, 3 / 4, 2.0, 1 / 2)
SMALL_TOKENS = 150
LEAST_ZOOM = 1.25
"""A patch shows its box at least this much larger than the overview does."""


@dataclass(frozen=True)
class Geometry:
    """What all samples of a batch share: the scene's sides and the views' grids (the whole scene first)."""

    size: int
    fine: bool
    sides: tuple[int, int]
    first: Grid
    patches: tuple[Grid, ...]

    @property
    def grids(self) -> tuple[Grid, ...]:
        return (self.first, *self.patches)

    @property
    def tokens(self) -> int:
        return sum(grid.tokens for grid in self.grids)


def native(rng: random.Random) -> Geometry:
    """The picture at its own resolution, 64-1,024 tokens."""
    low, high = rng.choices(((256, 544), (544, 800), (800, 1024)), (0.55, 0.28, 0.17))[0]
    size = rng.randrange(low, high + 1, 32)
    sides = _sides(rng.randrange(1 << 30), size, False)
    return Geometry(size, False, sides, native_grid(*sides, TOKEN_SIDE), ())


def overview(rng: random.Random, patches: int) -> Geometry:
    """A shrunken picture and ``patches`` patches."""
    while True:
        size = rng.choices(
            (rng.randrange(448, 1024, 32), 1024, rng.randrange(1088, 2049, 64)), (0.45, 0.3, 0.25)
        )[0]
        fine = rng.random() < 0.2
        sides = _sides(rng.randrange(1 << 30), size, fine)
        first = fit_grid(*sides, rng.choices((64, 100, 144, 196, 256), (0.1, 0.1, 0.45, 0.1, 0.25))[0])
        shrunk = TOKEN_SIDE * first.cols / sides[0]
        if LEAST_ZOOM * shrunk > 1:
            continue
        grids = tuple(patch_grid(rng) for _ in range(patches))
        if all(g.cols * TOKEN_SIDE <= sides[0] and g.rows * TOKEN_SIDE <= sides[1] for g in grids):
            return Geometry(size, fine, sides, first, grids)


def patch_grid(rng: random.Random) -> Grid:
    """64-400 tokens, mostly 64-144, in one of the server's aspects."""
    while True:
        tokens = rng.choices((64, 80, 100, 144, rng.randrange(150, 401)), (0.5, 0.1, 0.13, 0.14, 0.13))[0]
        aspect = rng.choices(ASPECTS, (0.5, 0.15, 0.15, 0.1, 0.1))[0]
        grid = Grid(round(sqrt(tokens / aspect)), round(sqrt(tokens * aspect)))
        if MIN_PATCH_TOKENS <= grid.tokens <= MAX_PATCH_TOKENS:
            return grid


def scene_for(rng: random.Random, geometry: Geometry, seeds: range) -> Scene:
    """A scene with the geometry's sides."""
    while True:
        seed = rng.randrange(seeds.start, seeds.stop)
        if _sides(seed, geometry.size, geometry.fine) == geometry.sides:
            return sampling.sample_scene(seed, size=geometry.size, fine=geometry.fine)


def views_of(rng: random.Random, scene: Scene, geometry: Geometry) -> list[View]:
    """The whole scene, then one patch a grid."""
    first = whole(scene, geometry.first)
    least = LEAST_ZOOM * first.scale if geometry.patches else 1.0
    return [first, *(patch_view(rng, scene, grid, least) for grid in geometry.patches)]


def patch_view(rng: random.Random, scene: Scene, grid: Grid, least: float) -> View:
    """A patch at a scale of ``least`` to 1: mostly around an object, preferring print, sometimes anywhere."""
    width, height = float(grid.cols * TOKEN_SIDE), float(grid.rows * TOKEN_SIDE)
    least = min(1.0, max(least, width / scene.width, height / scene.height))
    scale = 1.0 if rng.random() < 0.6 else exp(rng.uniform(log(least), 0.0))
    width, height = width / scale, height / scale
    x, y = rng.uniform(0, scene.width - width), rng.uniform(0, scene.height - height)
    if rng.random() < 0.85 and scene.objects:
        printed = [item for item in scene.objects if item.print]
        item = rng.choice(printed if printed and rng.random() < 0.8 else scene.objects)
        x = _around(rng, item.box.x0, item.box.x1, width, scene.width)
        y = _around(rng, item.box.y0, item.box.y1, height, scene.height)
    return View(grid, Box(x, y, x + width, y + height))


def _around(rng: random.Random, low: float, high: float, length: float, limit: float) -> float:
    """Where an interval of ``length`` starts that holds [low, high] where it can, inside [0, limit]."""
    start = rng.uniform(*sorted((high - length, low)))
    return min(max(0.0, start), limit - length)


def _sides(seed: int, size: int, fine: bool) -> tuple[int, int]:
    return sampling._sides(random.Random(f"scene {seed} {size} {fine}"), size)


def _catalogue() -> dict[str, list[Geometry]]:
    """Fixed choices a route: enough for the model to meet all kinds, few enough for shapes to come again."""
    rng = random.Random("geometries")
    zooms = [overview(rng, patches) for patches in (1, 1, 1, 1, 2, 2, 3, 4) * 4]
    return {
        "native": [native(rng) for _ in range(30)],
        "zoom": zooms,
        "overview": [overview(rng, 0) for _ in range(12)],
        "small": [*_small(rng, native, 9), *_small(rng, lambda rng: overview(rng, 0), 5)],
    }


def _small(rng: random.Random, draw: Callable[[random.Random], Geometry], count: int) -> list[Geometry]:
    """Geometries of at most SMALL_TOKENS, to learn on: many pictures, hence many questions, a step."""
    drawn = (draw(rng) for _ in range(1000))
    return list(islice((geometry for geometry in drawn if geometry.tokens <= SMALL_TOKENS), count))


CATALOGUE = _catalogue()

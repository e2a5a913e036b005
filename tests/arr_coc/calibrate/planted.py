"""Sights of real scenes whose attention is made up, so that what calibration should find is known."""

import io
from functools import cache

import numpy as np

from arr_coc.calibrate.seeing import LOCALISING, Sight, within
from arr_coc.decoding import PictureLimits
from arr_coc.demo.scenes import questions, render, sample_scene
from arr_coc.profile import ModelProfile, Tier
from arr_coc.texture import TextureEncoder

PROFILE = ModelProfile(
    direct_max_tokens=100,
    native_max_tokens=400,
    max_budget=400,
    tiers=(Tier(from_native_tokens=0, overview_tokens=100, total_tokens=200),),
)
LAYERS, HEADS = 4, 3
GOOD, WIDE, SINK_HEAD = (2, 1), (3, 0), (1, 2)


@cache
def sights(scenes: int = 12, sink: float = 0.0) -> list[Sight]:
    """Noise everywhere, but head GOOD looks at the asked object, WIDE at it and all around.

    With ``sink`` a cell of nothing draws that share of the attention of GOOD, and all of SINK_HEAD's.
    """
    rng = np.random.default_rng(0)
    return [sight for seed in range(scenes) for sight in _of_scene(700_000 + seed, rng, sink)]


def _of_scene(seed: int, rng: np.random.Generator, sink: float) -> list[Sight]:
    scene = sample_scene(seed, size=512)
    file = io.BytesIO()
    render(scene).save(file, "PNG")
    picture = TextureEncoder(PROFILE, PictureLimits()).encode(file.getvalue(), None)
    empty = ~np.any([within(picture, thing.box) for thing in scene.objects], axis=0)
    noise = rng.exponential(1, picture.grid.tokens)
    made = []
    for question in questions(scene, seed):
        inside = within(picture, question.box)
        if question.kind not in LOCALISING or not inside.any() or picture.source is None:
            continue
        maps = rng.exponential(1, (LAYERS, HEADS, picture.grid.tokens))
        maps[GOOD] = 20 * inside + 0.1 * noise
        maps[WIDE] = 4 * inside + 1
        if sink:
            at = int(empty.argmax())
            maps[GOOD][at] += sink * picture.grid.tokens
            maps[SINK_HEAD] = 0.001
            maps[SINK_HEAD][at] = picture.grid.tokens
        maps /= maps.sum(axis=-1, keepdims=True) / picture.grid.tokens
        generic = (noise / noise.sum()).astype(np.float32)
        made.append(
            Sight(question.kind, seed, picture, question.box, inside, empty, maps.astype(np.float16), generic)
        )
    return made

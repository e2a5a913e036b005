"""What every attention head looks at while a model is asked about scenes of which the truth is known.

Owns the scenes, and the one forward that reads all heads. Knows nothing of what is made of it.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from arr_coc.decoding import PictureLimits
from arr_coc.demo.scenes import Question, Scene, questions, render, sample_scene
from arr_coc.engine.cache import SlotCache
from arr_coc.localising import middle_heads
from arr_coc.model.adapter import Adapter, Batch, Prompt, Readout
from arr_coc.probing import GENERIC_QUERY
from arr_coc.profile import ModelProfile
from arr_coc.texture import TextureEncoder
from arr_coc.types import Box, Floats, TexturedPicture

LOCALISING = ("number", "word", "color", "shape")  # kinds of questions that ask for one object


@dataclass(frozen=True, slots=True)
class Sight:
    """One question about one scene, with the attention of the last prompt token over the overview."""

    kind: str
    scene: int
    picture: TexturedPicture
    box: Box  # of the asked object
    inside: NDArray[np.bool_]  # [cells] whether the cell's centre lies in the box
    empty: NDArray[np.bool_]  # [cells] whether it lies in no object at all
    asked: NDArray[np.float16]  # [layers, heads, cells] in shares of even attention
    generic: Floats  # [cells] mean of the middle layers, asked about nothing


def look_at_scenes(
    adapter: Adapter, profile: ModelProfile, seeds: Sequence[int], size: int
) -> Iterator[list[Sight]]:
    """The localising questions about each scene of ``size`` pixels, scene by scene.

    A scene that the profile would not zoom into has none. Raises ConfigError where ``size`` is too small
    for a scene.
    """
    encoder = TextureEncoder(profile, PictureLimits())
    for seed in seeds:
        scene = sample_scene(seed, size=size)
        file = io.BytesIO()
        render(scene).save(file, format="PNG", compress_level=1)
        picture = encoder.encode(file.getvalue(), None)
        yield [] if picture.source is None else _looks(adapter, scene, seed, picture)


def _looks(adapter: Adapter, scene: Scene, seed: int, picture: TexturedPicture) -> list[Sight]:
    asked = [question for question in questions(scene, seed) if question.kind in LOCALISING]
    if not asked:
        return []
    generic = all_attention(adapter, picture, GENERIC_QUERY)
    layers, heads = generic.shape[:2]
    mean = np.mean([generic[head] for head in middle_heads(layers, heads)], axis=0)
    empty = ~np.any([within(picture, thing.box) for thing in scene.objects], axis=0)
    return [_sight(adapter, question, seed, picture, empty, mean) for question in asked]


def _sight(
    adapter: Adapter,
    question: Question,
    seed: int,
    picture: TexturedPicture,
    empty: NDArray[np.bool_],
    generic: Floats,
) -> Sight:
    maps = all_attention(adapter, picture, question.text) * picture.grid.tokens
    return Sight(
        kind=question.kind,
        scene=seed,
        picture=picture,
        box=question.box,
        inside=within(picture, question.box),
        empty=empty,
        asked=maps.astype(np.float16),
        generic=generic,
    )


@torch.inference_mode()
def all_attention(adapter: Adapter, picture: TexturedPicture, query: str) -> Floats:
    """Attention of the last prompt token to the view's tokens: ``[layers, heads, tokens]``."""
    prompt = replace(adapter.prompt([picture.grid], query), pictures=(picture.view,))
    length, device = len(prompt), adapter.kv.device
    cache = SlotCache(adapter.kv, slots=1, max_length=length)
    columns = torch.arange(length, device=device)
    cache.view_slots(torch.zeros(1, dtype=torch.long, device=device), columns[None], length, fresh=True)
    last = torch.tensor([length - 1], device=device)
    readout = Readout({layer: range(adapter.heads) for layer in range(adapter.kv.layers)}, last)
    adapter.forward(_batch(adapter, prompt, columns, last, readout), cache)
    start, count = prompt.spans[0]
    return torch.cat(readout.maps)[:, :, start : start + count].cpu().numpy()


def _batch(
    adapter: Adapter, prompt: Prompt, columns: torch.Tensor, last: torch.Tensor, readout: Readout
) -> Batch:
    length = len(prompt)
    mask = torch.zeros((1, 1, length, length), dtype=adapter.kv.dtype, device=columns.device)
    mask.masked_fill_(columns[None, :] > columns[:, None], torch.finfo(mask.dtype).min)
    visual = torch.zeros((1, length), dtype=torch.bool, device=columns.device)
    start, count = prompt.spans[0]
    visual[0, start : start + count] = True
    return Batch(
        token_ids=torch.from_numpy(prompt.token_ids)[None].to(columns.device),
        positions=torch.from_numpy(prompt.positions)[:, None].to(columns.device),
        mask=mask,
        last=last,
        visual=visual,
        features=adapter.look(prompt.pictures),
        readout=readout,
    )


def within(picture: TexturedPicture, box: Box) -> NDArray[np.bool_]:
    """Cells ``[cells]`` whose centre lies in ``box``."""
    rows, cols = picture.grid.shape
    y = (np.arange(rows) + 0.5) * picture.height / rows
    x = (np.arange(cols) + 0.5) * picture.width / cols
    within = ((y >= box.y0) & (y < box.y1))[:, None] & ((x >= box.x0) & (x < box.x1))
    return np.asarray(within.ravel())

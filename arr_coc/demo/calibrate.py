"""Finds the attention heads that look where a question points, and writes them beside the weights.

Heads are picked greedily on half of the questions by how often the mean map's maximum lies inside
the asked object, weakest kind included; the other half tells what that is worth.
"""

import io
import json
import sys
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from arr_coc.decoding import PictureLimits
from arr_coc.demo.scenes import questions, render, sample_scene
from arr_coc.engine.cache import SlotCache
from arr_coc.model.adapter import Adapter, Batch, Prompt, Readout
from arr_coc.model.config import ModelConfig
from arr_coc.model.loading import load
from arr_coc.profile import PROFILE_FILE, ModelProfile
from arr_coc.texture import TextureEncoder
from arr_coc.types import Box, TexturedPicture

LOCALISING = ("number", "word", "color", "shape")
MAX_HEADS = 4


@dataclass(frozen=True, slots=True)
class Seen:
    """All heads' attention for one question."""

    kind: str
    maps: NDArray[np.float32]  # [layers, heads, cells]
    inside: NDArray[np.bool_]  # [cells] whether the cell's centre lies in the asked object's box


def calibrate(directory: Path, *, count: int, seed: int, size: int) -> None:
    """Rank heads on ``count`` held-out scenes and write ``heads`` into arr_coc.json."""
    profile = ModelProfile.load(directory)
    adapter = load(directory, ModelConfig())
    seen = _look_at_scenes(adapter, profile, range(seed, seed + count), size)
    chosen = choose(seen[::2])
    content: dict[str, Any] = profile.model_dump(mode="json", exclude_defaults=True)
    content["heads"] = [list(head) for head in chosen]
    (directory / PROFILE_FILE).write_text(json.dumps(content, indent=1) + "\n")
    alone = {head: hit_rates(seen, [head]) for head in chosen}
    sys.stdout.write(f"alone, all {len(seen)} questions: {alone}\n")
    shares = {kind: round(100 * share, 1) for kind, share in hit_rates(seen[1::2], chosen).items()}
    sys.stdout.write(f"heads {chosen}: maximum inside the asked object, % by kind, other half: {shares}\n")


def choose(seen: list[Seen]) -> list[tuple[int, int]]:
    """The best set of up to MAX_HEADS heads that adding one at a time comes by."""
    layers, heads = seen[0].maps.shape[:2]
    left = [(layer, head) for layer in range(layers) for head in range(heads)]
    sets: list[list[tuple[int, int]]] = [[]]
    for _ in range(MAX_HEADS):
        scores = {head: _score(seen, [*sets[-1], head]) for head in left}
        best = max(scores, key=lambda head: scores[head])
        left.remove(best)
        sets.append([*sets[-1], best])
    best_set: list[tuple[int, int]] = max(sets[1:], key=lambda tried: _score(seen, list(tried)))
    return sorted(best_set)


def hit_rates(seen: list[Seen], heads: list[tuple[int, int]]) -> dict[str, float]:
    """By kind, how often the mean map of ``heads`` has its maximum inside the asked object."""
    hits: dict[str, list[bool]] = defaultdict(list)
    for one in seen:
        mean = np.mean([one.maps[layer, head] for layer, head in heads], axis=0)
        hits[one.kind].append(bool(one.inside[mean.argmax()]))
    return {kind: float(np.mean(found)) for kind, found in hits.items()}


def _score(seen: list[Seen], heads: list[tuple[int, int]]) -> float:
    rates = list(hit_rates(seen, heads).values())
    return float(np.mean(rates) + min(rates))


def _look_at_scenes(adapter: Adapter, profile: ModelProfile, seeds: range, size: int) -> list[Seen]:
    encoder = TextureEncoder(profile, PictureLimits())
    seen = []
    for seed in seeds:
        scene = sample_scene(seed, size=size)
        file = io.BytesIO()
        render(scene).save(file, format="PNG", compress_level=1)
        picture = encoder.encode(file.getvalue(), None)
        for question in questions(scene, seed):
            if question.kind in LOCALISING and picture.route == "zoom":
                maps = all_attention(adapter, picture, question.text)
                seen.append(Seen(question.kind, maps, _inside(picture, question.box)))
    return seen


@torch.inference_mode()
def all_attention(adapter: Adapter, picture: TexturedPicture, query: str) -> NDArray[np.float32]:
    """Attention of the last prompt token to the view's tokens: [layers, heads, tokens]."""
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


def _inside(picture: TexturedPicture, box: Box) -> NDArray[np.bool_]:
    rows, cols = picture.grid.rows, picture.grid.cols
    y = (np.arange(rows) + 0.5) * picture.height / rows
    x = (np.arange(cols) + 0.5) * picture.width / cols
    within = ((y >= box.y0) & (y < box.y1))[:, None] & ((x >= box.x0) & (x < box.x1))
    return np.asarray(within.ravel())

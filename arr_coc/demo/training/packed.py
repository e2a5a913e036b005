"""The forward pass of training: pictures once, then many turns that see the pictures and themselves.

Owns a dense, padding-free evaluation of the HF model's own modules for a batch of one geometry.
Each turn gets exactly the logits that a single question after the same pictures gets in serving
(same positions, same visible tokens); a test holds it to that. Knows nothing of losses.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear, scaled_dot_product_attention
from transformers import Qwen3VLForConditionalGeneration
from transformers.models.qwen3_vl.modeling_qwen3_vl import apply_rotary_pos_emb, apply_rotary_pos_emb_vision
from transformers.vision_utils import get_vision_interpolation_indices_and_weights, get_vision_position_ids

from arr_coc.types import Grid

MERGE = 2


@dataclass(frozen=True)
class Seen:
    """One view through the tower: ``tokens`` and ``deep`` (DeepStack), both [batch, tokens, width]."""

    tokens: Tensor
    deep: Tensor


POINT_LAYER, POINT_HEAD = 2, 0
"""The head that is taught to look at what a question asks for."""


@dataclass(frozen=True)
class Read:
    """``last``: [batch, text, width], normed; ``early``: the same after the second layer, raw.

    ``query`` [batch, text, head] and ``key`` [batch, prefix, head] are the pointing head's, scaled and rotated.
    """

    last: Tensor
    early: Tensor
    query: Tensor
    key: Tensor


@lru_cache(maxsize=512)
def _vision_geometry(grid: Grid, side: int) -> tuple[Tensor, Tensor, Tensor]:
    thw = torch.tensor([[1, grid.rows * MERGE, grid.cols * MERGE]])
    where, weights = get_vision_interpolation_indices_and_weights(
        thw, num_grid_per_side=side, mode="bilinear", align_corners=True, spatial_merge_size=MERGE
    )
    return where, weights, get_vision_position_ids(thw, MERGE)


def patch_rows(pixels: Tensor, patch: int) -> Tensor:
    """uint8 [batch, height, width, 3] -> [batch, patches, 3 patch patch] in [-1, 1], merge-block order."""
    batch, height, width, _ = pixels.shape
    block = MERGE * patch
    cells = pixels.view(batch, height // block, MERGE, patch, width // block, MERGE, patch, 3)
    rows = cells.permute(0, 1, 4, 2, 5, 7, 3, 6).reshape(batch, -1, 3 * patch * patch)
    return rows.float().div_(127.5).sub_(1.0)


def see(model: Qwen3VLForConditionalGeneration, pixels: Tensor, grid: Grid) -> Seen:
    """The vision tower over a batch of views of one grid; ``pixels`` uint8 [batch, height, width, 3]."""
    visual = model.model.visual
    kernel = visual.patch_embed.proj.weight.sum(dim=2).flatten(
        1
    )  # a still frame is seen twice: [width, 3 p p]
    where, weights, positions = _vision_geometry(grid, visual.num_grid_per_side)
    table = (visual.pos_embed(where) * weights[:, :, None]).sum(1)  # [patches, width]
    hidden = (
        linear(patch_rows(pixels, visual.patch_size), kernel, visual.patch_embed.proj.bias).float() + table
    )
    rotary = visual.rotary_pos_emb(hidden, positions)
    deep: Tensor | None = None
    for index, block in enumerate(visual.blocks):
        hidden = hidden + _vision_attention(block.attn, block.norm1(hidden), rotary)
        hidden = hidden + block.mlp(block.norm2(hidden))
        if index in visual.deepstack_visual_indexes:
            deep = visual.deepstack_merger_list[0](hidden)
    assert deep is not None
    batch = pixels.shape[0]
    return Seen(visual.merger(hidden).view(batch, grid.tokens, -1), deep.view(batch, grid.tokens, -1))


def _vision_attention(attn: Any, hidden: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
    batch, patches, width = hidden.shape
    joined = attn.qkv(hidden).view(batch, patches, 3, attn.num_heads, -1)
    query, key, value = joined.unbind(2)  # each [batch, patches, heads, width]
    query, key = apply_rotary_pos_emb_vision(query, key, *rotary)
    mixed = scaled_dot_product_attention(query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2))
    out: Tensor = attn.proj(mixed.transpose(1, 2).reshape(batch, patches, width))
    return out


def picture_positions(grids: Sequence[Grid], opening: int = 2) -> tuple[Tensor, int]:
    """M-RoPE positions [3, prefix] of ``opening`` text tokens and the marked pictures; the next free one."""
    parts = [torch.arange(opening).expand(3, -1)]
    at = opening
    for grid in grids:
        rows = torch.arange(grid.rows).repeat_interleave(grid.cols)
        cols = torch.arange(grid.cols).repeat(grid.rows)
        end = at + 1 + max(grid.rows, grid.cols)
        parts += [
            torch.full((3, 1), at),
            torch.stack([rows * 0, rows, cols]) + at + 1,
            torch.full((3, 1), end),
        ]
        at = end + 1
    return torch.cat(parts, dim=1), at


def read(
    model: Qwen3VLForConditionalGeneration, opening: Tensor, grids: Sequence[Grid], seen: Sequence[Seen],
    ids: Tensor, turn: Tensor, offset: Tensor,
) -> Read:  # fmt: skip
    """The language model over pictures and turns.

    ``opening``: ids [prefix], image pads included. ``ids``, ``turn`` (-1 for padding) and ``offset``
    (place within the turn): [batch, text].
    """
    text = model.model.language_model
    batch, _length = ids.shape
    prefix = opening.shape[0]
    image = opening == model.config.image_token_id  # [prefix]
    start = text.embed_tokens(opening).expand(batch, -1, -1).clone()
    start[:, image] = torch.cat([s.tokens for s in seen], dim=1).to(start.dtype)
    hidden = torch.cat([start, text.embed_tokens(ids)], dim=1)
    deep = hidden.new_zeros(hidden.shape)
    deep[:, :prefix][:, image] = torch.cat([s.deep for s in seen], dim=1).to(deep.dtype)

    before, free = picture_positions(grids)
    positions = torch.cat(
        [before[:, None].expand(3, batch, prefix), (offset + free).expand(3, -1, -1)], dim=2
    )
    rotary = text.rotary_emb(hidden, positions)
    mask = _turn_mask(turn, prefix)
    early, query, key = hidden, hidden, hidden
    for index, layer in enumerate(text.layers):
        parts = _project(layer, hidden, rotary)
        if index == POINT_LAYER:
            early = hidden[:, prefix:]
            query = parts[0][:, POINT_HEAD, prefix:] * layer.self_attn.scaling
            key = parts[1][:, POINT_HEAD, :prefix]
        hidden = _attend(layer, hidden, parts, mask, prefix, text_only=index == len(text.layers) - 1)
        if index == 0:
            hidden = hidden + deep
    return Read(text.norm(hidden), early, query, key)


def _turn_mask(turn: Tensor, prefix: int) -> Tensor:
    """[batch, 1, text, prefix + text]: 0 where a position may look, -inf elsewhere."""
    batch, length = turn.shape
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    own = (turn[:, :, None] == turn[:, None, :]) & causal
    allowed = torch.cat([torch.ones(batch, length, prefix, dtype=torch.bool), own], dim=2)
    dtype = torch.bfloat16 if torch.is_autocast_enabled("cpu") else torch.float32
    return torch.zeros(allowed.shape, dtype=dtype).masked_fill_(~allowed, -math.inf)[:, None]


def _masked_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    """Written out: on a CPU in bf16 twice as fast here as the fused kernel."""
    with torch.autocast("cpu", enabled=False):
        scores = torch.matmul(query * query.shape[-1] ** -0.5, key.transpose(-1, -2)) + mask
        return torch.matmul(scores.softmax(-1), value)


def _project(layer: Any, hidden: Tensor, rotary: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values, each [batch, heads, length, head]."""
    attn = layer.self_attn
    normed = layer.input_layernorm(hidden)
    heads = (*normed.shape[:2], -1, attn.head_dim)
    query = attn.q_norm(attn.q_proj(normed).view(heads)).transpose(1, 2)
    key = attn.k_norm(attn.k_proj(normed).view(heads)).transpose(1, 2)
    value = attn.v_proj(normed).view(heads).transpose(1, 2)
    query, key = apply_rotary_pos_emb(query, key, *rotary)
    key, value = (x.repeat_interleave(attn.num_key_value_groups, dim=1).to(value.dtype) for x in (key, value))
    return query.to(value.dtype), key, value


def _attend(
    layer: Any,
    hidden: Tensor,
    parts: tuple[Tensor, Tensor, Tensor],
    mask: Tensor,
    prefix: int,
    text_only: bool,
) -> Tensor:
    """The rest of a decoder layer; ``text_only`` drops the pictures' outputs, which nobody reads after the last."""
    query, key, value = parts
    mixed = _masked_attention(query[:, :, prefix:], key, value, mask)
    if text_only:
        hidden = hidden[:, prefix:]
    else:
        look = scaled_dot_product_attention(
            query[:, :, :prefix], key[:, :, :prefix], value[:, :, :prefix], is_causal=True
        )
        mixed = torch.cat([look, mixed], dim=2)
    hidden = hidden + layer.self_attn.o_proj(mixed.transpose(1, 2).flatten(2))
    out: Tensor = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
    return out

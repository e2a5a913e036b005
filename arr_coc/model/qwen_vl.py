"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL behind the adapter contract.

The three share their prompt, their M-RoPE positions and their pixel layout; Qwen3-VL adds DeepStack
features. Positions are computed here per request: ``rope_deltas`` on the model object belongs to
whoever ran last and is never read.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import Cache, PreTrainedModel, PreTrainedTokenizerBase

from arr_coc.geometry import FixedView
from arr_coc.model import attention
from arr_coc.model.adapter import Batch, Features, Ids, Prompt
from arr_coc.model.decoder import Decoder, banned_ids, eos_ids, footprint, kv_shape
from arr_coc.model.pixels import Normaliser
from arr_coc.model.prompts import PromptTemplate
from arr_coc.model.still import StillPatchEmbed
from arr_coc.types import PICTURE, Grid, Message, Pixels


class QwenVL:
    """An Adapter for a loaded ``Qwen*VLForConditionalGeneration``."""

    axes = 3  # M-RoPE: time, height, width
    fixed_view: FixedView | None = None

    def __init__(
        self,
        name: str,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        image_mean: Sequence[float],
        image_std: Sequence[float],
    ) -> None:
        config: Any = model.config
        text, vision = config.text_config, config.vision_config
        model.set_attn_implementation({"text_config": attention.NAME, "vision_config": "sdpa"})
        self._vision: Any = model.model
        self.name = name
        self.tokenizer = tokenizer.backend_tokenizer
        self.heads = text.num_attention_heads
        self.kv = kv_shape(text, model)
        # before the patch embedding's sum is added, of 2 to 4 MB in real towers, which the files do not tell
        self.footprint = footprint(text, vision, vision.spatial_merge_size**2, model)
        if not isinstance(self._vision.visual.patch_embed, StillPatchEmbed):
            self._vision.visual.patch_embed = StillPatchEmbed(self._vision.visual.patch_embed)
        self.max_positions = text.max_position_embeddings
        self.token_side = vision.patch_size * vision.spatial_merge_size
        self.eos_ids = eos_ids(model, tokenizer)
        self.banned_ids = banned_ids(config, tokenizer, self.eos_ids)
        self._patch, self._merge = vision.patch_size, vision.spatial_merge_size
        self._frames = vision.temporal_patch_size
        self._template = PromptTemplate(tokenizer, config.image_token_id)
        self._decoder = Decoder(self._vision.language_model, model.lm_head)
        self._normalise = Normaliser(image_mean, image_std, model.device)

    def prompt(self, grids: Sequence[Grid], query: str) -> Prompt:
        """Tokens and M-RoPE positions of ``query`` about pictures of these grids."""
        question = Message("user", (*[PICTURE] * len(grids), query.strip()))
        return self.chat([question], [[grid] for grid in grids])

    def chat(self, messages: Sequence[Message], views: Sequence[Sequence[Grid]]) -> Prompt:
        """Tokens and M-RoPE positions of a conversation whose pictures are shown in these views."""
        ids, spans = self._template.tokens(messages, [[grid.tokens for grid in grids] for grids in views])
        grids = [grid for picture in views for grid in picture]
        return Prompt(np.array(ids, dtype=np.int64), mrope_positions(len(ids), spans, grids), tuple(spans))

    @torch.inference_mode()
    def look(self, pictures: Sequence[Pixels]) -> list[Features]:
        """Vision features; pictures of any sizes are packed, without padding, into one pass."""
        patches = torch.cat([self.patchify(picture, frames=1) for picture in pictures])
        sides = [(picture.shape[0] // self._patch, picture.shape[1] // self._patch) for picture in pictures]
        grid_thw = torch.tensor([(1, *side) for side in sides], device=self.kv.device)
        seen = self._vision.get_image_features(patches.to(self.kv.dtype), grid_thw, return_dict=True)
        deepstack = getattr(seen, "deepstack_features", None) or []
        return [
            Features(tokens, tuple(layer[i] for layer in deepstack))
            for i, tokens in enumerate(seen.pooler_output)
        ]

    def patchify(self, picture: Pixels, frames: int | None = None) -> torch.Tensor:
        """uint8 [height, width, 3] to float32 [patches, 3 * frames * patch * patch], in the order and with
        the arithmetic of the family's own image processor, which shows as many ``frames`` as the tower
        takes at once, all of them alike."""
        shown = self._frames if frames is None else frames
        values = self._normalise(picture)
        p, m = self._patch, self._merge
        rows, cols = values.shape[1] // (p * m), values.shape[2] // (p * m)
        blocks = values.reshape(3, rows, m, p, cols, m, p).permute(1, 4, 2, 5, 0, 3, 6)
        repeated = blocks[:, :, :, :, :, None].expand(*blocks.shape[:5], shown, p, p)
        return repeated.reshape(rows * cols * m * m, -1)

    def forward(self, batch: Batch, cache: Cache) -> torch.Tensor:
        """Logits [rows, vocab] at each row's last token."""
        visual: dict[str, Any] = {}
        layers = zip(*(f.deepstack for f in batch.features), strict=True)
        if deepstack := [torch.cat(layer) for layer in layers]:
            visual = {"visual_pos_masks": batch.visual, "deepstack_visual_embeds": deepstack}
        return self._decoder(batch, cache, batch.positions, **visual)


def mrope_positions(length: int, spans: Sequence[tuple[int, int]], grids: Sequence[Grid]) -> Ids:
    """M-RoPE positions [3, length]: text counts up on all axes; a picture spans its rows and columns
    from where it starts, and what follows goes on behind its longer side (Qwen2-VL, arXiv 2409.12191)."""
    positions = np.empty((3, length), dtype=np.int64)
    at, done = 0, 0
    for (start, count), grid in zip(spans, grids, strict=True):
        positions[:, done:start] = at + np.arange(start - done)
        at += start - done
        rows, cols = np.divmod(np.arange(count), grid.cols)
        positions[:, start : start + count] = at + np.stack([np.zeros_like(rows), rows, cols])
        at += max(grid.rows, grid.cols)
        done = start + count
    positions[:, done:] = at + np.arange(length - done)
    return positions

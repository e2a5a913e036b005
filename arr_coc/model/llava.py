"""LLaVA-1.5 behind the adapter contract: CLIP's tower, a projector and a Llama.

Every picture is one view of CLIP's size, and each of its patches a token (arXiv 2310.03744).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import Cache, PreTrainedModel, PreTrainedTokenizerBase

from arr_coc.geometry import geometry
from arr_coc.model import attention
from arr_coc.model.adapter import Batch, Features, Prompt
from arr_coc.model.decoder import Decoder, banned_ids, eos_ids, footprint, kv_shape
from arr_coc.model.families import PROMPTS
from arr_coc.model.pixels import Normaliser
from arr_coc.model.prompts import PromptTemplate
from arr_coc.types import PICTURE, Grid, Message, Pixels


class Llava:
    """An Adapter for a loaded ``LlavaForConditionalGeneration``."""

    axes = 1

    def __init__(
        self,
        name: str,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        image_mean: Sequence[float],
        image_std: Sequence[float],
    ) -> None:
        config: Any = model.config
        text, views = config.text_config, geometry(config.to_dict())
        assert views.token_side is not None
        model.set_attn_implementation({"text_config": attention.NAME, "vision_config": "sdpa"})
        self.name = name
        self.tokenizer = tokenizer.backend_tokenizer
        self.heads = text.num_attention_heads
        self.kv = kv_shape(text, model)
        self.footprint = footprint(text, config.vision_config, 1, model)
        self.max_positions = text.max_position_embeddings
        self.token_side, self.fixed_view = views.token_side, views.fixed
        self.eos_ids = eos_ids(model, tokenizer)
        self.banned_ids = banned_ids(config, tokenizer, self.eos_ids)
        self.normalise = Normaliser(image_mean, image_std, model.device)
        self._template = PromptTemplate(tokenizer, config.image_token_id, PROMPTS["llava"])
        self._vision: Any = model.model
        self._decoder = Decoder(self._vision.language_model, model.lm_head)

    def prompt(self, grids: Sequence[Grid], query: str) -> Prompt:
        """Tokens of ``query`` about pictures, each seen in one view."""
        question = Message("user", (*[PICTURE] * len(grids), query.strip()))
        return self.chat([question], [[grid] for grid in grids])

    def chat(self, messages: Sequence[Message], views: Sequence[Sequence[Grid]]) -> Prompt:
        """Tokens of a conversation whose pictures are shown in these views."""
        ids, spans = self._template.tokens(messages, [[grid.tokens for grid in grids] for grids in views])
        return Prompt(np.array(ids, dtype=np.int64), np.arange(len(ids))[None], tuple(spans))

    @torch.inference_mode()
    def look(self, pictures: Sequence[Pixels]) -> list[Features]:
        """Vision features, one for each cell of the view."""
        pixels = torch.stack([self.normalise(picture) for picture in pictures])
        seen = self._vision.get_image_features(pixels.to(self.kv.dtype), return_dict=True)
        return [Features(tokens) for tokens in seen.pooler_output]

    def forward(self, batch: Batch, cache: Cache) -> torch.Tensor:
        """Logits [rows, vocab] at each row's last token."""
        return self._decoder(batch, cache, batch.positions[0])

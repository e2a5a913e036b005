"""BLIP-2 with OPT behind the adapter contract: a ViT, a Q-Former and a decoder.

Each view is summed up in a few learned queries, which the language model reads before anything else
(arXiv 2301.12597). They have no places, so its attention tells nothing of where a question points.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders
from transformers import Cache, PreTrainedModel, PreTrainedTokenizerBase

from arr_coc.errors import ModelLoadError
from arr_coc.geometry import FixedView, geometry
from arr_coc.model import attention
from arr_coc.model.adapter import Batch, Features, Prompt
from arr_coc.model.decoder import Decoder, banned_ids, eos_ids, footprint, kv_shape
from arr_coc.model.families import PROMPTS
from arr_coc.model.pixels import Normaliser
from arr_coc.model.prompts import PromptTemplate
from arr_coc.types import PICTURE, Grid, Message, Pixels


class Blip2:
    """An Adapter for a loaded ``Blip2ForConditionalGeneration`` with a decoder-only language model."""

    axes = 1
    heads = 0  # none that could be read

    def __init__(
        self,
        name: str,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        image_mean: Sequence[float],
        image_std: Sequence[float],
    ) -> None:
        """Raises ModelLoadError where configuration and tokenizer have no common token for a picture."""
        config: Any = model.config
        text, views = config.text_config, geometry(config.to_dict())
        assert views.token_side is not None and views.fixed is not None
        if config.image_token_id is None or tokenizer.get_vocab().get("<image>") != config.image_token_id:
            raise ModelLoadError("BLIP-2 needs <image> in its tokenizer and its id as image_token_index")
        model.set_attn_implementation({"text_config": attention.NAME, "vision_config": "sdpa"})
        self.name = name
        self.tokenizer = stripping(tokenizer.backend_tokenizer)
        self.kv = kv_shape(text, model)
        self.max_positions = text.max_position_embeddings
        self.token_side = views.token_side
        self.fixed_view: FixedView | None = views.fixed
        grid = views.fixed.grid
        self.footprint = footprint(text, config.vision_config, grid.rows * grid.cols / grid.tokens, model)
        self._model: Any = model
        language: Any = model.language_model
        self.eos_ids = eos_ids(language, tokenizer)
        self.banned_ids = banned_ids(config, tokenizer, self.eos_ids)
        self.normalise = Normaliser(image_mean, image_std, model.device)
        self._template = PromptTemplate(tokenizer, config.image_token_id, PROMPTS["blip-2"])
        self._decoder = Decoder(language.model, language.lm_head)

    def prompt(self, grids: Sequence[Grid], query: str) -> Prompt:
        """Tokens of ``query`` about pictures seen in these views."""
        question = Message("user", (*[PICTURE] * len(grids), query.strip()))
        return self.chat([question], [[grid] for grid in grids])

    def chat(self, messages: Sequence[Message], views: Sequence[Sequence[Grid]]) -> Prompt:
        """Tokens of a conversation whose pictures, all in its first message, are shown in these views."""
        ids, spans = self._template.tokens(messages, [[grid.tokens for grid in grids] for grids in views])
        return Prompt(np.array(ids, dtype=np.int64), np.arange(len(ids))[None], tuple(spans))

    @torch.inference_mode()
    def look(self, pictures: Sequence[Pixels]) -> list[Features]:
        """What the queries make of each view."""
        pixels = torch.stack([self.normalise(picture) for picture in pictures])
        seen = self._model.get_image_features(pixels.to(self.kv.dtype), return_dict=True)
        return [Features(tokens) for tokens in seen.pooler_output]

    def forward(self, batch: Batch, cache: Cache) -> torch.Tensor:
        """Logits [rows, vocab] at each row's last token."""
        return self._decoder(batch, cache, batch.positions[0])


def stripping(tokenizer: Tokenizer) -> Tokenizer:
    """``tokenizer``, decoding without the space that begins an answer: its prompt ends in ``Answer:``."""
    copy: Tokenizer = Tokenizer.from_str(tokenizer.to_str())
    copy.decoder = decoders.Sequence([copy.decoder, decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return copy

"""The language model inside a vision-language model, as every family's adapter runs it.

Knows nothing of vision towers, prompts or positions.
"""

import math
from typing import Any

import torch
from transformers import Cache, PreTrainedModel, PreTrainedTokenizerBase

from arr_coc.model.adapter import Batch, Footprint, KVShape


class Decoder:
    """A decoder-only language model of transformers, and its head."""

    def __init__(self, model: Any, head: torch.nn.Module) -> None:
        self._model, self._head = model, head
        self._embed = model.get_input_embeddings()

    def __call__(self, batch: Batch, cache: Cache, position_ids: torch.Tensor, **more: Any) -> torch.Tensor:
        """Logits [rows, vocab] at each row's last token, with the batch's features in their places."""
        embeds = self._embed(batch.token_ids)  # [rows, length, hidden]
        if batch.visual is not None:
            embeds[batch.visual] = torch.cat([f.tokens for f in batch.features]).to(embeds.dtype)
        hidden = self._model(
            inputs_embeds=embeds,
            position_ids=position_ids,
            attention_mask=batch.mask,
            past_key_values=cache,
            use_cache=True,
            readout=batch.readout,
            bands=batch.bands,
            **more,
        ).last_hidden_state
        rows = torch.arange(len(hidden), device=hidden.device)
        last = hidden[:, 0] if batch.last is None else hidden[rows, batch.last]
        logits: torch.Tensor = self._head(last)
        return logits


def kv_shape(text: Any, model: PreTrainedModel) -> KVShape:
    """What a slot must hold for the language model of configuration ``text``."""
    return KVShape(
        layers=text.num_hidden_layers,
        kv_heads=getattr(text, "num_key_value_heads", text.num_attention_heads),
        head_dim=getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads,
        dtype=model.dtype,
        device=model.device,
    )


def footprint(text: Any, vision: Any, patches: float, model: PreTrainedModel) -> Footprint:
    """What ``model`` takes of memory, by its language model's configuration and its vision tower's, which
    sees ``patches`` for each visual token."""
    seen = getattr(vision, "embed_dim", None) or vision.hidden_size  # the former is Qwen2-VL's
    pixels = 3 * vision.patch_size**2 * getattr(vision, "temporal_patch_size", 1)
    a_patch = 4 * pixels + _layer_numbers(  # pixels are float32, and copied to the model's dtype
        seen, getattr(vision, "intermediate_size", None) or seen * vision.mlp_ratio
    )
    a_token = _layer_numbers(text.hidden_size, getattr(text, "intermediate_size", None) or text.ffn_dim)
    return Footprint(
        weight_bytes=sum(_held_bytes(weight) for weight in (*model.parameters(), *model.buffers())),
        layer_numbers=math.ceil(max(a_token, patches * a_patch)),
        vocabulary=text.vocab_size,
    )


def _layer_numbers(hidden: int, intermediate: float) -> float:
    """The stream, its norm, queries, keys, values, attention's result and two copies; the three of a gated MLP."""
    return 8 * hidden + 3 * intermediate


def _held_bytes(weight: torch.Tensor) -> int:
    """Of a quantized tensor, what it wraps: to the outside it has the shape and dtype of the whole one."""
    if hasattr(weight, "__tensor_flatten__"):
        return sum(_held_bytes(getattr(weight, name)) for name in weight.__tensor_flatten__()[0])
    return weight.nbytes


def eos_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """The tokens that end an answer."""
    listed: Any = getattr(model.generation_config, "eos_token_id", None)
    if listed is None:
        listed = tokenizer.eos_token_id
    return frozenset(listed if isinstance(listed, list) else [listed])


def banned_ids(config: Any, tokenizer: PreTrainedTokenizerBase, eos_ids: frozenset[int]) -> tuple[int, ...]:
    """Control tokens that no answer may contain; the ends of an answer stay possible."""
    names = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
    listed = {getattr(config, name, None) for name in names} | {
        tokenizer.pad_token_id,
        tokenizer.bos_token_id,
    }
    control = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    return tuple(sorted(i for i in (listed | control) - eos_ids if i is not None))

"""Attention that can be read: the model's own sdpa, plus the weights of one query position.

Rows of unlike lengths are read in bands. Registered with transformers under a name of its own, so that
the map costs one small matrix product for the listed heads only and the fast kernels stay in use
everywhere (``output_attentions`` would force the slow ones). Works for every family that goes through
transformers' attention interface.
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from arr_coc.model.adapter import Readout

NAME = "arr_coc_sdpa"


def readable_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    readout: Readout | None = None,
    bands: Sequence[tuple[int, int, int]] = (),
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """sdpa over [rows, heads, length, head_dim]; fills ``readout`` on its way where one is given.

    Where rows come in ``bands`` (from, before, tokens), each band reads its own number of tokens only."""
    layer = getattr(module, "layer_idx", None)
    if readout is not None and layer is not None and layer in readout.heads:
        assert attention_mask is not None
        readout.maps.append(_weights(query, key, attention_mask, readout, layer, kwargs["scaling"]))
    if not bands:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    assert attention_mask is not None
    parts = [
        sdpa_attention_forward(
            module,
            query[first:end],
            key[first:end, :, :tokens],
            value[first:end, :, :tokens],
            attention_mask[first:end, ..., :tokens],
            **kwargs,
        )[0]
        for first, end, tokens in bands
    ]
    return torch.cat(parts), None


def _weights(
    query: torch.Tensor, key: torch.Tensor, mask: torch.Tensor, readout: Readout, layer: int, scaling: float
) -> torch.Tensor:
    """softmax(q K^T) of the listed heads at each row's ``last`` position: [rows, heads, kv_length]."""
    rows = torch.arange(len(query), device=query.device)
    heads = torch.tensor(list(readout.heads[layer]), device=query.device)
    group = query.shape[1] // key.shape[1]
    q = query[rows[:, None], heads, readout.last[:, None]].float()  # [rows, heads, head_dim]
    k = key[:, heads // group].float()  # [rows, heads, kv_length, head_dim]
    scores = torch.einsum("rhd,rhkd->rhk", q, k) * scaling
    return (scores + mask[rows, :, readout.last].float()).softmax(-1)


AttentionInterface.register(NAME, readable_attention)

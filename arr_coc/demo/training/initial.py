"""Starting a run from a finished checkpoint instead of from nothing.

A checkpoint has no dense heads: they are fitted to the still model first, since the gradients of
untaught heads would undo what the tower knows.
"""

from collections.abc import Iterable
from pathlib import Path

import torch
from transformers import Qwen3VLForConditionalGeneration

from arr_coc.demo.training.batches import Batch
from arr_coc.demo.training.losses import compute
from arr_coc.demo.training.network import DenseHeads

HEADS_RATE = 3e-3


def load_weights(model: Qwen3VLForConditionalGeneration, directory: Path) -> None:
    """Copy the weights of the checkpoint in ``directory``; it must be of the same architecture."""
    saved = Qwen3VLForConditionalGeneration.from_pretrained(str(directory), dtype=torch.float32)
    model.load_state_dict(saved.state_dict())


def fit_heads(
    model: Qwen3VLForConditionalGeneration, heads: DenseHeads, batches: Iterable[Batch]
) -> tuple[float, float]:
    """Move the heads alone, one step a batch; returns the last batch's dense and mention losses."""
    optimiser = torch.optim.AdamW(heads.parameters(), lr=HEADS_RATE, weight_decay=0.0)
    last = (0.0, 0.0)
    model.requires_grad_(False)
    for batch in batches:
        with torch.autocast("cpu", torch.bfloat16):
            losses = compute(model, heads, batch)
        losses.total.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        last = losses.dense, losses.mention
    model.requires_grad_(True)
    return last

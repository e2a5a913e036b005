"""What is asked of the model: answers, dense sight, and where the question's phrases point.

Owns the loss terms and the judgement of a batch's answers. Knows nothing of how batches are made.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, smooth_l1_loss
from transformers import Qwen3VLForConditionalGeneration

from arr_coc.demo.training.batches import Batch, Turns
from arr_coc.demo.training.network import DenseHeads
from arr_coc.demo.training.packed import Read, Seen, read, see
from arr_coc.demo.training.tokenizer import IMAGE
from arr_coc.demo.training.views import Labels

DENSE_WEIGHT = 0.3
MENTION_WEIGHT = 1.2
POINT_WEIGHT = 0.2
NONE_WEIGHT = 0.2
"""Most tokens show no glyph; "none" counts less there, or the heads say nothing else for long."""


@dataclass(frozen=True)
class Losses:
    """``total`` carries the gradient; the rest is for the log."""

    total: Tensor
    answer: float
    dense: float
    mention: float
    point: float


def compute(
    model: Qwen3VLForConditionalGeneration, heads: DenseHeads, batch: Batch, still_tower: bool = False
) -> Losses:
    """All loss terms of a batch; one without turns asks for dense sight alone, a still tower for no sight."""
    with torch.set_grad_enabled(not still_tower):
        seen = [see(model, torch.from_numpy(p), g) for p, g in zip(batch.pixels, batch.grids, strict=True)]
    dense = torch.zeros(()) if still_tower else dense_loss(model, heads, seen, batch.labels)
    if batch.turns is None:
        return Losses(dense, 0.0, dense.item(), 0.0, 0.0)
    turns = batch.turns
    out = read(
        model, torch.from_numpy(turns.opening), batch.grids, seen,
        torch.from_numpy(turns.ids), torch.from_numpy(turns.turn), torch.from_numpy(turns.offset),
    )  # fmt: skip
    weights = torch.from_numpy(turns.weights)  # [batch, text]
    logits = model.lm_head(out.last).float().flatten(0, 1)
    each = cross_entropy(logits, torch.from_numpy(turns.targets).flatten(), reduction="none")
    answer = (each * weights.flatten()).sum() / weights.sum()
    row, column = torch.from_numpy(turns.mention_at).unbind(1)
    where = heads.mention(out.early)[row, column].float()
    mention = smooth_l1_loss(where, torch.from_numpy(turns.mention_xy), beta=0.1)
    point = point_loss(out, turns)
    total = answer + DENSE_WEIGHT * dense + MENTION_WEIGHT * mention + POINT_WEIGHT * point
    return Losses(total, answer.item(), dense.item(), mention.item(), point.item())


def point_loss(out: Read, turns: Turns) -> Tensor:
    """How far the pointing head looks beside what is asked for: -log of its share there, of the pictures' tokens."""
    row, column = torch.from_numpy(turns.point_at).unbind(1)
    on = torch.from_numpy(turns.point_on)  # [points, prefix]
    scores = torch.bmm(out.query, out.key.transpose(1, 2))[row, column].float()  # [points, prefix]
    image = torch.from_numpy(turns.opening) == IMAGE
    scores = scores.masked_fill(~image, -torch.inf)
    inside = scores.masked_fill(~on, -torch.inf)
    return (scores.logsumexp(1) - inside.logsumexp(1)).mean()


def dense_loss(
    model: Qwen3VLForConditionalGeneration, heads: DenseHeads, seen: Sequence[Seen], labels: Sequence[Labels]
) -> Tensor:
    """Mean over the heads; every view's tokens together."""
    tokens = torch.cat([s.tokens.flatten(0, 1) for s in seen])  # [N, width]
    classes = torch.from_numpy(np.concatenate([one.classes.reshape(-1, 5) for one in labels]))  # [N, heads]
    place = torch.from_numpy(np.concatenate([one.place.reshape(-1, 3) for one in labels]))  # [N, 3]
    embedding = model.model.language_model.embed_tokens.weight
    logits = heads.class_logits(tokens, embedding)
    total = sum((_class_loss(each, classes[:, i], i >= 2) for i, each in enumerate(logits)), torch.zeros(()))
    return total + _place_loss(heads.place(tokens).float(), place)


def _class_loss(logits: Tensor, wanted: Tensor, glyph: bool) -> Tensor:
    weight = torch.ones(logits.shape[1])
    weight[0] = NONE_WEIGHT if glyph else 0.5
    loss = cross_entropy(logits.float(), wanted, weight=weight, ignore_index=-100)
    return torch.nan_to_num(loss)


def _place_loss(guess: Tensor, place: Tensor) -> Tensor:
    covered = ~place[:, 0].isnan()
    where = smooth_l1_loss(guess[covered, :2], place[covered, :2], beta=0.1, reduction="sum")
    here = binary_cross_entropy_with_logits(guess[:, 2], place[:, 2])
    return 4 * where / max(1, 2 * int(covered.sum())) + here

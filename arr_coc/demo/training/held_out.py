"""How well the model does on scenes it is never trained on, while it trains and at its end.

Owns the judgement of answers by kind. An answer counts as right when each of its pieces is the
most likely one after the right ones before it, which is when greedy decoding gives exactly it.
"""

from collections import Counter
from collections.abc import Iterable

import torch
from transformers import Qwen3VLForConditionalGeneration

from arr_coc.demo.training.batches import Batch
from arr_coc.demo.training.packed import read, see


@torch.no_grad()
def accuracy(model: Qwen3VLForConditionalGeneration, batches: Iterable[Batch]) -> dict[str, tuple[int, int]]:
    """(right, asked) by kind."""
    right: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    for batch in batches:
        for kind, good in _judged(model, batch):
            asked[kind] += 1
            right[kind] += good
    return {kind: (right[kind], asked[kind]) for kind in sorted(asked)}


def _judged(model: Qwen3VLForConditionalGeneration, batch: Batch) -> list[tuple[str, bool]]:
    turns = batch.turns
    assert turns is not None
    seen = [see(model, torch.from_numpy(p), g) for p, g in zip(batch.pixels, batch.grids, strict=True)]
    turn = torch.from_numpy(turns.turn)
    out = read(
        model, torch.from_numpy(turns.opening), batch.grids, seen,
        torch.from_numpy(turns.ids), turn, torch.from_numpy(turns.offset),
    )  # fmt: skip
    asked = torch.from_numpy(turns.weights) > 0
    wrong = torch.zeros_like(turn, dtype=torch.bool)
    wrong[asked] = model.lm_head(out.last[asked]).argmax(-1) != torch.from_numpy(turns.targets)[asked]
    return [
        (kind, not bool(wrong[row][turn[row] == index].any()))
        for row, kinds in enumerate(turns.kinds)
        for index, kind in enumerate(kinds)
    ]


def summary(counts: dict[str, tuple[int, int]]) -> str:
    """One line: all, then each kind, in per cent."""
    right, asked = (sum(pair[i] for pair in counts.values()) for i in (0, 1))
    parts = [f"all {100 * right / max(1, asked):.1f} (n={asked})"]
    return "  ".join(parts + [f"{kind} {100 * r / n:.0f}" for kind, (r, n) in counts.items()])

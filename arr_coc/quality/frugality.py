"""What leaving the budget to the server saves: tokens of ``auto`` over those of fixed budgets that are as right.

Owns the arithmetic. Knows nothing of how anything was asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from arr_coc.quality.journal import Record

EVERYWHERE = "all sizes"
FIXED = "ours"


@dataclass(frozen=True, slots=True)
class Frugality:
    """``auto`` against one budget for all, on the same questions.

    ``fixed_tokens`` is what a fixed budget spends to be as right, between those that were asked; where none
    is (``reached`` is false), what the most right of them spends.
    """

    mix: str
    n: int
    right: float  # percent, auto's
    tokens: float  # mean, auto's
    fixed_right: float  # percent, of the best fixed budget
    fixed_tokens: float
    reached: bool

    @property
    def ratio(self) -> float:
        return self.tokens / self.fixed_tokens


def frugality(mix: str, records: Sequence[Record]) -> Frugality | None:
    """None where ``auto`` or fixed budgets were not asked the same questions."""
    auto = {record.item: record for record in records if record.way == "auto"}
    budgets = sorted({r.budget for r in records if r.way == FIXED and r.budget is not None})
    fixed = [{r.item: r for r in records if r.way == FIXED and r.budget == budget} for budget in budgets]
    common = sorted(set(auto).intersection(*fixed)) if fixed else []
    if not common:
        return None
    right, tokens = _mean([auto[item] for item in common])
    points = sorted(_mean([asked[item] for item in common])[::-1] for asked in fixed)
    enough = _tokens_for(right, points)
    best_tokens, best_right = max(points, key=lambda point: (point[1], -point[0]))
    return Frugality(mix, len(common), right, tokens, best_right, enough or best_tokens, enough is not None)


def _tokens_for(right: float, points: Sequence[tuple[float, float]]) -> float | None:
    """Least tokens at which the line through ``points`` (tokens, right), tokens ascending, is at ``right``."""
    if points[0][1] >= right:
        return points[0][0]
    for (tokens, below), (more, above) in pairwise(points):
        if above >= right:
            return tokens + (more - tokens) * (right - below) / (above - below)
    return None


def _mean(records: Sequence[Record]) -> tuple[float, float]:
    """Percent right, and mean tokens."""
    return (
        100 * float(np.mean([record.score for record in records])),
        float(np.mean([record.tokens for record in records])),
    )

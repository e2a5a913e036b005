"""The multiple-choice knapsack: at most one option of each group, within a budget, for the most value.

Exact, by dynamic programming over the budget. Knows nothing of what the options are.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def knapsack(groups: Sequence[Sequence[tuple[int, int]]], budget: int, picks: int) -> list[tuple[int, int]]:
    """The most valuable choice of at most one ``(cost, value)`` a group, exactly.

    Total cost stays within ``budget`` and at most ``picks`` groups are chosen from. Returns
    (group, option) pairs; among equal choices always the same one.
    """
    best = np.zeros((picks + 1, budget + 1), np.int64)  # value reachable within [picks, tokens]
    taken = []
    for group in groups:
        ways = np.stack([best, *(_with(best, cost, value) for cost, value in group)])
        taken.append(ways.argmax(axis=0))  # 0: none of this group
        best = ways.max(axis=0)
    chosen = []
    pick, left = picks, budget
    for index in reversed(range(len(groups))):
        if option := int(taken[index][pick, left]):
            chosen.append((index, option - 1))
            pick, left = pick - 1, left - groups[index][option - 1][0]
    return chosen[::-1]


def _with(best: NDArray[np.int64], cost: int, value: int) -> NDArray[np.int64]:
    """Best values when one more pick of ``cost`` and ``value`` is made; -1 where it does not fit."""
    reached = np.full_like(best, -1)
    if cost < best.shape[1]:
        reached[1:, cost:] = best[:-1, : best.shape[1] - cost] + value
    return reached

"""How much of each slot a decode step reads. Pure arithmetic."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

BUCKET = 128  # views grow in steps of this many tokens: shapes repeat, attention reads little excess
APART = 256
"""Tokens that one more product of attention is worth, on a CPU. With Qwen3-VL's kernels a row of 1,024 tokens
took 63 us and a further product 17; anywhere else a launch costs more than what it would leave out."""

Band = tuple[int, int, int]
"""Neighbouring rows that are read equally far: the first, the one behind the last, and how far."""


def bucketed(length: int, max_length: int) -> int:
    """``length`` rounded up to the next view size."""
    return min(-(-length // BUCKET) * BUCKET, max_length)


def bands(lengths: Sequence[int], max_length: int) -> tuple[Band, ...]:
    """Neighbouring rows of like ``lengths`` together, so that all of them read least, each band at the
    price of ``APART`` tokens."""
    return _cheapest(tuple(bucketed(length, max_length) for length in lengths))


@lru_cache(maxsize=64)
def _cheapest(sizes: tuple[int, ...]) -> tuple[Band, ...]:
    best, begins = [0], [0]  # of the first rows: their price, and where their last band begins
    for end in range(1, len(sizes) + 1):
        widest, price, begin = 0, float("inf"), end
        for first in range(end - 1, -1, -1):
            widest = max(widest, sizes[first])
            whole = best[first] + widest * (end - first) + APART
            if whole <= price:
                price, begin = whole, first
        best.append(int(price))
        begins.append(begin)
    cuts = [len(sizes)]
    while cuts[-1]:
        cuts.append(begins[cuts[-1]])
    return tuple((first, end, max(sizes[first:end])) for first, end in pairwise(reversed(cuts)))

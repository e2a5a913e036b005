"""How much a cell's lightness varies: the entropy of its histogram.

Cells reach 25 % over each of their edges. Pixels are counted once, into quarter cells, of which a padded
cell has 6 x 6. Knows nothing of colours.
"""

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from arr_coc.types import Floats, Grid

BINS = 32


def lightness_entropy(light: Floats, grid: Grid) -> Floats:
    """Shannon entropy of each cell's lightness, as a share of its maximum: ``[grid.rows, grid.cols]``.

    ``light`` ``[H, W]`` is L* / 100, which is sorted into 32 bins; the maximum is 5 bits.
    """
    counts = _padded_sums(_padded_sums(_quarter_counts(light, grid), 0), 1)  # [rows, cols, bins]
    p = counts / counts.sum(axis=2, keepdims=True)
    bits = -(p * np.log2(np.where(p > 0, p, 1))).sum(axis=2)
    return np.asarray(bits / math.log2(BINS), np.float32)


def _quarter_counts(light: Floats, grid: Grid) -> NDArray[np.int32]:
    """Pixels in each bin, by quarter cell: ``[4 * rows, 4 * cols, BINS]``."""
    height, width = light.shape
    rows, cols, bins = 4 * grid.rows, 4 * grid.cols, BINS + 1  # white has its own until the end
    small = np.dtype(np.int16 if cols * bins < 2**15 else np.int32)
    col = (_quarter(width, cols) * bins).astype(small)
    tops = np.searchsorted(_quarter(height, rows), np.arange(rows + 1)).tolist()
    counts = np.zeros((rows, cols * bins), np.int32)
    for row, (top, bottom) in enumerate(pairwise(tops)):
        place = (light[top:bottom] * np.float32(BINS)).astype(small)
        place += col
        counts[row] = np.bincount(place.ravel(), minlength=cols * bins)
    levels = counts.reshape(rows, cols, bins)
    levels[..., -2] += levels[..., -1]
    return levels[..., :-1]


def _quarter(pixels: int, quarters: int) -> NDArray[np.int32]:
    """The quarter cell that each pixel's middle lies in, along one axis."""
    return ((np.arange(pixels) + 0.5) * quarters / pixels).astype(np.int32)


def _padded_sums(counts: NDArray[np.int32], axis: int) -> NDArray[np.int32]:
    """Sums of each four neighbours along ``axis`` with one more on each side."""
    quarters = np.moveaxis(counts, axis, 0)
    sums = quarters.reshape(-1, 4, *quarters.shape[1:]).sum(axis=1, dtype=np.int32)
    sums[1:] += quarters[3:-1:4]
    sums[:-1] += quarters[4::4]
    return np.moveaxis(sums, 0, axis)

"""Means over the cells of a grid that a picture is divided into evenly.

A pixel across an edge counts in both cells, by its share. Pixels come in bands of rows, so that what is
worked on stays in the processor's cache. Knows nothing of what the pixels hold.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from arr_coc.types import Floats, Grid

_BAND = 32  # pixel rows


def bands(height: int) -> Iterator[slice]:
    """The rows of a picture, band by band."""
    return (slice(top, min(top + _BAND, height)) for top in range(0, height, _BAND))


class CellMeans:
    """Cell means of ``planes`` that come band by band."""

    def __init__(self, planes: int, height: int, width: int, grid: Grid) -> None:
        self._grid = grid
        self._shares = shares(grid.rows, height)
        self.rows: Floats = np.zeros((planes, grid.rows, width), np.float32)
        """Means down the cells, of every pixel column: ``[planes, grid.rows, W]``."""

    def add(self, band: slice, values: Floats) -> None:
        """Take in ``values`` ``[planes, h, W]`` of the pixel rows ``band``."""
        cells, height = self._shares.shape
        touched = slice(band.start * cells // height, -(-band.stop * cells // height))
        self.rows[:, touched] += self._shares[touched, band] @ values

    def cells(self) -> Floats:
        """The means ``[planes, grid.rows, grid.cols]``, once all bands are in."""
        return self.rows @ shares(self._grid.cols, self.rows.shape[2]).T


def cell_means(plane: Floats, grid: Grid) -> Floats:
    """The means ``[1, grid.rows, grid.cols]`` of a plane ``[H, W]``."""
    height, width = plane.shape
    means = CellMeans(1, height, width, grid)
    for band in bands(height):
        means.add(band, plane[None, band])
    return means.cells()


@lru_cache(maxsize=256)
def shares(cells: int, pixels: int) -> Floats:
    """Share of each pixel in each cell's mean along one axis: ``[cells, pixels]``, rows sum to one."""
    edges = np.arange(cells + 1) * (pixels / cells)
    pixel = np.arange(pixels)
    covered = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return np.asarray(np.clip(covered, 0, 1) * (cells / pixels), np.float32)

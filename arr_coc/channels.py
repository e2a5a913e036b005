"""The 13 channels and the lost detail: what a picture is made of, cell by cell.

Owns the measures, with constants that are fixed, so that no picture's texture depends on another's.
Everything is measured on the picture averaged down to at most 1,024 pixels a side, except that a* and b*,
which need no more, are measured on the first view. Knows nothing of files, budgets or questions.

| channel | holds | range |
|---|---|---|
| 0-2 | R, G, B, gamma-encoded | 0..1 |
| 3 | L* / 100 (CIELAB, D65) | 0..1 |
| 4, 5 | (a* + 128) / 255, (b* + 128) / 255 | 0..1 |
| 6, 7 | twice the mean of abs Gx, abs Gy (Sobel / 8 on L* / 100) | 0..1 |
| 8 | mean gradient magnitude over its maximum, sqrt(5) / 4 | 0..1 |
| 9, 10 | y, x of the cell's centre | 0..1 |
| 11 | eccentricity: distance to the picture's centre over half its diagonal | 0..1 |
| 12 | entropy of a 32-bin L* histogram of the cell, padded by 25 % a side, over 5 bits | 0..1 |
"""

import math

import numpy as np
from PIL import Image

from arr_coc.cells import CellMeans, bands, cell_means, shares
from arr_coc.cielab import chroma_of, lightness, lightness_of, responses
from arr_coc.entropy import lightness_entropy
from arr_coc.types import Floats, Grid, Pixels

TEXTURE_SIDE = 1024  # longest side, in pixels, at which texture is measured
VISIBLE_LOSS = 0.08  # RMS of lost L* / 100 that counts as losing everything

_SLOPE_SCALE = np.array([2, 2, 4 / math.sqrt(5)], np.float32)[:, None, None] / 8


def reduced(picture: Image.Image) -> Image.Image:
    """``picture``, averaged down where a side is longer than ``TEXTURE_SIDE`` pixels."""
    shrink = TEXTURE_SIDE / max(picture.size)
    if shrink >= 1:
        return picture
    size = (max(1, round(picture.width * shrink)), max(1, round(picture.height * shrink)))
    # In whole steps as far as they go: Pillow averages whole pixels four times as fast.
    return picture.resize(size, Image.Resampling.BOX, reducing_gap=1.0)


def measure(pixels: Pixels, view: Pixels, grid: Grid) -> tuple[Floats, Floats]:
    """The channels ``[13, rows, cols]`` and the lost detail ``[rows, cols]`` of an upright RGB picture.

    ``pixels`` ``[H, W, 3]`` are those of the picture, ``reduced``; ``view`` is how it is first looked at.
    Lost detail, 0..1, is the RMS over a cell of the lightness that is missing from the view when it is
    enlarged again.
    """
    height, width = pixels.shape[:2]
    bordered = np.empty((height + 2, width + 2), np.float32)
    light = bordered[1:-1, 1:-1]
    for band in bands(height):
        light[band] = lightness(pixels[band])
    complete = view.shape[0] >= height and view.shape[1] >= width
    chroma, seen = _chroma(pixels if complete else view, grid)
    channels = [
        _levels(pixels, grid),
        cell_means(light, grid),
        chroma,
        _slopes(_reflected(bordered), grid),
        _places(height, width, grid),
        lightness_entropy(light, grid)[None],
    ]
    lost = np.zeros((grid.rows, grid.cols), np.float32) if complete else _lost_detail(light, seen, grid)
    return np.clip(np.concatenate(channels), 0, 1).astype(np.float32), lost


def _levels(pixels: Pixels, grid: Grid) -> Floats:
    """Channels 0-2."""
    height, width = pixels.shape[:2]
    means = CellMeans(1, height, 3 * width, grid)  # R, G and B side by side, as they lie
    for band in bands(height):
        means.add(band, pixels[band].reshape(1, -1, 3 * width).astype(np.float32))
    cells = shares(grid.cols, width) @ means.rows.reshape(grid.rows, width, 3)
    return np.asarray(cells.transpose(2, 0, 1) / 255, np.float32)


def _chroma(pixels: Pixels, grid: Grid) -> tuple[Floats, Floats]:
    """Channels 4 and 5, and the lightness ``[H, W]`` of ``pixels`` ``[H, W, 3]``."""
    height, width = pixels.shape[:2]
    means, light = CellMeans(3, height, width, grid), np.empty((height, width), np.float32)
    for band in bands(height):
        response = responses(np.ascontiguousarray(pixels[band].transpose(2, 0, 1)))
        means.add(band, response)
        light[band] = lightness_of(response[1])
    return np.asarray((chroma_of(means.cells()) + 128) / 255, np.float32), light


def _reflected(bordered: Floats) -> Floats:
    """Fill the border of ``bordered`` ``[H + 2, W + 2]`` with what lies one pixel behind its edge."""
    for lines in (bordered, bordered.T):
        inner = len(lines) - 2
        lines[0], lines[-1] = lines[min(2, inner)], lines[max(-3, -inner - 1)]
    return bordered


def _slopes(bordered: Floats, grid: Grid) -> Floats:
    """Channels 6-8: Sobel / 8 over lightness ``[H + 2, W + 2]``."""
    height, width = bordered.shape[0] - 2, bordered.shape[1] - 2
    means = CellMeans(3, height, width + 2, grid)
    for band in bands(height):
        means.add(band, _sobel(bordered[band.start : band.stop + 2]))
    cells = means.rows[:, :, :width] @ shares(grid.cols, width).T
    return np.asarray(cells * _SLOPE_SCALE, np.float32)


def _sobel(around: Floats) -> Floats:
    """abs Gx, abs Gy and their magnitude of a band, from it and its border ``[h + 2, W + 2]``.

    Rows are taken end to end, which is faster; so in the result ``[3, h, W + 2]`` the last two columns
    mean nothing.
    """
    width, line = around.shape[1], around.ravel()
    slopes = np.zeros((3, line.size - 2 * width), np.float32)
    across, down, magnitude = slopes[:, :-2]
    pairs = line[:-width] + line[width:]
    smooth = pairs[:-width] + pairs[width:]  # 1 2 1
    np.subtract(smooth[2:], smooth[:-2], out=across)
    steps = line[2 * width :] - line[: -2 * width]
    pairs = steps[:-1] + steps[1:]
    np.add(pairs[:-1], pairs[1:], out=down)
    np.multiply(across, across, out=magnitude)
    magnitude += down * down
    np.sqrt(magnitude, out=magnitude)
    np.abs(slopes[:2], out=slopes[:2])
    return slopes.reshape(3, -1, width)


def _places(height: int, width: int, grid: Grid) -> Floats:
    """Channels 9-11."""
    y, x = np.meshgrid(
        (np.arange(grid.rows) + 0.5) / grid.rows, (np.arange(grid.cols) + 0.5) / grid.cols, indexing="ij"
    )
    eccentricity = np.hypot((x - 0.5) * width, (y - 0.5) * height) / (0.5 * math.hypot(width, height))
    return np.stack([y, x, eccentricity]).astype(np.float32)


def _lost_detail(light: Floats, seen: Floats, grid: Grid) -> Floats:
    """From the lightness of the picture ``[H, W]`` and of its view."""
    (height, width), rows = light.shape, len(seen)
    wide = np.asarray(Image.fromarray(seen).resize((width, rows), Image.Resampling.BILINEAR))
    at = np.clip((np.arange(height) + 0.5) * (rows / height) - 0.5, 0, rows - 1)
    above = at.astype(np.intp)
    below, share = np.minimum(above + 1, rows - 1), (at - above).astype(np.float32)[:, None]
    power = CellMeans(1, height, width, grid)
    for band in bands(height):  # enlarged downwards only where it is used, so that it stays in the cache
        upper, lower = wide[above[band]], wide[below[band]]
        missing = light[band] - upper - share[band] * (lower - upper)
        power.add(band, np.square(missing)[None])
    return np.asarray(np.clip(np.sqrt(power.cells()[0]) / VISIBLE_LOSS, 0, 1), np.float32)

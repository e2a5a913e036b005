"""The 13 channels and the lost detail: what a picture is made of, cell by cell.

Owns the measures, with constants that are fixed, so that no picture's texture depends on another's.
Knows nothing of files, budgets or questions.

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
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from arr_coc.types import Floats, Grid, Pixels

TEXTURE_SIDE = 1024  # longest side, in pixels, at which texture is measured
ENTROPY_BINS = 32
VISIBLE_LOSS = 0.08  # RMS of lost L* / 100 that counts as losing everything

_BAND = 32  # pixel rows worked on together: what is in hand stays in the cache
_LEVELS = np.arange(256) / 255
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4).astype(np.float32)
_XYZ = np.array(  # linear sRGB to XYZ (IEC 61966-2-1)
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_XYZ_OVER_WHITE = (_XYZ / _XYZ.sum(axis=1, keepdims=True)).astype(np.float32)
_KNEE = np.float32((6 / 29) ** 3)  # below, CIELAB's cube root goes on as a straight line
_SLOPE = np.float32(841 / 108)


def measure(picture: Image.Image, view: Pixels, grid: Grid) -> tuple[Floats, Floats]:
    """The channels ``[13, rows, cols]`` and the lost detail ``[rows, cols]`` of an upright RGB picture.

    ``view`` ``[H, W, 3]`` is the picture as it is first looked at. Lost detail, 0..1, is the RMS over a
    cell of the lightness that is missing from the view when it is enlarged again.
    """
    pixels = np.asarray(_reduced(picture))
    colors, lightness = _colors(pixels, grid)
    channels = np.concatenate([colors, _gradients(lightness, grid), _places(lightness.shape, grid)])
    entropy = _entropy(lightness, grid) / math.log2(ENTROPY_BINS)
    channels = np.clip(np.concatenate([channels, entropy[None]]), 0, 1).astype(np.float32)
    return channels, _lost_detail(lightness, view, grid)


def _reduced(picture: Image.Image) -> Image.Image:
    shrink = TEXTURE_SIDE / max(picture.size)
    if shrink >= 1:
        return picture
    size = (max(1, round(picture.width * shrink)), max(1, round(picture.height * shrink)))
    return picture.resize(size, Image.Resampling.BOX)


def _colors(pixels: Pixels, grid: Grid) -> tuple[Floats, Floats]:
    """Channels 0-5 and the lightness ``[H, W]`` (L* / 100) of every pixel."""
    height, width = pixels.shape[:2]
    shares = _shares(grid.rows, height)
    bands = np.zeros((6, grid.rows, width), np.float32)
    lightness = np.empty((height, width), np.float32)
    for top in range(0, height, _BAND):
        band = pixels[top : top + _BAND].transpose(2, 0, 1)  # [3, h, W]
        response = _responses(band)
        lightness[top : top + _BAND] = _lightness(response[1])
        bands[:3] += shares[:, top : top + _BAND] @ band.astype(np.float32)
        bands[3:] += shares[:, top : top + _BAND] @ response
    red, green, blue, fx, fy, fz = bands @ _shares(grid.cols, width).T
    alpha, beta = 500 * (fx - fy), 200 * (fy - fz)
    rgb = [red / 255, green / 255, blue / 255]
    return np.stack([*rgb, _lightness(fy), (alpha + 128) / 255, (beta + 128) / 255]), lightness


def _responses(planes: Pixels) -> Floats:
    """CIELAB's f(X/Xn), f(Y/Yn), f(Z/Zn) ``[3, h, W]`` of R, G, B; L*, a* and b* are linear in them."""
    return _curve(_XYZ_OVER_WHITE @ np.take(_LINEAR, planes).reshape(3, -1)).reshape(planes.shape)


def _curve(xyz: Floats) -> Floats:
    below = np.minimum(xyz - _KNEE, 0) * _SLOPE
    return np.asarray(np.cbrt(np.maximum(xyz, _KNEE)) + below, np.float32)


def _lightness(response: Floats) -> Floats:
    return response * np.float32(1.16) - np.float32(0.16)


def _gradients(lightness: Floats, grid: Grid) -> Floats:
    """Channels 6-8: Sobel / 8, the border reflected without its edge."""
    height, width = lightness.shape
    padded = np.pad(lightness, 1, mode="reflect")
    shares = _shares(grid.rows, height)
    bands = np.zeros((3, grid.rows, width), np.float32)
    for top in range(0, height, _BAND):
        around = padded[top : top + _BAND + 2]  # [h + 2, W + 2]
        across, down = around[:, 2:] - around[:, :-2], around[2:] - around[:-2]
        gx = across[:-2] + 2 * across[1:-1] + across[2:]
        gy = down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]
        slopes = np.stack([np.abs(gx), np.abs(gy), np.sqrt(gx * gx + gy * gy)]) / 8
        bands += shares[:, top : top + _BAND] @ slopes
    scale = np.array([2, 2, 4 / math.sqrt(5)], np.float32)[:, None, None]
    return np.asarray(bands @ _shares(grid.cols, width).T * scale, np.float32)


def _places(shape: tuple[int, ...], grid: Grid) -> Floats:
    """Channels 9-11."""
    height, width = shape
    y, x = np.meshgrid(
        (np.arange(grid.rows) + 0.5) / grid.rows, (np.arange(grid.cols) + 0.5) / grid.cols, indexing="ij"
    )
    eccentricity = np.hypot((x - 0.5) * width, (y - 0.5) * height) / (0.5 * math.hypot(width, height))
    return np.stack([y, x, eccentricity]).astype(np.float32)


def _entropy(lightness: Floats, grid: Grid) -> Floats:
    """Entropy, in bits, of each cell's lightness histogram; cells reach 25 % over each edge.

    Pixels are counted once, into quarter cells; a padded cell is 6 x 6 of them.
    """
    height, width = lightness.shape
    rows, cols = 4 * grid.rows, 4 * grid.cols
    bins = ENTROPY_BINS + 1  # white has one of its own, until it is joined to the last
    place = (lightness * np.float32(ENTROPY_BINS)).astype(np.intp)
    place += ((np.arange(height) + 0.5) * rows / height).astype(np.intp)[:, None] * (cols * bins)
    place += ((np.arange(width) + 0.5) * cols / width).astype(np.intp) * bins
    counts = np.bincount(place.ravel(), minlength=rows * cols * bins).reshape(rows, cols, bins)
    counts = _padded_sums(_padded_sums(counts, 0), 1)  # [grid.rows, grid.cols, bins]
    counts[..., -2] += counts[..., -1]
    p = counts[..., :-1] / counts[..., :-1].sum(axis=2, keepdims=True)
    return np.asarray(-(p * np.log2(np.where(p > 0, p, 1))).sum(axis=2), np.float32)


def _padded_sums(counts: NDArray[np.intp], axis: int) -> NDArray[np.intp]:
    """Sums of each four neighbours along ``axis`` with one more on each side."""
    quarters = counts.shape[axis]
    running = np.insert(np.cumsum(counts, axis=axis), 0, 0, axis=axis)
    starts = np.arange(0, quarters, 4)
    upper = np.take(running, np.minimum(starts + 5, quarters), axis=axis)
    return upper - np.take(running, np.maximum(starts - 1, 0), axis=axis)


def _lost_detail(lightness: Floats, view: Pixels, grid: Grid) -> Floats:
    height, width = lightness.shape
    if view.shape[0] >= height and view.shape[1] >= width:
        return np.zeros((grid.rows, grid.cols), np.float32)
    luminance = np.take(_LINEAR, view) @ _XYZ_OVER_WHITE[1]
    seen = Image.fromarray(_lightness(_curve(luminance))).resize((width, height), Image.Resampling.BILINEAR)
    missing = lightness - np.asarray(seen)
    power = _shares(grid.rows, height) @ np.square(missing, out=missing) @ _shares(grid.cols, width).T
    return np.asarray(np.clip(np.sqrt(power) / VISIBLE_LOSS, 0, 1), np.float32)


@lru_cache(maxsize=256)
def _shares(cells: int, pixels: int) -> Floats:
    """Share of each pixel in each cell's mean along one axis: ``[cells, pixels]``, rows sum to one.

    With these a cell mean is two small products; a pixel across an edge counts in both cells.
    """
    edges = np.arange(cells + 1) * (pixels / cells)
    pixel = np.arange(pixels)
    covered = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return np.asarray(np.clip(covered, 0, 1) * (cells / pixels), np.float32)

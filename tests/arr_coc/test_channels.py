import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from arr_coc.channels import TEXTURE_SIDE, measure
from arr_coc.foveation import view
from arr_coc.types import Floats, Grid

SIDE = 32


def channels_of(pixels: np.ndarray, grid: Grid) -> Floats:
    return measure(Image.fromarray(pixels), np.zeros((8, 8, 3), np.uint8), grid)[0]


def lost_in(picture: Image.Image, grid: Grid) -> Floats:
    return measure(picture, view(picture, grid, SIDE), grid)[1]


def reference_lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB of one gamma-encoded pixel, by the standards' own formulas."""
    c = rgb / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    xyz = linear @ np.array(
        [
            [0.4124564, 0.2126729, 0.0193339],
            [0.3575761, 0.7151522, 0.1191920],
            [0.1804375, 0.0721750, 0.9503041],
        ]
    )
    t = xyz / np.array([0.95047, 1.0, 1.08883])
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def reference(pixels: np.ndarray, grid: Grid) -> np.ndarray:
    """The table of channels, cell by cell and pixel by pixel; cells must be whole pixels, in fours."""
    height, width = pixels.shape[:2]
    lab = reference_lab(pixels.astype(float))
    light = lab[..., 0] / 100
    padded = np.pad(light, 1, mode="reflect")
    kernel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
    gx = sum(kernel[i, j] * padded[i : i + height, j : j + width] for i in range(3) for j in range(3))
    gy = sum(kernel.T[i, j] * padded[i : i + height, j : j + width] for i in range(3) for j in range(3))
    out = np.zeros((13, grid.rows, grid.cols))
    h, w = height // grid.rows, width // grid.cols
    for i in range(grid.rows):
        for j in range(grid.cols):
            cell = np.s_[i * h : (i + 1) * h, j * w : (j + 1) * w]
            wide = light[
                max(0, i * h - h // 4) : (i + 1) * h + h // 4, max(0, j * w - w // 4) : (j + 1) * w + w // 4
            ]
            p = np.histogram(wide, bins=32, range=(0, 1))[0] / wide.size
            y, x = (i + 0.5) / grid.rows, (j + 0.5) / grid.cols
            out[:, i, j] = [
                *(pixels[cell].mean((0, 1)) / 255),
                light[cell].mean(),
                *((lab[cell][..., 1:].mean((0, 1)) + 128) / 255),
                2 * np.abs(gx[cell]).mean(),
                2 * np.abs(gy[cell]).mean(),
                np.hypot(gx[cell], gy[cell]).mean() / (math.sqrt(5) / 4),
                y,
                x,
                math.hypot((x - 0.5) * width, (y - 0.5) * height) / (0.5 * math.hypot(width, height)),
                -sum(q * math.log2(q) for q in p if q) / 5,
            ]
    return out


@pytest.mark.parametrize(("rows", "cols", "h", "w"), [(2, 3, 8, 16), (5, 1, 4, 12), (3, 4, 16, 8)])
def test_channels_are_the_table(rows: int, cols: int, h: int, w: int) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (rows * h, cols * w, 3), np.uint8)
    pixels[: h // 2] = pixels[: h // 2] // 16  # dark, where CIELAB is linear
    grid = Grid(rows, cols)
    assert np.abs(channels_of(pixels, grid) - reference(pixels, grid)).max() < 2e-4


@given(
    st.integers(1, 9), st.integers(1, 9), st.integers(9, 70), st.integers(9, 70), st.integers(0, 2**32 - 1)
)
def test_any_picture_on_any_grid_stays_in_range(
    rows: int, cols: int, height: int, width: int, seed: int
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 2, (height, width, 3), np.uint8) * 255
    channels = channels_of(pixels, Grid(rows, cols))
    assert channels.shape == (13, rows, cols)
    assert channels.dtype == np.float32
    assert np.isfinite(channels).all()
    assert channels.min() >= 0
    assert channels.max() <= 1
    means = channels[:3].mean(axis=(1, 2))  # cells are equal in size: the mean of means is the mean
    assert np.allclose(means, pixels.mean(axis=(0, 1)) / 255, atol=1e-5)


@pytest.mark.parametrize("level", [0, 255, 119])
def test_a_blank_picture_has_neither_edges_nor_information_nor_color(level: int) -> None:
    channels = channels_of(np.full((48, 64, 3), level, np.uint8), Grid(3, 4))
    assert np.abs(channels[6:9]).max() < 1e-6
    assert np.abs(channels[12]).max() < 1e-6
    assert np.allclose(channels[4:6], 128 / 255, atol=1e-4)
    assert np.allclose(channels[:3], level / 255, atol=1e-5)


def test_the_longest_picture_still_fills_every_cell() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 3200, 3), np.uint8)
    channels = channels_of(pixels, Grid(1, 100))
    assert channels[12].min() > 0


def test_large_pictures_are_averaged_down_first() -> None:
    fine = np.zeros((2 * TEXTURE_SIDE, 2 * TEXTURE_SIDE, 3), np.uint8)
    fine[::2, ::2] = fine[1::2, 1::2] = 255  # averages to even grey
    channels = channels_of(fine, Grid(2, 2))
    assert np.abs(channels[6:9]).max() < 1e-6
    assert np.allclose(channels[0], 0.5, atol=0.01)


def test_only_what_the_view_cannot_show_is_lost() -> None:
    pixels = np.full((512, 512, 3), 200, np.uint8)
    pixels[:128, :128][np.indices((128, 128)).sum(0) % 4 < 2] = 0  # fine lines in one corner
    lost = lost_in(Image.fromarray(pixels), Grid(4, 4))
    assert lost[0, 0] == 1
    assert lost[2:, 2:].max() < 0.01


def test_a_view_at_full_size_loses_nothing() -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8))
    assert not lost_in(picture, Grid(4, 4)).any()

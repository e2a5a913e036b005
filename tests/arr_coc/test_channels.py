import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from arr_coc.cells import cell_means
from arr_coc.channels import TEXTURE_SIDE, VISIBLE_LOSS, measure, reduced
from arr_coc.cielab import lightness
from arr_coc.foveation import view
from arr_coc.types import Floats, Grid
from tests.arr_coc.test_cielab import reference_lab

SIDE = 32


def measured(pixels: np.ndarray, grid: Grid, side: int = SIDE) -> tuple[Floats, Floats]:
    picture = Image.fromarray(pixels)
    return measure(np.asarray(reduced(picture)), view(picture, grid, side), grid)


def channels_of(pixels: np.ndarray, grid: Grid) -> Floats:
    return measured(pixels, grid)[0]


def lost_in(pixels: np.ndarray, grid: Grid) -> Floats:
    return measured(pixels, grid)[1]


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
    lost = lost_in(pixels, Grid(4, 4))
    assert lost[0, 0] == 1
    assert lost[2:, 2:].max() < 0.01


def test_a_view_at_full_size_loses_nothing() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    assert not lost_in(pixels, Grid(4, 4)).any()


@pytest.mark.parametrize(("width", "height"), [(700, 500), (333, 640), (1024, 301)])
def test_lost_detail_is_what_enlarging_the_view_does_not_bring_back(width: int, height: int) -> None:
    rng = np.random.default_rng(2)
    picture = Image.fromarray(rng.integers(0, 256, (height // 3, width // 3, 3), np.uint8))
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    seen = view(picture, Grid(7, 9), 16)
    light = lightness(np.asarray(picture))
    enlarged = Image.fromarray(lightness(seen)).resize((width, height), Image.Resampling.BILINEAR)
    missing = cell_means((light - np.asarray(enlarged)) ** 2, Grid(7, 9))[0]
    lost = measured(np.asarray(picture), Grid(7, 9), side=16)[1]
    assert np.allclose(lost, np.minimum(np.sqrt(missing) / VISIBLE_LOSS, 1), atol=1e-4)


def test_chroma_is_the_same_on_the_view() -> None:
    rng = np.random.default_rng(4)
    patches = Image.fromarray(rng.integers(0, 256, (7, 7, 3), np.uint8))
    pixels = np.asarray(patches.resize((500, 500), Image.Resampling.BICUBIC))
    grid = Grid(5, 5)
    on_the_view, on_the_picture = (measured(pixels, grid, side)[0] for side in (32, 128))
    assert np.abs(on_the_view - on_the_picture).max() < 2e-3


@pytest.mark.parametrize("side", [1500, 2048, 2500])
def test_reducing_in_steps_is_averaging(side: int) -> None:
    smooth = Image.fromarray(np.random.default_rng(6).integers(0, 256, (40, 30, 3), np.uint8))
    picture = smooth.resize((side, side * 3 // 4), Image.Resampling.BICUBIC)
    small = reduced(picture)
    assert small.size == (TEXTURE_SIDE, TEXTURE_SIDE * 3 // 4)
    plain = picture.resize(small.size, Image.Resampling.BOX)
    assert np.square(np.asarray(small).astype(int) - np.asarray(plain)).mean() < 2


def test_a_picture_that_is_small_enough_is_not_reduced() -> None:
    picture = Image.new("RGB", (TEXTURE_SIDE, 300))
    assert reduced(picture) is picture

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arr_coc.entropy import lightness_entropy
from arr_coc.types import Grid


def one_cell(light: np.ndarray) -> float:
    return float(lightness_entropy(light.astype(np.float32), Grid(1, 1))[0, 0])


@pytest.mark.parametrize(("levels", "bits"), [(1, 0), (2, 1), (8, 3), (32, 5)])
def test_even_levels_have_the_logarithm_of_their_number(levels: int, bits: int) -> None:
    light = np.tile((np.arange(32) % levels + 0.5) / levels, (8, 1))
    assert one_cell(light) == pytest.approx(bits / 5, abs=1e-6)


def test_white_is_a_lightness_like_any_other() -> None:
    light = np.ones((8, 8))
    light[:, :4] = 31.5 / 32  # in the last bin too
    assert one_cell(light) == 0
    light[:, :4] = np.nextafter(np.float32(1), np.float32(2))  # rounding may go beyond
    assert one_cell(light) == 0


def test_a_cell_reaches_a_quarter_over_its_edges() -> None:
    light = np.zeros((16, 48), np.float32)
    light[:, 32:36] = 1  # the third cell's first quarter
    entropy = lightness_entropy(light, Grid(1, 3))[0]
    assert entropy[0] == 0
    shares = np.array([4 / 24, 20 / 24])
    assert entropy[1] == pytest.approx(-(shares * np.log2(shares)).sum() / 5, abs=1e-6)


@given(
    st.integers(1, 5), st.integers(1, 5), st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1)
)
def test_any_grid_counts_what_lies_in_the_padded_cell(
    rows: int, cols: int, height: int, width: int, seed: int
) -> None:
    height, width = max(height, rows), max(width, cols)
    light = np.random.default_rng(seed).random((height, width), np.float32)
    entropy = lightness_entropy(light, Grid(rows, cols))
    y = np.floor((np.arange(height) + 0.5) * 4 * rows / height)
    x = np.floor((np.arange(width) + 0.5) * 4 * cols / width)
    for i in range(rows):
        for j in range(cols):
            inside = light[(y >= 4 * i - 1) & (y <= 4 * i + 4)][:, (x >= 4 * j - 1) & (x <= 4 * j + 4)]
            p = np.histogram(inside, bins=32, range=(0, 1))[0] / inside.size
            assert entropy[i, j] == pytest.approx(-sum(q * math.log2(q) for q in p if q) / 5, abs=1e-5)

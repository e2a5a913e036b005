import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from arr_coc.cells import CellMeans, bands, cell_means, shares
from arr_coc.types import Grid


@given(st.integers(1, 40), st.integers(1, 200))
def test_every_pixel_is_shared_out_once(cells: int, pixels: int) -> None:
    part = shares(cells, pixels)
    assert np.allclose(part.sum(axis=1), 1, atol=1e-5)
    assert np.allclose(part.sum(axis=0) * pixels / cells, 1, atol=1e-5)
    assert part.min() >= 0


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 100), st.integers(1, 70))
def test_a_mean_is_the_area_weighted_mean(rows: int, cols: int, height: int, width: int) -> None:
    plane = np.random.default_rng(height).random((height, width), np.float32)
    fine = np.repeat(np.repeat(plane, rows, axis=0), cols, axis=1)  # where every cell is whole pixels
    expected = fine.reshape(rows, height, cols, width).mean(axis=(1, 3))
    assert np.allclose(cell_means(plane, Grid(rows, cols))[0], expected, atol=1e-5)


def test_bands_cover_every_row_once() -> None:
    for height in (1, 31, 32, 33, 100):
        rows = [row for band in bands(height) for row in range(height)[band]]
        assert rows == list(range(height))


def test_planes_are_kept_apart() -> None:
    planes = np.random.default_rng(0).random((2, 50, 20), np.float32)
    means = CellMeans(2, 50, 20, Grid(3, 4))
    for band in bands(50):
        means.add(band, planes[:, band])
    for plane, mean in zip(planes, means.cells(), strict=True):
        assert np.array_equal(mean, cell_means(plane, Grid(3, 4))[0])

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arr_coc.types import Allocation, Balance, Box, Candidate, Grid, Patch, Scores, TexturedPicture
from arr_coc.whole import finer_grid, is_whole, seen_whole

NOTHING = np.zeros((1, 1, 3), np.uint8)
SCORES = Scores(0.0, 0.0, 0.0, 0.0)
PART = Patch(Box(0, 0, 256, 256), Grid(8, 8), SCORES, 0.25)


def picture(width: int, height: int, grid: Grid, budget: int, native: int) -> TexturedPicture:
    channels = np.zeros((13, *grid.shape), np.float32)
    lost = np.ones(grid.shape, np.float32)
    return TexturedPicture(
        width, height, "zoom", budget, grid, NOTHING, channels, lost, NOTHING, native, 0.0, b"", auto=True
    )


def allocation(grid: Grid, *patches: Patch) -> Allocation:
    flat = np.full(grid.shape, 0.5, np.float32)
    return Allocation(patches, Balance(0.25, 0.25, 0.5), flat, np.stack([flat] * 3), budget=324)


SQUARE = picture(2048, 2048, Grid(12, 12), 144 + 324, 4096)


def test_all_that_is_left_goes_into_one_view_of_everything() -> None:
    seen = seen_whole(SQUARE, allocation(SQUARE.grid, PART))
    assert seen is not None
    (patch,) = seen.patches
    assert (patch.box, patch.grid) == (Box(0, 0, 2048, 2048), Grid(18, 18))
    assert is_whole(patch, SQUARE)
    assert not is_whole(PART, SQUARE)
    assert patch.scores == Scores(0.5, 0.5, 0.5, 0.5)
    assert patch.value == pytest.approx(np.log(18 / 12) / np.log(64 / 12), abs=1e-6)
    assert seen.best_left == Candidate(PART.box, PART.grid, PART.value, limit="whole")


def test_where_no_part_was_worth_its_tokens_that_stays_told() -> None:
    left = Candidate(PART.box, PART.grid, 0.01, limit="worth")
    seen = seen_whole(SQUARE, replace(allocation(SQUARE.grid), best_left=left))
    assert seen is not None
    assert seen.best_left == left


@pytest.mark.parametrize(
    "changed",
    [
        replace(SQUARE, budget=144 + 224),  # not 1.25 times as fine
        replace(SQUARE, route="direct"),
        replace(SQUARE, native_tokens=200),
        replace(SQUARE, grid=Grid(12, 12, queries=32)),
        replace(SQUARE, lost_detail=np.zeros((12, 12), np.float32)),
    ],
)
def test_a_view_that_shows_no_more_is_not_taken(changed: TexturedPicture) -> None:
    assert finer_grid(changed) is None
    assert seen_whole(changed, allocation(changed.grid, PART)) is None


@given(
    st.integers(500, 9000),
    st.integers(500, 9000),
    st.integers(4, 20),
    st.integers(4, 20),
    st.integers(64, 2000),
)
def test_it_is_finer_and_within_the_budget(
    width: int, height: int, rows: int, cols: int, budget: int
) -> None:
    native = max(1, round(width / 32)) * max(1, round(height / 32))
    shown = picture(width, height, Grid(rows, cols), budget, native)
    grid = finer_grid(shown)
    if grid is not None:
        assert grid.tokens <= min(budget - rows * cols, 400, native)
        assert grid == finer_grid(shown)

"""Allocation problems of all shapes."""

import numpy as np
from hypothesis import strategies as st

from arr_coc.offers import Frame
from arr_coc.types import Floats, Grid

Problem = tuple[Floats, Floats, Frame]  # relevance and lost detail [rows, cols], and the picture's frame


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    width, height = draw(st.integers(500, 5000)), draw(st.integers(500, 5000))
    grid = Grid(draw(st.integers(4, 16)), draw(st.integers(4, 16)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    power = draw(st.sampled_from([0, 1, 8]))
    relevance, lost = rng.random((2, grid.rows, grid.cols)) ** power
    frame = Frame(width, height, grid, draw(st.sampled_from([28, 32])), draw(st.sampled_from([1.0, 0.5])))
    return relevance.round(3).astype(np.float32), lost.round(3).astype(np.float32), frame

"""The drawing of one request's way."""

import numpy as np
import pytest
from PIL import Image

from arr_coc.figure import INK, Sight, draw
from arr_coc.types import Box, Grid
from tests.serve_app.fakes import report

RELEVANCE = np.array([[0.0, 0.0], [0.0, 1.0]], np.float32)


def sight(**changes: object) -> Sight:
    told = {"width": 400, "height": 200, "grid": Grid(2, 2), "relevance": None, "patches": []}
    return Sight(**{**told, "answer": "red", "visual_tokens": 64, "native_tokens": 640, **changes})  # type: ignore[arg-type]


def drawn(scene: Image.Image, what: Sight) -> np.ndarray:
    return np.asarray(draw(scene, "what color?", what))


@pytest.mark.parametrize("scale", [0.5, 1, 4])
def test_patches_lie_where_they_are_at_any_scale(scale: float) -> None:
    scene = Image.new("RGB", (int(400 * scale), int(200 * scale)), "white")
    figure = drawn(scene, sight(patches=[(Box(100, 50, 200, 150), 64)]))
    rows, columns = np.nonzero((figure[: scene.height] == INK).all(-1))
    edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert edges == pytest.approx([100 * scale, 50 * scale, 200 * scale, 150 * scale], abs=1.5)


def test_relevance_warms_the_cells_that_have_it() -> None:
    figure = drawn(Image.new("RGB", (400, 200), "gray"), sight(relevance=RELEVANCE)).astype(int)
    cold, warm = figure[20, 40], figure[180, 360]
    assert warm[0] > cold[0]
    assert warm[2] < cold[2]


def test_without_relevance_the_picture_shows_through_the_grid() -> None:
    figure = drawn(Image.new("RGB", (400, 200), "gray"), sight())
    assert (figure[10, 10] == 128).all()
    assert (figure[10, 200] < 128).all()


def test_the_answer_stands_underneath() -> None:
    figure = drawn(Image.new("RGB", (400, 200), "white"), sight(grid=Grid(1, 1)))
    assert (figure[:200] == 255).all()
    assert (figure[200:] < 128).any()


def test_a_long_answer_takes_more_lines_but_not_without_end() -> None:
    scene = Image.new("RGB", (400, 200))
    heights = [drawn(scene, sight(answer="word " * count)).shape[0] for count in (1, 20, 1000, 2000)]
    assert heights[0] < heights[1] < heights[2] == heights[3] < 400


def test_a_report_tells_what_there_is_to_draw() -> None:
    zoomed, direct = Sight.of(report("red")), Sight.of(report("red", allocation=None))
    assert [tokens for _, tokens in zoomed.patches] == [64, 72]
    assert zoomed.relevance is not None
    assert (direct.relevance, direct.patches) == (None, [])

"""The documentation's figures show what they are given."""

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from arr_coc.demo.figures import STAGES, draw_request, draw_ways
from arr_coc.types import Allocation, Balance, Box, Grid, Patch, Scores, TexturedPicture

CELLS = Grid(2, 3)
KNOWING = np.linspace(0, 1, 18, dtype=np.float32).reshape(3, 2, 3)


def _picture() -> TexturedPicture:
    view = np.zeros((64, 96, 3), np.uint8)
    maps = {"channels": np.zeros((13, 2, 3), np.float32), "lost_detail": np.zeros((2, 3), np.float32)}
    return TexturedPicture(
        width=300, height=200, route="zoom", budget=99, grid=CELLS, view=view, source=None, native_tokens=99,
        texture_ms=1.0, digest=b"", **maps,
    )  # fmt: skip


def test_each_way_of_knowing_has_its_panel_and_the_last_one_the_patches() -> None:
    box = Box(100, 50, 200, 150)
    patch = Patch(box, Grid(8, 8), Scores(0, 0, 0, 0), value=1.0)
    figure = draw_ways(_picture(), Allocation((patch,), Balance(0.2, 0.3, 0.5), KNOWING[0], KNOWING))
    overview, *ways, balanced = figure.axes
    assert "6 tokens" in overview.get_title()
    for panel, cells, share in zip(ways, KNOWING, ("20%", "30%", "50%"), strict=True):
        (image,) = panel.get_images()
        assert np.array_equal(image.get_array(), cells)
        assert panel.get_title().endswith(share)
    (outline,) = [each for each in balanced.patches if isinstance(each, Rectangle)]
    assert outline.get_bbox().extents == pytest.approx(box.as_tuple())


def test_stages_follow_one_another() -> None:
    closer = {stage: 1.0 + number for number, stage in enumerate(STAGES)}
    rows = {"closer": closer, "native": {"texture": 5.0, "prefill": 7.0, "total": 99.0}}
    axes = draw_request(rows).axes[0]
    for row, timings in enumerate(rows.values()):
        bars = [container.patches[row] for container in axes.containers]
        ends = [bar.get_x() + bar.get_width() for bar in bars]
        assert [bar.get_x() for bar in bars] == [0, *ends[:-1]]
        assert ends[-1] == sum(ms for stage, ms in timings.items() if stage in STAGES)

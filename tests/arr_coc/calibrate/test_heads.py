import numpy as np
import pytest

from arr_coc.calibrate.heads import (
    MOST_HEADS,
    hit_rates,
    localising_heads,
    mean_maps,
    middle_maps,
    score,
    sink_heads,
)
from tests.arr_coc.calibrate.planted import GOOD, SINK_HEAD, sights


def test_the_head_that_looks_at_what_is_asked_for_is_found() -> None:
    heads = localising_heads(sights())
    assert GOOD in heads
    assert len(heads) <= MOST_HEADS
    assert set(hit_rates(sights(), mean_maps(sights(), heads)).values()) == {1.0}


def test_a_better_map_scores_more() -> None:
    good, noise = mean_maps(sights(), [GOOD]), mean_maps(sights(), [(0, 0)])
    assert score(sights(), good) > score(sights(), noise) + 1


def test_where_there_are_no_sinks_no_head_tells_any() -> None:
    assert sink_heads(sights(), [GOOD]) == []


def test_a_sink_that_outshines_the_asked_is_told_and_left_out() -> None:
    seen = sights(sink=0.6)
    assert min(hit_rates(seen, mean_maps(seen, [GOOD])).values()) == 0
    assert SINK_HEAD in sink_heads(seen, [GOOD])
    assert set(hit_rates(seen, mean_maps(seen, [GOOD], [SINK_HEAD])).values()) == {1.0}


def test_the_middle_is_set_against_the_generic_question() -> None:
    for sight, cells in zip(sights(), middle_maps(sights()), strict=True):
        assert cells.shape == sight.inside.shape
        assert cells[sight.inside].mean() > cells[~sight.inside].mean()


def test_a_map_of_nothing_hits_nothing() -> None:
    nothing = [np.zeros_like(sight.generic) for sight in sights()]
    assert max(hit_rates(sights(), nothing).values()) == 0
    assert score(sights(), nothing) == pytest.approx(0)

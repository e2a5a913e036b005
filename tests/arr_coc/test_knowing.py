import numpy as np
import pytest

from arr_coc.knowing import participatory, perspectival, propositional, ways_of_knowing
from arr_coc.types import Floats


def blank(rows: int = 6, cols: int = 8) -> Floats:
    """Channels of an even grey picture."""
    channels = np.zeros((13, rows, cols), np.float32)
    channels[:4] = 0.5
    channels[4:6] = 128 / 255
    y, x = np.mgrid[0.5:rows, 0.5:cols]
    channels[11] = np.hypot(y / rows - 0.5, x / cols - 0.5) / np.hypot(0.5, 0.5)
    return channels


def test_a_blank_picture_stays_blank() -> None:
    channels = blank()
    assert not propositional(channels).any()
    assert perspectival(channels).max() <= 0.1
    assert not ways_of_knowing(channels, None)[2].any()


def test_faint_differences_are_not_blown_up() -> None:
    channels = blank()
    channels[12, 2, 3] = 0.005
    assert propositional(channels).max() == pytest.approx(0.1, abs=1e-6)


def test_information_is_set_against_the_rest_of_the_picture() -> None:
    channels = blank()
    channels[12] = np.linspace(0.2, 0.8, 48).reshape(6, 8)
    known = propositional(channels)
    low, high = np.percentile(channels[12], (5, 95))
    assert known[0, 0] == 0
    assert known[-1, -1] == 1
    assert known[3, 0] == pytest.approx((channels[12, 3, 0] - low) / (high - low), abs=1e-5)


def test_color_edges_and_the_centre_stand_out() -> None:
    channels = blank()
    channels[4, 1, 1] = 0.9  # very red
    channels[8, 4, 6] = 0.4  # full of edges
    seen = perspectival(channels)
    assert seen[1, 1] == pytest.approx(0.5 + 0.1 * (1 - channels[11, 1, 1]), abs=1e-3)
    assert seen[4, 6] == pytest.approx(0.4 + 0.1 * (1 - channels[11, 4, 6]), abs=1e-3)
    assert np.unravel_index(perspectival(blank()).argmax(), (6, 8)) in {(2, 3), (2, 4), (3, 3), (3, 4)}


def test_attention_is_smoothed_and_takes_its_maximum_as_one() -> None:
    attention = np.zeros((5, 5), np.float32)
    attention[2, 2] = 0.03
    asked = participatory(attention)
    assert asked[2, 2] == 1
    assert asked[2, 1] == pytest.approx(np.exp(-0.5), abs=1e-6)
    assert asked[1, 1] == pytest.approx(np.exp(-1), abs=1e-6)
    assert asked[0].max() == 0


def test_even_attention_is_even_to_the_border() -> None:
    assert np.allclose(participatory(np.full((4, 7), 0.01, np.float32)), 1)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -1.0])
def test_attention_that_says_nothing_counts_nothing(value: float) -> None:
    assert not participatory(np.full((4, 4), value, np.float32)).any()


def test_the_three_come_in_order() -> None:
    channels, attention = blank(), np.eye(6, 8, dtype=np.float32)
    known = ways_of_knowing(channels, attention)
    assert known.shape == (3, 6, 8)
    assert np.array_equal(known[0], propositional(channels))
    assert np.array_equal(known[1], perspectival(channels))
    assert np.array_equal(known[2], participatory(attention))

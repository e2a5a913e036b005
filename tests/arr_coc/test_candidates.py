import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from arr_coc.candidates import MAX_CANDIDATES, candidates, integral, mass

MAPS = arrays(np.float64, st.tuples(st.integers(2, 16), st.integers(2, 16)), elements=st.floats(0, 1))


def blob(shape: tuple[int, int], y: float, x: float) -> np.ndarray:
    rows, cols = np.mgrid[0.5 : shape[0], 0.5 : shape[1]]
    return np.asarray(np.exp(-((rows - y) ** 2 + (cols - x) ** 2)))


@given(MAPS, st.floats(0.5, 5), st.floats(0.5, 5))
def test_candidates_lie_on_the_map(score: np.ndarray, height: float, width: float) -> None:
    boxes = candidates(score, (height, width))
    assert len(boxes) <= MAX_CANDIDATES
    assert bool(len(boxes)) == bool(score.any())
    assert (boxes >= -1e-9).all()
    assert (boxes[:, :2] < boxes[:, 2:]).all()
    assert (boxes[:, 2:] <= np.array(score.shape) + 1e-9).all()


def test_a_window_is_centred_on_what_it_holds() -> None:
    boxes = candidates(blob((12, 12), 4.3, 7.6), (3, 3))
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert np.abs(centres - (4.3, 7.6)).max(axis=1).min() < 0.1


def test_two_places_are_both_proposed() -> None:
    score = blob((16, 16), 3, 3) + 0.5 * blob((16, 16), 12, 13)
    boxes = candidates(score, (3, 3))
    for y, x in ((3, 3), (12, 13)):
        inside = (boxes[:, 0] < y - 1) & (boxes[:, 2] > y + 1) & (boxes[:, 1] < x - 1) & (boxes[:, 3] > x + 1)
        assert inside.any()


def test_regions_that_touch_are_one() -> None:
    score = np.zeros((8, 8))
    score[2, 2] = score[3, 3] = 1  # connected only once they are padded
    region = candidates(score, (2, 2))[0]
    assert region.tolist() == [1.5, 1.5, 4.5, 4.5]


@given(MAPS, st.data())
def test_mass_is_the_area_weighted_sum(score: np.ndarray, data: st.DataObject) -> None:
    rows, cols = score.shape
    y0, x0 = data.draw(st.floats(0, rows)), data.draw(st.floats(0, cols))
    y1, x1 = data.draw(st.floats(y0, rows)), data.draw(st.floats(x0, cols))
    down = np.clip(np.minimum(np.arange(rows) + 1, y1) - np.maximum(np.arange(rows), y0), 0, 1)
    across = np.clip(np.minimum(np.arange(cols) + 1, x1) - np.maximum(np.arange(cols), x0), 0, 1)
    expected = down @ score @ across
    assert np.isclose(mass(integral(score), np.array([[y0, x0, y1, x1]]))[0], expected, atol=1e-9)
    layers = integral(np.stack([score * 2, score]))
    assert np.isclose(mass(layers, np.array([[y0, x0, y1, x1]]), np.array([1]))[0], expected, atol=1e-9)

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arr_coc.attending import Frame, Look, TokenAllocator, balance, worth_of_cells
from arr_coc.foveation import LEAST_ZOOM
from arr_coc.profile import ModelProfile
from arr_coc.types import Floats, Grid

PROFILE = ModelProfile()
FRAME = Frame(1024, 1024, Grid(12, 12), 32, 1.0)


def spot(y: float, x: float, grid: Grid = FRAME.grid) -> Floats:
    rows, cols = np.mgrid[0.5 : grid.rows, 0.5 : grid.cols]
    return np.asarray(np.exp(-((rows - y) ** 2 + (cols - x) ** 2)).round(3), np.float32)


def allocate(
    relevance: Floats, frame: Frame = FRAME, budget: int = 256, lost: Floats | None = None
) -> list[Look]:
    return TokenAllocator(PROFILE).allocate(
        relevance, np.ones_like(relevance) if lost is None else lost, frame, budget
    )


@st.composite
def problems(draw: st.DrawFn) -> tuple[Floats, Floats, Frame]:
    width, height = draw(st.integers(500, 5000)), draw(st.integers(500, 5000))
    grid = Grid(draw(st.integers(4, 16)), draw(st.integers(4, 16)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    power = draw(st.sampled_from([0, 1, 8]))
    relevance, lost = rng.random((2, grid.rows, grid.cols)) ** power
    frame = Frame(width, height, grid, draw(st.sampled_from([28, 32])), draw(st.sampled_from([1.0, 0.5])))
    return relevance.round(3).astype(np.float32), lost.round(3).astype(np.float32), frame


def test_nothing_asked_leaves_it_to_the_picture() -> None:
    weights = balance(np.zeros((4, 4), np.float32))
    assert (weights.propositional, weights.perspectival, weights.participatory) == (0.5, 0.5, 0)


@pytest.mark.parametrize(("points", "asked"), [(1, 0.9), (16, 0.5), (4, 0.9), (8, 0.7)])
def test_the_surer_the_question_the_more_it_weighs(points: int, asked: float) -> None:
    attention = np.zeros(16, np.float32)
    attention[:points] = 1
    weights = balance(attention.reshape(4, 4))
    assert weights.participatory == pytest.approx(asked)
    assert weights.propositional == weights.perspectival == pytest.approx((1 - asked) / 2)


@pytest.mark.parametrize(("points", "asked"), [(1, 0.7), (16, 0.2), (8, 0.4)])
def test_a_model_can_have_weights_of_its_own(points: int, asked: float) -> None:
    attention = np.zeros(16, np.float32)
    attention[:points] = 1
    assert balance(attention.reshape(4, 4), least=0.2, most=0.7).participatory == pytest.approx(asked)


def test_the_smallest_patch_is_put_around_what_is_asked_for() -> None:
    (look,) = allocate(spot(4.0, 7.0), budget=81)
    assert look.grid == Grid(8, 8)
    assert (look.box.width, look.box.height) == (256, 256)
    assert (look.box.y0 + look.box.y1) / 2 == pytest.approx(4 * 1024 / 12, abs=2)
    assert (look.box.x0 + look.box.x1) / 2 == pytest.approx(7 * 1024 / 12, abs=2)


def test_a_diffuse_rest_does_not_outbid_the_place_that_stands_out() -> None:
    (look,) = allocate(np.maximum(spot(9.0, 2.5), 0.3), budget=64)
    assert look.box.x0 < 2.5 * 1024 / 12 < look.box.x1
    assert look.box.y0 < 9.0 * 1024 / 12 < look.box.y1


def test_two_places_get_a_patch_each_and_the_better_comes_first() -> None:
    looks = allocate(np.maximum(spot(2.5, 2.5), 0.8 * spot(9.0, 9.0)), budget=128)
    assert [look.grid.tokens for look in looks] == [64, 64]
    assert looks[0].box.x1 < 512 < looks[1].box.x0
    assert looks[0].value > looks[1].value


def test_what_the_overview_shows_is_not_looked_at_again() -> None:
    lost = np.zeros((12, 12), np.float32)
    assert allocate(spot(4, 7), lost=lost) == []
    lost[8:, :4] = 1
    (look,) = allocate(np.maximum(spot(4, 7), 0.5 * spot(10, 2)), lost=lost, budget=64)
    assert look.box.y0 >= 512


def test_nothing_is_bought_that_is_not_worth_a_crop() -> None:
    dear = TokenAllocator(ModelProfile(crop_price=1.0))
    assert dear.allocate(spot(4, 7), np.ones((12, 12), np.float32), FRAME, 400) == []


def test_a_picture_too_narrow_for_a_patch_gets_none() -> None:
    narrow = Frame(6000, 150, Grid(2, 70), 32, 1.0)
    assert allocate(np.ones((2, 70), np.float32), narrow) == []


def test_a_smaller_source_has_less_detail_to_give() -> None:
    (look,) = allocate(spot(6, 6), Frame(1024, 1024, FRAME.grid, 32, 0.5), budget=64)
    assert look.box.width >= 512


@settings(deadline=None, max_examples=30)
@given(problems(), st.integers(64, 1700))
def test_every_allocation_is_lawful(problem: tuple[Floats, Floats, Frame], budget: int) -> None:
    relevance, lost, frame = problem
    looks = allocate(relevance, frame, budget, lost)
    assert sum(look.grid.tokens for look in looks) <= budget
    assert len(looks) <= PROFILE.max_patches
    assert [look.value for look in looks] == sorted((look.value for look in looks), reverse=True)
    for look in looks:
        box, grid = look.box, look.grid
        assert 64 <= grid.tokens <= 400
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= frame.width
        assert box.y1 <= frame.height
        assert grid.cols * frame.side <= box.width * frame.detail + 1e-6  # never above native detail
        assert grid.rows * frame.side <= box.height * frame.detail + 1e-6
        assert abs(math.log(box.width * grid.rows / (box.height * grid.cols))) < 0.02
        assert math.sqrt(grid.tokens * frame.side**2 / box.area) >= LEAST_ZOOM * frame.overview_scale
        assert look.value > 0
    assert looks == allocate(relevance, frame, budget, lost)


@settings(deadline=None, max_examples=30)
@given(problems(), st.lists(st.integers(64, 1700), min_size=2, max_size=4))
def test_a_larger_budget_never_brings_less(problem: tuple[Floats, Floats, Frame], budgets: list[int]) -> None:
    relevance, lost, frame = problem
    values = [sum(look.value for look in allocate(relevance, frame, b, lost)) for b in sorted(budgets)]
    assert all(less <= more + 1e-9 for less, more in pairwise(values))


@settings(deadline=None, max_examples=30)
@given(problems())
def test_the_same_relevance_is_never_bought_twice(problem: tuple[Floats, Floats, Frame]) -> None:
    relevance, lost, frame = problem
    looks = allocate(relevance, frame, 1600, lost)
    worth = float(worth_of_cells(relevance, lost).sum())
    assert sum(look.value for look in looks) <= worth + 1e-6

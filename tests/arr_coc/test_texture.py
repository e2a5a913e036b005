import io

import numpy as np
import pytest
from PIL import Image

from arr_coc.decoding import PictureLimits
from arr_coc.errors import BudgetTooSmall, InvalidImage
from arr_coc.foveation import view
from arr_coc.profile import ModelProfile, Tier
from arr_coc.texture import TextureEncoder

PROFILE = ModelProfile(
    direct_max_tokens=100,
    native_max_tokens=400,
    max_budget=400,
    tiers=(Tier(from_native_tokens=0, overview_tokens=64, total_tokens=144),),
)
ENCODER = TextureEncoder(PROFILE, PictureLimits())


def png(width: int, height: int) -> bytes:
    small = np.random.default_rng(1).integers(0, 256, (9, 9, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(small).resize((width, height)).save(file, "PNG")
    return file.getvalue()


def test_a_small_picture_goes_direct_with_nothing_to_cut_from() -> None:
    image = png(320, 288)
    picture = ENCODER.encode(image, None)
    assert (picture.route, picture.grid.rows, picture.grid.cols, picture.budget) == ("direct", 9, 10, 90)
    assert picture.view.shape == (288, 320, 3)
    assert np.array_equal(picture.view, Image.open(io.BytesIO(image)))
    assert picture.channels.shape == (13, 9, 10)
    assert picture.source is None
    assert not picture.lost_detail.any()
    assert picture.texture_ms > 0


def test_a_large_picture_gets_an_overview_and_keeps_its_pixels() -> None:
    image = png(640, 480)
    picture = ENCODER.encode(image, None)
    source = Image.open(io.BytesIO(image))
    assert picture.route == "zoom"
    assert picture.native_tokens == 300
    assert picture.source is not None
    assert np.array_equal(picture.source, source)
    assert np.array_equal(picture.view, view(source, picture.grid, PROFILE.token_side))
    assert picture.channels.shape == (13, picture.grid.rows, picture.grid.cols)
    assert picture.lost_detail.shape == (picture.grid.rows, picture.grid.cols)


def test_pixels_that_nothing_will_be_cut_from_are_not_kept() -> None:
    picture = ENCODER.encode(png(640, 480), 100)
    assert picture.route == "zoom"
    assert picture.grid.tokens > 80
    assert picture.source is None


def test_a_budget_can_ask_for_the_native_picture() -> None:
    assert ENCODER.encode(png(640, 480), 300).route == "direct"
    assert ENCODER.encode(png(640, 480), 299).route == "zoom"


def test_the_source_is_capped_but_the_picture_keeps_its_size() -> None:
    encoder = TextureEncoder(PROFILE, PictureLimits(max_source_side=1024))
    picture = encoder.encode(png(1600, 800), None)
    assert (picture.width, picture.height) == (1600, 800)
    assert picture.source is not None
    assert picture.source.shape == (512, 1024, 3)


@pytest.mark.parametrize(
    ("size", "budget"), [((320, 288), None), ((640, 480), None), ((640, 480), 64), ((40, 30), 99)]
)
def test_the_plan_from_the_header_is_what_is_encoded(size: tuple[int, int], budget: int | None) -> None:
    image = png(*size)
    plan, picture = ENCODER.plan(image, budget), ENCODER.encode(image, budget)
    assert (plan.route, plan.grid, plan.budget) == (picture.route, picture.grid, picture.budget)
    assert plan.native_tokens == picture.native_tokens


def test_planning_needs_no_more_than_the_header() -> None:
    image = png(640, 480)
    assert ENCODER.plan(image[:200], None) == ENCODER.plan(image, None)
    with pytest.raises(InvalidImage):
        ENCODER.encode(image[:200], None)


def test_a_budget_out_of_range_is_refused_before_decoding() -> None:
    with pytest.raises(BudgetTooSmall):
        ENCODER.encode(png(640, 480)[:200], 401)


def test_encoding_again_gives_the_same_bytes() -> None:
    image = png(640, 480)
    one, two = ENCODER.encode(image, None), ENCODER.encode(image, None)
    assert one.channels.tobytes() == two.channels.tobytes()
    assert one.lost_detail.tobytes() == two.lost_detail.tobytes()

"""Each way changes what it says and nothing else."""

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from arr_coc.decoding import PictureLimits
from arr_coc.demo.scenes import render, sample_scene
from arr_coc.profile import ModelProfile, Tier
from arr_coc.quality.oracle import Oracle
from arr_coc.quality.ways import ABLATIONS, CURVE, SINGLE, Way, all_ways
from arr_coc.texture import TextureEncoder
from arr_coc.types import Allocation, Box, Floats, TexturedPicture

PROFILE = ModelProfile(
    direct_max_tokens=100,
    native_max_tokens=400,
    max_budget=600,
    tiers=(Tier(from_native_tokens=0, overview_tokens=64, total_tokens=64 + 256),),
    crop_price=0.0,
)
ORACLE = Oracle(PROFILE.token_side)
WAYS = all_ways(PROFILE, ORACLE)
Allocated = Callable[[str], Allocation]


@pytest.fixture(scope="module")
def picture() -> TexturedPicture:
    file = io.BytesIO()
    render(sample_scene(900_003, size=1024)).save(file, format="PNG", compress_level=1)
    return TextureEncoder(PROFILE, PictureLimits()).encode(file.getvalue(), None)


@pytest.fixture(scope="module")
def attention(picture: TexturedPicture) -> Floats:
    spot = np.full(picture.grid.shape, 0.01, np.float32)
    spot[2, 3] = 1.0
    return spot


@pytest.fixture
def allocated(picture: TexturedPicture, attention: Floats) -> Allocated:
    return lambda way: WAYS[way].allocator.allocate(picture, attention)


def test_every_way_has_a_name() -> None:
    assert set(WAYS) == {*CURVE, *SINGLE, *ABLATIONS}


@pytest.mark.parametrize(
    ("way", "absent"),
    [
        ("without information", [0]),
        ("without salience", [1]),
        ("without the question", [2]),
        ("salience", [0, 2]),
    ],
)
def test_a_way_of_knowing_is_left_out(allocated: Allocated, way: str, absent: list[int]) -> None:
    whole, part = allocated("auto").knowing, allocated(way).knowing
    for index in range(3):
        if index in absent:
            assert not part[index].any()
        else:
            assert np.array_equal(part[index], whole[index])


def test_without_the_balance_all_weigh_the_same(allocated: Allocated) -> None:
    weights = allocated("without the balance").balance
    assert weights.participatory == pytest.approx(weights.perspectival, abs=2e-3)
    assert allocated("auto").balance.participatory > 0.5


def test_one_patch_is_one(allocated: Allocated) -> None:
    assert len(allocated("without the question").patches) > 1
    assert len(allocated("one patch").patches) == 1


def test_uniform_levels_are_one_level_within_the_budget(
    picture: TexturedPicture, allocated: Allocated
) -> None:
    patches = allocated("uniform levels").patches
    budget = picture.budget - picture.grid.tokens
    assert patches
    assert sum(patch.tokens for patch in patches) <= budget
    assert max(patch.tokens for patch in patches) <= budget / len(patches)


def test_the_centre_is_looked_at_and_random_places_stay(
    picture: TexturedPicture, allocated: Allocated
) -> None:
    centre = allocated("centre").patches[0].box
    assert centre.x0 < picture.width / 2 < centre.x1
    assert centre.y0 < picture.height / 2 < centre.y1
    assert allocated("random").patches == allocated("random").patches
    assert allocated("random").patches[0].box != centre


def test_the_oracle_shows_what_it_was_told(picture: TexturedPicture) -> None:
    one, other = Box(900, 10, 960, 70), Box(20, 400, 60, 440)
    ORACLE.tell([one, other])
    named = replace(picture, auto=False)
    for target, patch in zip([one, other], ORACLE.allocate(named, None).patches, strict=True):
        assert patch.box.x0 <= target.x0 < target.x1 <= patch.box.x1
        assert patch.box.y0 <= target.y0 < target.y1 <= patch.box.y1
        assert patch.box.width == patch.grid.cols * 32  # native detail
        assert patch.tokens <= 128
    (shared,) = ORACLE.allocate(replace(named, budget=64 + 100), None).patches
    assert shared.tokens == 100
    assert ORACLE.allocate(replace(picture, budget=64 + 63), None).patches == ()


def test_an_oracle_of_no_budget_takes_the_least_that_shows_its_target(picture: TexturedPicture) -> None:
    free = replace(picture, budget=64 + 1000, auto=True)
    for across, tokens in ((60, 64), (256, 64), (257, 81), (600, 361), (900, 400)):
        ORACLE.tell([Box(50, 40, 50 + across, 90)])
        (patch,) = ORACLE.allocate(free, None).patches
        assert patch.tokens == tokens
    ORACLE.tell([Box(50, 40, 650, 90)])
    (patch,) = ORACLE.allocate(replace(free, budget=64 + 90), None).patches
    assert patch.tokens == 81


@pytest.mark.parametrize(("way", "closer"), [("downsampled", False), ("overview", False), ("ours", True)])
def test_some_ways_take_one_view(way: str, closer: bool) -> None:
    found: Way = WAYS[way]
    assert found.closer is closer


def test_a_part_that_no_allocation_shows_is_left_out() -> None:
    assert [way for way in WAYS if not WAYS[way].whole] == ["without the whole"]
    assert [way for way in WAYS if WAYS[way].looks == 1] == ["one look"]


def test_only_the_gate_is_missing_without_the_gate() -> None:
    assert not WAYS["without the gate"].gated
    assert all(WAYS[way].gated for way in ("auto", *ABLATIONS) if way != "without the gate")

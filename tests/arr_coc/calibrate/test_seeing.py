from collections.abc import Iterator

import numpy as np
import pytest

from arr_coc.calibrate.seeing import LOCALISING, look_at_scenes
from arr_coc.errors import ConfigError
from arr_coc.model.qwen_vl import QwenVL
from arr_coc.profile import ModelProfile, Tier
from tests.arr_coc import tiny

PROFILE = ModelProfile(
    token_side=28,
    direct_max_tokens=64,
    tiers=(Tier(from_native_tokens=0, overview_tokens=64, total_tokens=128),),
)


@pytest.fixture(scope="module")
def adapter() -> Iterator[QwenVL]:
    yield tiny.adapter("qwen2_5_vl")


def test_every_head_is_read_for_every_localising_question(adapter: QwenVL) -> None:
    (seen,) = look_at_scenes(adapter, PROFILE, [900_001], 512)
    assert seen
    for sight in seen:
        tokens = sight.picture.grid.tokens
        assert sight.kind in LOCALISING
        assert sight.asked.shape == (adapter.kv.layers, adapter.heads, tokens)
        assert sight.generic.shape == (tokens,)
        assert 0 < sight.asked.astype(float).sum(axis=-1).max() <= tokens * 1.01
        assert not (sight.inside & sight.empty).any()
    assert len({sight.asked.tobytes() for sight in seen}) == len(seen)
    assert all(np.array_equal(sight.generic, seen[0].generic) for sight in seen)


def test_a_scene_that_is_seen_natively_teaches_nothing(adapter: QwenVL) -> None:
    native = PROFILE.model_copy(update={"direct_max_tokens": 400})
    assert list(look_at_scenes(adapter, native, [900_001], 512)) == [[]]


def test_scenes_have_a_smallest_size(adapter: QwenVL) -> None:
    with pytest.raises(ConfigError):
        list(look_at_scenes(adapter, PROFILE, [900_001], 100))

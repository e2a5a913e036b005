import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from arr_coc.errors import ModelLoadError
from arr_coc.profile import PROFILE_FILE, ModelProfile, Tier


def test_a_directory_without_a_profile_has_the_defaults(tmp_path: Path) -> None:
    assert ModelProfile.load(tmp_path) == ModelProfile()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    profile = ModelProfile(
        token_side=28,
        tiers=(
            Tier(from_native_tokens=0, overview_tokens=144, total_tokens=225),
            Tier(from_native_tokens=4096, overview_tokens=256, total_tokens=409),
        ),
        heads=((2, 2), (1, 1)),
    )
    (tmp_path / PROFILE_FILE).write_text(profile.model_dump_json())
    assert ModelProfile.load(tmp_path) == profile


@pytest.mark.parametrize(
    ("config", "side"),
    [
        ({"model_type": "qwen2_vl", "vision_config": {"patch_size": 14, "spatial_merge_size": 2}}, 28),
        ({"model_type": "qwen2_5_vl", "vision_config": {}}, 28),
        ({"model_type": "qwen3_vl", "vision_config": {"patch_size": 16}}, 32),
        ({"vision_config": {"patch_size": 10, "spatial_merge_size": 3}}, 30),
        ({}, 32),
    ],
)
def test_the_side_of_a_token_is_the_models_own(tmp_path: Path, config: object, side: int) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert ModelProfile.load(tmp_path).token_side == side
    (tmp_path / PROFILE_FILE).write_text(json.dumps({"max_patches": 2}))
    assert ModelProfile.load(tmp_path).token_side == side


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"vision_config": {"patch_size": "wide"}})])
def test_a_broken_configuration_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ModelLoadError):
        ModelProfile.load(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"token_sides": 3}), json.dumps({"heads": [[1]]})])
def test_a_broken_profile_is_the_operators_to_mend(tmp_path: Path, text: str) -> None:
    (tmp_path / PROFILE_FILE).write_text(text)
    with pytest.raises(ModelLoadError):
        ModelProfile.load(tmp_path)


def test_the_tier_is_the_last_one_reached() -> None:
    small = Tier(from_native_tokens=0, overview_tokens=64, total_tokens=128)
    large = Tier(from_native_tokens=1000, overview_tokens=144, total_tokens=300)
    profile = ModelProfile(tiers=(small, large))
    assert [profile.tier(n) for n in (1, 999, 1000, 9999)] == [small, small, large, large]


@pytest.mark.parametrize("starts", [(1,), (0, 5, 5), (0, 9, 4)])
def test_tiers_cover_every_size_in_order(starts: tuple[int, ...]) -> None:
    tiers = [{"from_native_tokens": s, "overview_tokens": 64, "total_tokens": 128} for s in starts]
    with pytest.raises(ValidationError):
        ModelProfile.model_validate({"tiers": tiers})


QWEN = {"model_type": "qwen3_vl", "text_config": {
    "num_hidden_layers": 36, "hidden_size": 2560, "num_attention_heads": 32,
}}  # fmt: skip


def test_a_known_checkpoint_has_the_published_heads(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(QWEN))
    profile = ModelProfile.load(tmp_path)
    assert profile.heads == ((19, 24), (19, 27), (24, 21), (24, 23))
    assert profile.sink_heads == ((24, 6), (24, 10))
    (tmp_path / PROFILE_FILE).write_text(json.dumps({"max_patches": 2}))
    assert ModelProfile.load(tmp_path).heads == profile.heads


@pytest.mark.parametrize("heads", [[], [[3, 4]]])
def test_heads_that_the_profile_lists_hold(tmp_path: Path, heads: list[list[int]]) -> None:
    (tmp_path / "config.json").write_text(json.dumps(QWEN))
    (tmp_path / PROFILE_FILE).write_text(json.dumps({"heads": heads}))
    profile = ModelProfile.load(tmp_path)
    assert [list(head) for head in profile.heads] == heads
    assert profile.sink_heads == ()


def test_a_question_never_weighs_less_for_being_surer() -> None:
    with pytest.raises(ValidationError):
        ModelProfile(least_asked=0.8, most_asked=0.6)

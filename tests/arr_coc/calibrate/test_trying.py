"""Every way of asking, over a real tiny model."""

import io
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from PIL import Image

from arr_coc.calibrate import trying
from arr_coc.calibrate.spending import Answer, Trial
from arr_coc.calibrate.trying import Trier, scenes
from arr_coc.profile import Gate, ModelProfile, Tier
from tests.arr_coc import tiny

PROFILE = ModelProfile(
    direct_max_tokens=64,
    native_max_tokens=400,
    max_budget=400,
    tiers=(Tier(from_native_tokens=0, overview_tokens=64, total_tokens=64 + 144),),
    heads=((1, 0), (2, 3)),
    crop_price=0.0,
)


@pytest.fixture(autouse=True)
def short_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """This model never ends one."""
    monkeypatch.setattr(trying, "MAX_NEW_TOKENS", 2)


PRICES = (0.0, 0.5)  # nothing is worth the second
ANYTHING = tuple(
    " abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;!?-_()[]{}<>/|+*=&%$#@~^"
)


def tried(profile: ModelProfile, surest: float = 2.0) -> Iterator[Trial]:
    """Two questions about a scene in which everything is worth looking closer at."""
    trier = Trier(tiny.adapter("qwen3_vl", torch.float32), profile, PRICES, surest)
    try:
        for scene, image, asked in scenes(900_003, 1, 512):
            yield from trier.trials(scene, image, asked[:2])
    finally:
        trier.close()


def test_scenes_are_of_three_kinds_in_turn() -> None:
    made = list(scenes(900_001, 4, 320))
    assert [seed for seed, _, _ in made] == [900_001, 900_002, 900_003, 900_004]
    sides = [max(Image.open(io.BytesIO(image)).size) for _, image, _ in made]
    assert sides == [320, 640, 640, 320]
    assert all(asked for _, _, asked in made)


def test_a_question_is_answered_in_every_way() -> None:
    for trial in tried(PROFILE):
        assert trial.scene == 900_003
        first = trial.overview.tokens
        assert first <= 64
        assert 0 < trial.probability <= 1
        assert trial.share is not None
        assert 0 < trial.share < 1
        assert trial.whole is not None
        assert first + 100 <= trial.whole.tokens <= first + 144
        (look,) = trial.looks[0.0]
        assert first + 64 <= look.tokens <= first + 144
        assert trial.looks[0.5] == (replace(trial.overview, doubt=False),)


def test_doubts_are_followed_by_other_looks() -> None:
    """Every answer of this model is a doubt here."""
    gate = Gate(certain=0.9, doubts=ANYTHING)
    for trial in tried(PROFILE.model_copy(update={"gate": gate}), surest=0.0):
        assert trial.overview.doubt
        *doubts, last = trial.looks[0.0]
        tokens = [look.tokens for look in trial.looks[0.0]]
        assert doubts
        assert tokens == sorted(set(tokens))
        assert all(look == Answer(False, look.tokens, doubt=True) for look in doubts)
        assert not last.doubt


def test_what_no_gate_would_look_into_is_not_asked_again() -> None:
    assert all(trial.looks == {0.0: (), 0.5: ()} for trial in tried(PROFILE, surest=0.0))


@pytest.mark.parametrize("direct", [400])
def test_a_scene_that_is_seen_natively_is_no_trial(direct: int) -> None:
    assert list(tried(PROFILE.model_copy(update={"direct_max_tokens": direct}))) == []

"""The route ZOOM over a real tiny model: its stages, and what they hand over."""

import asyncio
import io
import string
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from arr_coc.answers import Report
from arr_coc.decoding import PictureLimits
from arr_coc.demo.scenes import render, sample_scene
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.observer import Silent
from arr_coc.foveation import cut, fingerprint, fit_grid
from arr_coc.profile import Gate, ModelProfile, Tier
from arr_coc.relevance import Relevance
from arr_coc.texture import TextureEncoder
from arr_coc.types import Allocation, Ask, Box, Floats, Patch, Sampling, Scores, TexturedPicture
from arr_coc.vlm import VisionLanguageModel
from tests.arr_coc import tiny

PROFILE = ModelProfile(
    direct_max_tokens=100,
    native_max_tokens=400,
    max_budget=400,
    tiers=(Tier(from_native_tokens=0, overview_tokens=64, total_tokens=144),),
    crop_price=0.0,
)
WHOLE = Box(0, 0, 288, 512)
LETTERS = string.printable.strip()
LISTED = PROFILE.model_copy(update={"heads": ((1, 0), (2, 3)), "sink_heads": ((0, 1),)})


class Watched:
    """The served allocation, remembering the maps that it was given."""

    def __init__(self, profile: ModelProfile) -> None:
        self._inner = Relevance(profile)
        self.maps: list[Floats | None] = []

    def allocate(self, picture: TexturedPicture, attention: Floats | None) -> Allocation:
        self.maps.append(attention)
        return self._inner.allocate(picture, attention)


class Deaf:
    """A model whose attention cannot be read."""

    heads = 0

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@pytest.fixture(scope="module")
def picture() -> TexturedPicture:
    file = io.BytesIO()
    render(sample_scene(900_003, size=512)).save(file, format="PNG")
    return TextureEncoder(PROFILE, PictureLimits()).encode(file.getvalue(), None)


def asked(
    profile: ModelProfile, picture: TexturedPicture, queries: list[str], deaf: bool = False
) -> Iterator[tuple[Report, Floats | None, list[str]]]:
    """Reports, the map each allocation was given, and the kinds of batches that ran for it."""
    kinds: list[str] = []

    class Counting(Silent):
        def batch(self, kind: Any, rows: int, tokens: int, padded_tokens: int, seconds: float) -> None:
            kinds.append(kind)

    adapter: Any = tiny.adapter("qwen3_vl", torch.float32)
    watched = Watched(profile)
    config = EngineConfig(slots=2, max_length=512, window_ms=0)
    model = VisionLanguageModel(Deaf(adapter) if deaf else adapter, profile, config, Counting(), watched)
    try:
        for query in queries:
            kinds.clear()
            report = asyncio.run(model.answer(Ask("x", query, Sampling(max_new_tokens=2)), picture))
            yield report, (watched.maps or [None])[-1], [kind for kind in kinds if kind != "decode"]
    finally:
        model.close()


def test_listed_heads_probe_once(picture: TexturedPicture) -> None:
    ((report, attention, kinds),) = asked(LISTED, picture, ["where is it"])
    assert kinds == ["probe", "prefill"]
    assert report.allocation is not None
    assert report.allocation.coupling == "heads"
    assert attention is not None
    assert attention.shape == picture.grid.shape


def test_without_listed_heads_a_picture_is_probed_about_nothing_once(picture: TexturedPicture) -> None:
    first, second, same = asked(PROFILE, picture, ["where is it", "what is this", "where is it"])
    assert first[2] == ["probe", "probe", "prefill"]
    assert second[2] == same[2] == ["probe", "prefill"]
    assert first[0].allocation is not None
    assert first[0].allocation.coupling == "layers"
    assert first[1] is not None
    assert second[1] is not None
    assert not np.allclose(first[1], second[1])
    assert np.allclose(first[1], same[1], atol=1e-5)
    assert first[0].text == same[0].text


def test_where_attention_cannot_be_read_the_picture_decides(picture: TexturedPicture) -> None:
    ((report, attention, kinds),) = asked(PROFILE, picture, ["where is it"], deaf=True)
    assert kinds == ["prefill"]
    assert attention is None
    assert report.allocation is not None
    assert report.allocation.coupling == "none"
    assert report.allocation.balance.participatory == 0
    patches = sum(patch.tokens for patch in report.allocation.patches)
    assert patches > 0
    assert report.usage.visual_tokens == picture.grid.tokens + patches


def test_a_certain_answer_is_given_without_a_closer_look(picture: TexturedPicture) -> None:
    """However little certainty is asked for, but by a doubt, and but where a budget was named."""
    gated = LISTED.model_copy(update={"gate": Gate(certain=1e-6)})
    ((report, _, kinds),) = asked(gated, picture, ["where is it"])
    assert kinds == ["probe"]
    assert report.usage.visual_tokens == picture.grid.tokens
    assert report.allocation is not None
    assert report.allocation.patches == ()
    assert report.allocation.best_left is not None
    assert report.allocation.best_left.limit == "certain"
    ((plain, _, kinds),) = asked(gated, replace(picture, auto=False), ["where is it"])
    assert kinds == ["probe", "prefill"]
    assert plain.allocation is not None
    assert plain.allocation.patches[0].box == report.allocation.best_left.box
    doubting = gated.model_copy(update={"gate": Gate(certain=1e-6, doubts=(report.text[0],))})
    ((doubted, _, kinds),) = asked(doubting, picture, ["where is it"])
    assert kinds == ["probe", "prefill"]
    assert doubted.usage == plain.usage


def test_while_the_answer_is_a_doubt_other_places_are_looked_at(picture: TexturedPicture) -> None:
    """Every answer of this model is a doubt, so it looks as often as it may, never at the same place twice."""
    doubting = LISTED.model_copy(update={"gate": Gate(certain=1.0, doubts=tuple(LETTERS), looks=3)})
    roomy = replace(picture, lost_detail=np.ones_like(picture.lost_detail))
    ((report, _, kinds),) = asked(doubting, roomy, ["where is it"])
    assert kinds == ["probe", "probe", "probe", "prefill"]
    assert report.allocation is not None
    patches = report.allocation.patches
    assert len(patches) == 3
    assert len({patch.box for patch in patches}) == 3
    assert report.usage.visual_tokens == picture.grid.tokens + sum(patch.tokens for patch in patches)
    ((once, _, kinds),) = asked(doubting, replace(roomy, auto=False), ["where is it"])
    assert kinds == ["probe", "prefill"]
    assert once.allocation is not None
    assert once.allocation.patches == patches[2:]


def test_a_question_that_points_nowhere_sees_all_of_the_picture_again(picture: TexturedPicture) -> None:
    """In a finer view that takes the overview's place, as if there had never been another."""
    elsewhere = LISTED.model_copy(update={"gate": Gate(certain=0.01, pointing=1.0)})
    roomy = replace(picture, budget=64 + 144, lost_detail=np.ones_like(picture.lost_detail))
    finer = fit_grid(roomy.width, roomy.height, 144)
    pixels = cut(roomy, Patch(WHOLE, finer, Scores(0, 0, 0, 0), 0.0), PROFILE.token_side)
    alone = replace(roomy, route="direct", grid=finer, view=pixels, digest=fingerprint(pixels))
    queries = ["what is here", "how many are there", "what is here"]
    answers = [report.text for report, _, _ in asked(PROFILE, alone, queries)]
    for (report, _, kinds), answer in zip(asked(elsewhere, roomy, queries), answers, strict=True):
        assert kinds == ["probe", "prefill"]
        assert report.text == answer
        assert report.allocation is not None
        assert [(patch.box, patch.grid) for patch in report.allocation.patches] == [(WHOLE, finer)]
        assert report.allocation.coupling == "heads"
        assert report.usage.visual_tokens == roomy.grid.tokens + finer.tokens
        assert report.usage.prompt_tokens < roomy.grid.tokens + finer.tokens


def test_only_auto_sees_all_again_and_only_where_that_shows_more(picture: TexturedPicture) -> None:
    elsewhere = LISTED.model_copy(update={"gate": Gate(certain=0.01, pointing=1.0)})
    roomy = replace(picture, budget=64 + 144, lost_detail=np.ones_like(picture.lost_detail))
    for shown in (replace(roomy, auto=False), replace(roomy, budget=64 + 80)):
        ((report, _, _),) = asked(elsewhere, shown, ["what is here"])
        assert report.allocation is not None
        assert WHOLE not in [patch.box for patch in report.allocation.patches]

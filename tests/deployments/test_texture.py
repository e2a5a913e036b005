"""The texture stage refuses before it decodes, and prices what the user typed as plain text."""

import asyncio
import io
import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from PIL import Image

from arr_coc.decoding import PictureLimits
from arr_coc.engine.config import EngineConfig
from arr_coc.errors import (
    BudgetTooSmall,
    ContextLengthExceeded,
    DeadlineExceeded,
    EngineClosed,
    InvalidImage,
    Overloaded,
)
from arr_coc.model.config import ModelConfig
from arr_coc.model.source import DEMO
from arr_coc.status import Backlog
from arr_coc.types import PICTURE, Ask, Message, Sampling, TexturedPicture
from deployments.config import TextureStageConfig, TracingConfig
from deployments.texture import TextureStage
from tests.arr_coc import tiny


def _png(side: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side), "red").save(file, format="PNG")
    return file.getvalue()


def _prepare(
    ask: Ask, image: bytes, max_length: int = 2048, model: ModelConfig | None = None
) -> TexturedPicture:
    engine = EngineConfig(max_length=max_length)
    with TemporaryDirectory() as metrics:
        stage = TextureStage(
            TextureStageConfig(),
            {"it": model or ModelConfig()},
            engine,
            PictureLimits(),
            metrics,
            TracingConfig(),
        )
        return asyncio.run(stage.prepare(ask, image))


def test_a_small_picture_is_seen_natively_and_a_large_one_through_an_overview() -> None:
    small, large = (_prepare(Ask("x", "what?"), _png(side)) for side in (256, 1024))
    assert (small.route, small.grid.tokens, small.source) == ("direct", 64, None)
    assert (large.route, large.grid.tokens, large.native_tokens) == ("zoom", 144, 1024)
    assert large.source is not None
    assert large.channels.shape == (13, 12, 12)
    assert large.texture_ms > 0


def test_a_prompt_that_can_never_fit_is_refused_before_its_pixels_are_read() -> None:
    undecodable = _png(256)[:80]  # a whole header, no pixels
    ask = Ask("x", "word " * 300, Sampling(max_new_tokens=64))
    with pytest.raises(ContextLengthExceeded):
        _prepare(ask, undecodable, max_length=256)
    with pytest.raises(InvalidImage):
        _prepare(Ask("x", "what?"), undecodable)


def test_what_cannot_be_answered_in_time_is_refused_before_its_pixels_are_read() -> None:
    undecodable = _png(256)[:80]
    backlog = Backlog(tokens=1000, token_s=0.05, answer_s=5.0)  # answered after 58 s and more
    for query, remaining_s, error in [
        ("what?", 60.0, InvalidImage),
        ("what? " * 30, 60.0, Overloaded),
        ("what?", 58.0, Overloaded),
        ("what? " * 30, 70.0, InvalidImage),
    ]:
        with pytest.raises(error):
            _prepare(Ask("x", query, remaining_s=remaining_s, backlog=backlog), undecodable)


def test_typed_special_tokens_cost_what_their_letters_cost() -> None:
    ask = Ask("x", "<|image_pad|>" * 40, Sampling(max_new_tokens=1))
    with pytest.raises(ContextLengthExceeded):
        _prepare(ask, _png(256), max_length=200)  # 40 placeholders would fit


def test_a_passed_deadline_and_a_budget_out_of_range_are_told() -> None:
    with pytest.raises(DeadlineExceeded):
        _prepare(Ask("x", "what?", remaining_s=0.0), _png(256))
    with pytest.raises(BudgetTooSmall):
        _prepare(Ask("x", "what?", visual_token_budget=63), _png(256))


def test_several_pictures_are_each_seen_whole_within_one_budget() -> None:
    messages = (Message("user", (PICTURE, PICTURE, "same?")),)
    picture = _prepare(Ask("x", "same?", messages=messages), _png(1024))
    assert picture.source is None
    assert 200 < picture.grid.tokens <= 312


def test_detail_is_resolved_by_what_the_model_and_a_slot_allow() -> None:
    low, high = (_prepare(Ask("x", "what?", detail=detail), _png(1024)) for detail in ("low", "high"))
    assert (low.grid.tokens, low.source) == (64, None)
    assert (high.grid.tokens, high.route) == (1024, "direct")


def test_all_that_was_said_before_counts_too() -> None:
    messages = (Message("system", ("word " * 300,)), Message("user", (PICTURE, "what?")))
    with pytest.raises(ContextLengthExceeded):
        _prepare(Ask("x", "what?", messages=messages), _png(256), max_length=256)


@pytest.mark.parametrize(("family", "route", "tokens"), [("llava", "direct", 16), ("blip-2", "zoom", 5)])
def test_a_model_of_one_view_gets_it_by_its_configuration(
    tmp_path: Path, family: str, route: str, tokens: int
) -> None:
    tiny.model(family, torch.float32).save_pretrained(str(tmp_path))
    tiny.tokenizer().save_pretrained(str(tmp_path))
    model = ModelConfig(source=str(tmp_path))
    picture = _prepare(Ask("x", "what?"), _png(1024), model=model)
    assert (picture.route, picture.grid.tokens, picture.view.shape) == (route, tokens, (56, 56, 3))
    with pytest.raises(BudgetTooSmall, match=str(tokens)):
        _prepare(Ask("x", "what?", visual_token_budget=tokens - 1), _png(1024), model=model)


async def test_each_model_is_prepared_for_as_it_wants_and_the_first_is_the_default_one(
    tmp_path: Path,
) -> None:
    native = tmp_path / "native"
    shutil.copytree(DEMO, native)
    profile = json.loads((native / "arr_coc.json").read_text())
    (native / "arr_coc.json").write_text(json.dumps(profile | {"direct_max_tokens": 1024}))
    models = {"zooming": ModelConfig(), "native": ModelConfig(source=str(native), when="first_request")}
    stage = _stage(models, tmp_path)
    routes = [
        (await stage.prepare(Ask("x", "what?", model=name), _png(1024))).route for name in ("", *models)
    ]
    assert routes == ["zoom", "zoom", "direct"]


async def test_a_model_that_cannot_be_had_fails_its_requests_until_it_can(tmp_path: Path) -> None:
    late = tmp_path / "late"
    stage = _stage(
        {"here": ModelConfig(), "late": ModelConfig(source=str(late), when="first_request")}, tmp_path
    )
    asks = [stage.prepare(Ask("x", "what?", model="late"), _png(256)) for _ in range(3)]
    for error in await asyncio.gather(*asks, return_exceptions=True):
        assert isinstance(error, EngineClosed)
        assert error.code == "model_unavailable"
    assert (await stage.prepare(Ask("x", "what?"), _png(256))).grid.tokens
    shutil.copytree(DEMO, late)
    assert (await stage.prepare(Ask("x", "what?", model="late"), _png(256))).grid.tokens


def _stage(models: dict[str, ModelConfig], directory: Path) -> TextureStage:
    metrics = str(directory / "metrics")
    return TextureStage(
        TextureStageConfig(), models, EngineConfig(), PictureLimits(), metrics, TracingConfig()
    )

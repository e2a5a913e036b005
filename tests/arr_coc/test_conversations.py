"""Conversations of any shape through the whole model: every letter equals ``generate`` alone."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from arr_coc.answers import Delta, Report
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.observer import Silent
from arr_coc.foveation import fingerprint
from arr_coc.profile import ModelProfile
from arr_coc.types import (
    PICTURE,
    Allocation,
    Ask,
    Balance,
    Box,
    Floats,
    Grid,
    Message,
    Patch,
    Sampling,
    Scores,
    TexturedPicture,
)
from arr_coc.vlm import VisionLanguageModel
from tests.arr_coc import tiny

CONFIG = EngineConfig(slots=4, max_length=512, prefill_token_budget=400)
SIDES = {"qwen2_vl": 28, "qwen2_5_vl": 28, "qwen3_vl": 32}  # pixels of a visual token


class _Fixed:
    """Looks closer at the same place, whatever it is shown."""

    def allocate(self, picture: TexturedPicture, attention: Floats | None) -> Allocation:
        assert attention is not None
        assert attention.shape == (picture.grid.rows, picture.grid.cols)
        side = picture.width / picture.grid.cols
        box = Box(0, 0, 2 * side, 2 * side)  # cut out without resampling
        patch = Patch(box, Grid(2, 2), Scores(0, 0, 0, 0), 1.0)
        return Allocation((patch,), Balance(0, 0, 1), attention, np.stack([attention] * 3))


@pytest.fixture(scope="module", params=SIDES)
def family(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def vlm(family: str) -> Iterator[VisionLanguageModel]:
    profile = ModelProfile(heads=((1, 0),), token_side=SIDES[family])
    model = VisionLanguageModel(tiny.adapter(family), profile, CONFIG, Silent(), _Fixed())
    yield model
    model.close()


def _picture(family: str, seed: int, rows: int, cols: int, *, zoomed: bool = False) -> TexturedPicture:
    grid, side = Grid(rows, cols), SIDES[family]
    view = tiny.picture(np.random.default_rng(seed), grid, side)
    empty = np.zeros((13, rows, cols), np.float32)
    return TexturedPicture(
        width=cols * side, height=rows * side, route="zoom" if zoomed else "direct",
        budget=grid.tokens + (64 if zoomed else 0), grid=grid, view=view, channels=empty, lost_detail=empty[0],
        source=view if zoomed else None, native_tokens=grid.tokens, texture_ms=1.0,
        digest=fingerprint(view),
    )  # fmt: skip


def _user(*parts: object) -> Message:
    return Message("user", tuple(PICTURE if part is PICTURE else str(part) for part in parts))


SYSTEM, ANSWER = Message("system", ("be brief",)), Message("assistant", ("a dog",))
CONVERSATIONS = {
    "text": ((_user("hello"),), 0),
    "system and text": ((SYSTEM, _user("hello")), 0),
    "system": ((SYSTEM, _user(PICTURE, "what is it")), 1),
    "text first": ((_user("what is it", PICTURE),), 1),
    "picture in an earlier turn": ((_user(PICTURE, "what is it"), ANSWER, _user("what color")), 1),
    "two pictures": ((_user("first", PICTURE, "second", PICTURE, "same"),), 2),
    "pictures in two turns": ((_user(PICTURE, "what"), ANSWER, _user(PICTURE, "and this")), 2),
}  # fmt: skip


def _expected(
    family: str, messages: tuple[Message, ...], pictures: list[TexturedPicture], tokens: int, *, zoomed: bool
) -> str:
    adapter, model = tiny.adapter(family), tiny.model(family)
    views = [[picture.grid, *([Grid(2, 2)] if zoomed else [])] for picture in pictures]
    shown = [picture.view for picture in pictures]
    if zoomed:
        shown.append(shown[0][: 2 * SIDES[family], : 2 * SIDES[family]])
    prompt = replace(adapter.chat(messages, views), pictures=tuple(shown))
    ids = tiny.generate(model, adapter, prompt, tokens)
    text: str = adapter.tokenizer.decode(ids, skip_special_tokens=True)
    return text


def _answer(vlm: VisionLanguageModel, ask: Ask, *pictures: TexturedPicture) -> Report:
    return asyncio.run(vlm.answer(ask, *pictures))


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_conversation_is_answered_as_generate_would(
    vlm: VisionLanguageModel, family: str, name: str
) -> None:
    messages, count = CONVERSATIONS[name]
    pictures = [_picture(family, i, 2 + i, 3) for i in range(count)]
    report = _answer(vlm, Ask("x", "", Sampling(max_new_tokens=16), messages=messages), *pictures)
    assert report.text == _expected(family, messages, pictures, 16, zoomed=False)
    assert report.usage.visual_tokens == sum(picture.grid.tokens for picture in pictures)
    assert report.route == ("direct" if count else "text")
    assert report.width == (pictures[0].width if count == 1 else 0)


@pytest.mark.parametrize("name", ["system", "text first", "picture in an earlier turn"])
def test_a_closer_look_stands_beside_its_picture(vlm: VisionLanguageModel, family: str, name: str) -> None:
    messages, _ = CONVERSATIONS[name]
    picture = _picture(family, 0, 4, 5, zoomed=True)
    report = _answer(vlm, Ask("x", "", Sampling(max_new_tokens=16), messages=messages), picture)
    assert report.text == _expected(family, messages, [picture], 16, zoomed=True)
    assert report.usage.visual_tokens == 20 + 4
    assert report.allocation is not None


def test_all_of_them_at_once_are_answered_as_each_alone(vlm: VisionLanguageModel, family: str) -> None:
    async def ask_all() -> list[Report]:
        asks = [
            vlm.answer(
                Ask("x", "", Sampling(max_new_tokens=12), messages=messages),
                *(_picture(family, i, 2 + i, 3) for i in range(count)),
            )
            for messages, count in CONVERSATIONS.values()
        ]
        return await asyncio.gather(*asks)

    for report, (messages, count) in zip(asyncio.run(ask_all()), CONVERSATIONS.values(), strict=True):
        assert report.text == _expected(
            family, messages, [_picture(family, i, 2 + i, 3) for i in range(count)], 12, zoomed=False
        )


def test_a_stop_string_ends_the_answer_and_is_not_shown(vlm: VisionLanguageModel) -> None:
    messages, _ = CONVERSATIONS["text"]
    sampling = Sampling(max_new_tokens=24, ignore_eos=True)
    whole = _answer(vlm, Ask("x", "", sampling, messages=messages))
    stop = whole.text[6:9]
    expected = whole.text[: whole.text.index(stop)]

    async def read() -> list[Delta | Report]:
        ask = Ask("x", "", replace(sampling, stop=(stop, "never said")), messages=messages)
        return [item async for item in vlm.stream(ask)]

    *deltas, report = asyncio.run(read())
    assert isinstance(report, Report)
    assert (report.text, report.finish_reason) == (expected, "stop")
    assert "".join(delta.text for delta in deltas if isinstance(delta, Delta)) == expected
    assert report.usage.completion_tokens < whole.usage.completion_tokens


def test_an_answer_cut_by_its_length_shows_what_was_held_back(vlm: VisionLanguageModel) -> None:
    messages, _ = CONVERSATIONS["text"]
    sampling = Sampling(max_new_tokens=8, ignore_eos=True)
    whole = _answer(vlm, Ask("x", "", sampling, messages=messages))
    doubtful = replace(sampling, stop=(whole.text[-3:] + "\x00",))
    cut = _answer(vlm, Ask("x", "", doubtful, messages=messages))
    assert (cut.text, cut.finish_reason) == (whole.text, "length")

"""The composition root on the bundled model: both routes, its limits, and endings."""

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from arr_coc.answers import Delta, Report
from arr_coc.decoding import PictureLimits
from arr_coc.demo.scenes import render, sample_scene
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.observer import Silent
from arr_coc.errors import BudgetTooSmall, ContextLengthExceeded, DeadlineExceeded, EngineClosed, Overloaded
from arr_coc.model.config import ModelConfig
from arr_coc.model.families import FAMILIES, PROMPTS
from arr_coc.model.source import resolve
from arr_coc.profile import ModelProfile
from arr_coc.status import Backlog
from arr_coc.texture import TextureEncoder
from arr_coc.types import Ask, Sampling, TexturedPicture
from arr_coc.vlm import VisionLanguageModel
from tests.arr_coc import tiny

CONFIG = EngineConfig(slots=4, max_queue=4, max_length=1024)


@pytest.fixture(scope="module")
def vlm() -> Iterator[VisionLanguageModel]:
    model = VisionLanguageModel.load(ModelConfig(), CONFIG, Silent())
    yield model
    model.close()


def _png(size: int) -> bytes:
    file = io.BytesIO()
    render(sample_scene(900_003, size=size)).save(file, format="PNG")
    return file.getvalue()


def _picture(size: int, budget: int | None = None) -> TexturedPicture:
    return TextureEncoder(ModelProfile.load(resolve("demo")), PictureLimits()).encode(_png(size), budget)


def test_both_routes_report_what_was_spent(vlm: VisionLanguageModel) -> None:
    direct = asyncio.run(vlm.answer(Ask("x", "describe the picture."), _picture(256)))
    assert (direct.route, direct.usage.visual_tokens, direct.allocation) == ("direct", 64, None)
    picture = _picture(1024)
    zoom = asyncio.run(vlm.answer(Ask("x", "what number is on the red circle?"), picture))
    assert zoom.allocation is not None
    patches = sum(patch.tokens for patch in zoom.allocation.patches)
    assert zoom.usage.visual_tokens == picture.grid.tokens + patches <= picture.budget
    assert {"queue", "probe", "relevance", "prefill", "first_token", "decode", "total"} <= set(
        zoom.timings_ms
    )


def test_a_status_tells_which_budgets_are_taken(vlm: VisionLanguageModel) -> None:
    told = vlm.status().visual_tokens
    assert told is not None
    assert _picture(1024, told.smallest_budget).grid.tokens <= told.smallest_budget
    assert _picture(1024, told.largest_budget).view.shape[0] % told.side == 0
    for budget in (told.smallest_budget - 1, told.largest_budget + 1):
        with pytest.raises(BudgetTooSmall):
            _picture(1024, budget)


def test_a_stream_spells_its_report(vlm: VisionLanguageModel) -> None:
    async def read() -> list[Delta | Report]:
        return [item async for item in vlm.stream(Ask("x", "describe the picture."), _picture(256))]

    *deltas, report = asyncio.run(read())
    assert isinstance(report, Report)
    assert "".join(delta.text for delta in deltas if isinstance(delta, Delta)) == report.text


def test_a_prompt_beyond_the_slot_is_refused(vlm: VisionLanguageModel) -> None:
    ask = Ask("x", "what? " * 50, Sampling(max_new_tokens=900))
    with pytest.raises(ContextLengthExceeded):
        asyncio.run(vlm.answer(ask, _picture(256)))


def test_a_deadline_ends_a_request(vlm: VisionLanguageModel) -> None:
    ask = Ask("x", "what?", Sampling(max_new_tokens=800, ignore_eos=True), remaining_s=0.05)
    with pytest.raises(DeadlineExceeded):
        asyncio.run(vlm.answer(ask, _picture(256)))


def test_more_than_slots_and_queue_hold_are_refused(vlm: VisionLanguageModel) -> None:
    picture = _picture(256)
    sampling = Sampling(max_new_tokens=60, ignore_eos=True)

    async def flood() -> list[object]:
        asks = [vlm.answer(Ask(str(i), "what?", sampling), picture) for i in range(40)]
        return await asyncio.gather(*asks, return_exceptions=True)

    outcomes = asyncio.run(flood())
    refused = [outcome for outcome in outcomes if isinstance(outcome, Overloaded)]
    answered = [outcome for outcome in outcomes if isinstance(outcome, Report)]
    assert len(refused) + len(answered) == 40
    assert len(answered) == CONFIG.slots + CONFIG.max_queue
    assert all(error.retry_after_s > 0 for error in refused)
    assert len({report.text for report in answered}) == 1


def test_what_would_wait_beyond_its_deadline_is_refused(vlm: VisionLanguageModel) -> None:
    picture = _picture(256)
    asyncio.run(vlm.answer(Ask("x", "what?"), picture))
    vlm._engine.backlog = Backlog(tokens=1000, token_s=0.1)  # until the next step
    with pytest.raises(Overloaded) as refused:
        asyncio.run(vlm.answer(Ask("x", "what?", remaining_s=105.0), picture))  # its own tokens count
    assert refused.value.retry_after_s == 100.0
    assert asyncio.run(vlm.answer(Ask("x", "what?", remaining_s=125.0), picture)).text


def test_a_tenant_within_its_share_is_not_refused_when_another_filled_the_queue(
    vlm: VisionLanguageModel,
) -> None:
    picture, sampling = _picture(256), Sampling(max_new_tokens=20, ignore_eos=True)

    async def ask(tenant: str, count: int) -> list[Report | BaseException]:
        asks = [vlm.answer(Ask("x", "what?", sampling, tenant=tenant), picture) for _ in range(count)]
        return await asyncio.gather(*asks, return_exceptions=True)

    async def both() -> list[list[Report | BaseException]]:
        return await asyncio.gather(ask("flood", 40), ask("other", 5))

    flood, other = ([isinstance(outcome, Report) for outcome in outcomes] for outcomes in asyncio.run(both()))
    assert sum(flood) == CONFIG.slots + CONFIG.max_queue
    assert other == [True] * 4 + [False]  # half of the places, and no more


def test_a_cancelled_answer_frees_its_slot(vlm: VisionLanguageModel) -> None:
    ask = Ask("x", "what?", Sampling(max_new_tokens=800, ignore_eos=True))

    async def leave() -> None:
        task = asyncio.create_task(vlm.answer(ask, _picture(256)))
        while vlm.status().running == 0:
            await asyncio.sleep(0.005)
        task.cancel()
        while vlm.status().running:
            await asyncio.sleep(0.005)

    asyncio.run(asyncio.wait_for(leave(), 30))


def test_draining_finishes_what_runs_and_refuses_the_rest() -> None:
    model = VisionLanguageModel.load(ModelConfig(), CONFIG, Silent())
    picture = _picture(256)

    async def drain() -> tuple[Report, Report | BaseException]:
        running = asyncio.create_task(model.answer(Ask("x", "describe the picture."), picture))
        while model.status().running == 0:
            await asyncio.sleep(0.001)
        draining = asyncio.create_task(model.drain(30.0))
        await asyncio.sleep(0)
        late = (await asyncio.gather(model.answer(Ask("y", "what?"), picture), return_exceptions=True))[0]
        report = await running
        await draining
        return report, late

    report, late = asyncio.run(drain())
    assert report.text
    assert isinstance(late, EngineClosed)
    assert not model.status().ready


@pytest.mark.parametrize("family", FAMILIES)
def test_a_plain_directory_of_each_family_is_served(tmp_path: Path, family: str) -> None:
    """As ``save_pretrained`` leaves it: no profile, no preprocessor's settings."""
    tiny.model(family, torch.float32).save_pretrained(str(tmp_path))
    tokenizer = tiny.tokenizer()
    if family in PROMPTS:
        tokenizer.chat_template = None
    tokenizer.save_pretrained(str(tmp_path))
    model = VisionLanguageModel.load(ModelConfig(source=str(tmp_path)), CONFIG, Silent())
    try:
        picture = TextureEncoder(ModelProfile.load(tmp_path), PictureLimits()).encode(_png(256), None)
        report = asyncio.run(model.answer(Ask("x", "what?", Sampling(max_new_tokens=4)), picture))
    finally:
        model.close()
    assert report.usage.completion_tokens > 0
    patches = report.allocation.patches if report.allocation else ()
    assert report.usage.visual_tokens == picture.grid.tokens + sum(patch.tokens for patch in patches)

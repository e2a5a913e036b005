"""The generation stage while its model loads, when it has, and when it cannot."""

import asyncio
import json
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Cache

from arr_coc.engine.config import EngineConfig
from arr_coc.engine.observer import Observer
from arr_coc.errors import EngineClosed, ModelLoadError
from arr_coc.model.adapter import Batch
from arr_coc.model.config import ModelConfig
from arr_coc.model.sources.spec import Prefix
from arr_coc.model.sources.store import Entry
from arr_coc.profile import ModelProfile
from arr_coc.status import Loading, Tell
from arr_coc.types import Ask, Sampling
from arr_coc.vlm import VisionLanguageModel
from deployments.answerer import Load
from deployments.autoscaling import stats
from deployments.config import FAILED, GenerationStageConfig, TracingConfig
from deployments.generation import GenerationStage
from tests.arr_coc import tiny
from tests.serve_app.fakes import PICTURE
from tests.system.fake import WAITING, FakeModel


def _stage(directory: Path, load: Load, *models: ModelConfig, **more: Any) -> GenerationStage:
    served = {model.served_name: model for model in models or [ModelConfig()]}
    engine, stage = more.pop("engine", EngineConfig()), more.pop("stage", GenerationStageConfig())
    return GenerationStage(served, engine, stage, str(directory), TracingConfig(), load, **more)


async def _loaded(stage: GenerationStage) -> None:
    while not (await stage.status()).ready:
        await asyncio.sleep(0.01)


async def test_says_that_it_loads_and_refuses_work_until_it_has(tmp_path: Path) -> None:
    gate = threading.Event()

    def load(model: ModelConfig, engine: EngineConfig, observer: Observer, tell: Tell) -> FakeModel:
        gate.wait(10)
        return FakeModel(engine, observer)

    stage = _stage(tmp_path, load)
    status = await stage.status()
    assert not status.ready
    assert status.detail
    with pytest.raises(EngineClosed):
        await stage.answer(Ask("x", "what?"), PICTURE)
    await stage.check_health()
    gate.set()
    await _loaded(stage)
    assert (await stage.answer(Ask("x", "what?"), PICTURE)).text


async def test_a_model_that_cannot_be_loaded_fails_the_health_check_with_its_reason(tmp_path: Path) -> None:
    def load(model: ModelConfig, engine: EngineConfig, observer: Observer, tell: Tell) -> FakeModel:
        raise ModelLoadError("weights are broken")

    stage = _stage(tmp_path, load)
    for _ in range(500):
        if "weights are broken" in (await stage.status()).detail:
            break
        await asyncio.sleep(0.01)
    with pytest.raises(RuntimeError, match="weights are broken"):
        await stage.check_health()


async def test_while_the_model_is_downloaded_it_tells_how_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARR_COC_CACHE", str(tmp_path / "cache"))
    gate, begun = threading.Event(), threading.Event()

    def load(model: ModelConfig, engine: EngineConfig, observer: Observer, tell: Tell) -> FakeModel:
        begun.set()
        gate.wait(10)
        raise ModelLoadError("cut")

    source = "gs://bucket/model#1"
    stage = _stage(tmp_path / "metrics", load, ModelConfig(source=source))
    assert begun.wait(10)
    assert (await stage.status()).loading is None
    told = Loading(512, 1024, 3.5)
    entry = Entry(Prefix("bucket", "model", 1))
    entry.files.mkdir(parents=True)
    entry.progress.write_text(json.dumps(asdict(told)))
    status = await stage.status()
    assert (status.ready, status.detail, status.loading) == (False, "downloading the model", told)
    gate.set()
    while not (status := await stage.status()).detail.startswith(FAILED):
        await asyncio.sleep(0.01)
    assert status.loading is None


async def test_closing_a_stream_ends_the_request_in_the_model(tmp_path: Path) -> None:
    models: list[FakeModel] = []

    def load(model: ModelConfig, engine: EngineConfig, observer: Observer, tell: Tell) -> FakeModel:
        models.append(FakeModel(engine, observer))
        return models[0]

    stage = _stage(tmp_path, load)
    await _loaded(stage)
    stream = stage.stream(Ask("x", "slow 1000"), PICTURE)
    await anext(stream)
    assert models[0].status().running == 1
    await stream.aclose()
    assert models[0].status().running == 0


async def test_one_of_several_counts_as_started_when_its_model_is_loaded(tmp_path: Path) -> None:
    gate = threading.Event()

    def load(model: ModelConfig, engine: EngineConfig, observer: Observer, tell: Tell) -> FakeModel:
        gate.wait(10)
        return FakeModel(engine, observer)

    stage = _stage(tmp_path, load, joins_loaded=True)
    looked = asyncio.create_task(stage.check_health())
    await asyncio.sleep(0.05)
    assert not looked.done()
    gate.set()
    await looked
    assert (await stage.status()).ready


async def test_one_of_several_whose_model_cannot_be_loaded_never_starts(tmp_path: Path) -> None:
    def load(model: ModelConfig, engine: EngineConfig, observer: Observer, tell: Tell) -> FakeModel:
        raise ModelLoadError("weights are broken")

    stage = _stage(tmp_path, load, joins_loaded=True)
    with pytest.raises(RuntimeError, match="weights are broken"):
        await stage.check_health()


async def test_the_autoscaler_hears_of_the_tokens_that_wait(tmp_path: Path) -> None:
    def load(model: ModelConfig, engine: EngineConfig, observer: Observer, tell: Tell) -> FakeModel:
        return FakeModel(engine, observer)

    stage = _stage(tmp_path, load, engine=EngineConfig(slots=2), joins_loaded=True)
    await stage.check_health()
    asked = [asyncio.create_task(stage.answer(Ask("x", "slow 100"), PICTURE)) for _ in range(5)]
    while (await stage.status()).waiting < 3:
        await asyncio.sleep(0.01)
    assert await stage.record_autoscaling_stats() == stats(3 * WAITING, running=2, slots=2)
    for each in asked:
        each.cancel()


class Roomy:
    """A memory in which every model fits."""

    def needed(self, model: ModelConfig, engine: EngineConfig) -> int:
        return 1

    def limit(self, model: ModelConfig) -> int:
        return 9

    def held(self, model: ModelConfig) -> int:
        return 0

    def give_back(self) -> None:
        pass


async def test_the_autoscaler_hears_of_all_models_that_are_loaded(tmp_path: Path) -> None:
    def load(model: ModelConfig, engine: EngineConfig, observer: Observer, tell: Tell) -> FakeModel:
        return FakeModel(engine, observer)

    models = [ModelConfig(name="a"), ModelConfig(name="b"), ModelConfig(name="c", when="first_request")]
    stage = _stage(tmp_path, load, *models, engine=EngineConfig(slots=2), memory=Roomy(), joins_loaded=True)
    await stage.check_health()
    counts = {"a": 3, "b": 5}
    asked = [
        asyncio.create_task(stage.answer(Ask("x", "slow 100", model=name), PICTURE))
        for name, count in counts.items()
        for _ in range(count)
    ]
    while (await stage.status()).waiting < 4:
        await asyncio.sleep(0.01)
    assert (await stage.status()).slots == 4
    assert await stage.record_autoscaling_stats() == stats(4 * WAITING, running=4, slots=4)
    for each in asked:
        each.cancel()


class Hanging:
    """A tiny model whose forwards wait while ``gate`` is closed."""

    def __init__(self) -> None:
        self._model = tiny.adapter("qwen3_vl", torch.float32)
        self.gate = threading.Event()
        self.gate.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def forward(self, batch: Batch, cache: Cache) -> torch.Tensor:
        self.gate.wait(30)
        return self._model.forward(batch, cache)


async def test_a_hung_step_fails_the_health_check_while_it_hangs(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    adapter = Hanging()

    def load(model: ModelConfig, engine: EngineConfig, observer: Observer, tell: Tell) -> VisionLanguageModel:
        return VisionLanguageModel(adapter, ModelProfile(token_side=32), engine, observer)

    config = EngineConfig(slots=2, max_length=256, stall_s=0.2)
    stage = GenerationStage(
        {"it": ModelConfig()}, config, GenerationStageConfig(), str(tmp_path), TracingConfig(), load
    )
    await _loaded(stage)
    asks = [Ask(query, query, Sampling(max_new_tokens=9, ignore_eos=True)) for query in "abc"]
    expected = [(await stage.answer(ask, PICTURE)).text for ask in asks]
    adapter.gate.clear()
    tasks = [asyncio.create_task(stage.answer(ask, PICTURE)) for ask in asks]
    while (await stage.status()).last_step_age_s <= config.stall_s:
        await asyncio.sleep(0.02)
    with pytest.raises(RuntimeError, match="no step"):
        await stage.check_health()
    assert "in forward" in capfd.readouterr().err  # where it hangs
    adapter.gate.set()
    assert [(await task).text for task in tasks] == expected
    await stage.check_health()
    await stage.drain(5)

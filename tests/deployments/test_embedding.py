"""The embedding stage while its model loads, when it has, and when it cannot."""

import asyncio
import threading
from pathlib import Path

import numpy as np
import pytest

from arr_coc.decoding import PictureLimits
from arr_coc.embedding.config import EmbeddingConfig
from arr_coc.embedding.observer import EmbeddingObserver
from arr_coc.embedding.types import EmbeddingAsk, EmbeddingStatus
from arr_coc.errors import EngineClosed, ModelLoadError
from deployments.config import FAILED, EmbeddingStageConfig, TracingConfig
from deployments.embedding import EmbeddingModel, EmbeddingStage, load_embedder
from deployments.scraping import Scraper
from tests.arr_coc import tiny_clip

ASK = EmbeddingAsk("x", ("a cat",), ("input",))


def _stage(directory: Path, metrics: Path, load: object = load_embedder) -> EmbeddingStage:
    config = EmbeddingStageConfig(source=str(directory), device="cpu", threads=1)
    return EmbeddingStage(config, PictureLimits(), str(metrics), TracingConfig(), load)  # type: ignore[arg-type]


async def _until(stage: EmbeddingStage, word: str) -> EmbeddingStatus:
    async with asyncio.timeout(30):
        while word not in (status := await stage.status()).detail:
            await asyncio.sleep(0.01)
    return status


async def test_it_refuses_work_until_it_has_loaded_then_embeds_and_counts(tmp_path: Path) -> None:
    directory, gate = tiny_clip.write("siglip", tmp_path / "tiny"), threading.Event()

    def load(config: EmbeddingConfig, pictures: PictureLimits, observer: EmbeddingObserver) -> EmbeddingModel:
        gate.wait(10)
        return load_embedder(config, pictures, observer)

    stage = _stage(directory, tmp_path / "metrics", load)
    status = await stage.status()
    assert (status.ready, status.model, status.dimensions) == (False, "tiny", 0)
    with pytest.raises(EngineClosed):
        await stage.embed(ASK)
    await stage.check_health()
    gate.set()
    assert (await _until(stage, "ok")).dimensions == 32
    embedded = await stage.embed(ASK)
    expected = tiny_clip.Theirs("siglip", directory)(["a cat"], [tiny_clip.picture()]).text_embeds
    assert np.abs(embedded.vectors - expected.numpy()).max() < 2e-6
    await stage.check_health()
    text = Scraper(str(tmp_path / "metrics")).scrape().decode()
    assert 'arr_coc_batch_rows_count{kind="text"} 1.0' in text  # warming up is no traffic
    await stage.drain(1)
    with pytest.raises(EngineClosed):
        await stage.label(ASK)


async def test_a_model_that_cannot_be_loaded_fails_the_health_check_with_its_reason(tmp_path: Path) -> None:
    def load(config: EmbeddingConfig, pictures: PictureLimits, observer: EmbeddingObserver) -> EmbeddingModel:
        raise ModelLoadError("weights are broken")

    stage = _stage(tmp_path, tmp_path / "metrics", load)
    await _until(stage, FAILED)
    with pytest.raises(RuntimeError, match="weights are broken"):
        await stage.check_health()


async def test_it_tells_what_its_node_has_counted(tmp_path: Path) -> None:
    stage = _stage(tiny_clip.write("siglip", tmp_path / "tiny"), tmp_path / "metrics")
    await _until(stage, "ok")
    await stage.embed(ASK)
    counted = await stage.counted()
    assert "arr_coc_batch_rows" in {metric.name for metric in counted.metrics}

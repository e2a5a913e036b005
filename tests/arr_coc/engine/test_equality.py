"""The engine's bar: with arrivals staggered at random, every token equals ``generate`` alone."""

import asyncio
import random
from itertools import pairwise

import numpy as np
import pytest
import torch
from transformers import AutoModelForImageTextToText

from arr_coc.demo.scenes import render, sample_scene
from arr_coc.engine import runner
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.detokenizer import Detokenizer
from arr_coc.engine.engine import Engine
from arr_coc.engine.interruption import Interruption
from arr_coc.engine.observer import Silent
from arr_coc.engine.outcome import Finish, Outcome
from arr_coc.engine.plan import Job
from arr_coc.engine.sequence import Resume, Sequence, Stage, Times
from arr_coc.engine.views import Band
from arr_coc.foveation import native_grid, view
from arr_coc.model.adapter import Prompt
from arr_coc.model.config import ModelConfig
from arr_coc.model.families import FAMILIES
from arr_coc.model.loading import load
from arr_coc.model.source import resolve
from arr_coc.types import Box, Grid, Pixels, Sampling
from tests.arr_coc import tiny

HEADS = {1: [0, 3]}


def _prompts(adapter, rng: np.random.Generator, count: int) -> list[list[Prompt]]:
    """Per request a list of one prompt (DIRECT), or of one or two probes and the answer prompt (ZOOM)."""
    requests = []
    for i in range(count):
        if i % 3 < 2:  # every third asks about the picture before
            first = tiny.seen(adapter, rng, (2, 7))
        views = [first]
        query = "".join(rng.choice(list("abcdefgh "), size=int(rng.integers(3, 25))))
        stages = [_asked(adapter, views, query)]
        if i % 4 == 3:
            stages.append(_asked(adapter, views, query[::-1]))
        if i % 2:
            views += [tiny.seen(adapter, rng, (2, 5)) for _ in range(int(rng.integers(1, 4)))]
            stages.append(_asked(adapter, views, query))
        requests.append(stages)
    return requests


def _asked(adapter, views: list[tuple[Grid, Pixels]], query: str) -> Prompt:
    grids, pictures = zip(*views, strict=True)
    return tiny.shown(adapter.prompt(grids, query), pictures)


def _resume(stages: list[Prompt]) -> Resume | None:
    """Goes through ``stages``, each probe followed by the next."""
    return (lambda probe: Stage(stages[0], _resume(stages[1:]))) if stages else None


def _sequence(adapter, stages: list[Prompt], sampling: Sampling) -> Sequence:
    return Sequence(
        id="x", prompt=stages[0], sampling=sampling, deadline=float("inf"), outcome=Outcome(),
        detokenizer=Detokenizer(adapter.tokenizer), times=Times(submitted=0.0),
        resume=_resume(stages[1:]),
    )  # fmt: skip


async def _serve(
    engine: Engine, adapter, stages: list[Prompt], sampling: Sampling, delay: float
) -> list[int]:
    await asyncio.sleep(delay)
    sequence = _sequence(adapter, stages, sampling)
    engine.submit(sequence)
    pieces: list[str] = []
    async for item in sequence.outcome:
        if isinstance(item, Finish):
            assert "".join(pieces) == item.text
        else:
            pieces.append(item.text)
    return sequence.output


def _serve_all(
    adapter, requests: list[list[Prompt]], lengths: list[int], config: EngineConfig, delays: random.Random
) -> list[list[int]]:
    async def go() -> list[list[int]]:
        engine = Engine(adapter, HEADS, config, Silent())
        engine.start()
        answers = await asyncio.gather(
            *(
                _serve(engine, adapter, stages, Sampling(max_new_tokens=n), delays.random() * 0.15)
                for stages, n in zip(requests, lengths, strict=True)
            )
        )
        engine.close()
        return answers

    return asyncio.run(go())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", [0, 1])
def test_every_token_equals_generate(family: str, seed: int) -> None:
    adapter = tiny.adapter(family, torch.float64, seed)
    model = tiny.model(family, torch.float64, seed)
    rng, delays = np.random.default_rng(seed), random.Random(seed)
    requests = _prompts(adapter, rng, 12)
    lengths = [int(rng.integers(1, 24)) for _ in requests]
    config = EngineConfig(slots=5, max_length=256, prefill_token_budget=160, window_ms=10)
    answers = _serve_all(adapter, requests, lengths, config, delays)
    for stages, n, answer in zip(requests, lengths, answers, strict=True):
        assert answer == tiny.generate(model, adapter, stages[-1], n)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shared_mib", [0.0, 256.0])
def test_however_prefills_are_divided_every_token_equals_generate(
    family: str, shared_mib: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter, model = tiny.adapter(family, torch.float64), tiny.model(family, torch.float64)
    rng, chance = np.random.default_rng(2), random.Random(2)
    requests = _prompts(adapter, rng, 8)
    lengths = [int(rng.integers(4, 24)) for _ in requests]
    parts: list[int] = []

    def anywhere(_: Interruption, job: Job) -> int:
        parts.append(chance.randint(1, 25))
        return min(parts[-1], job.pending)

    monkeypatch.setattr(Interruption, "part", anywhere)
    config = EngineConfig(slots=5, max_length=512, window_ms=0, shared_mib=shared_mib)

    async def go() -> list[list[int]]:
        engine = Engine(adapter, HEADS, config, Silent())
        held = Sampling(max_new_tokens=400, ignore_eos=True)  # there is always somebody who decodes
        engine.submit(_sequence(adapter, [adapter.prompt([], "hold")], held))
        engine.step()
        samplings = [Sampling(max_new_tokens=n) for n in lengths]
        sequences = [_sequence(adapter, *each) for each in zip(requests, samplings, strict=True)]
        for sequence in sequences:
            engine.submit(sequence)
        while not all(sequence.outcome.ended for sequence in sequences):
            engine.step()
        assert engine.running == 1
        return [sequence.output for sequence in sequences]

    answers = asyncio.run(go())
    assert len(parts) > 2 * len(requests)
    for stages, n, answer in zip(requests, lengths, answers, strict=True):
        assert answer == tiny.generate(model, adapter, stages[-1], n)


@pytest.mark.parametrize("family", FAMILIES)
def test_however_rows_are_read_every_token_equals_generate(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter, model = tiny.adapter(family, torch.float64), tiny.model(family, torch.float64)
    rng, chance = np.random.default_rng(3), random.Random(3)
    requests = _prompts(adapter, rng, 8)
    lengths = [int(rng.integers(4, 24)) for _ in requests]
    split: list[int] = []

    def anyhow(reached: list[int], max_length: int) -> tuple[Band, ...]:
        cuts = sorted({0, len(reached), *(chance.randint(0, len(reached)) for _ in range(3))})
        split.append(len(cuts) - 1)
        return tuple((first, end, max(reached[first:end])) for first, end in pairwise(cuts))

    monkeypatch.setattr(runner, "bands", anyhow)
    config = EngineConfig(slots=5, max_length=256, window_ms=10)
    answers = _serve_all(adapter, requests, lengths, config, chance)
    assert max(split) > 1
    for stages, n, answer in zip(requests, lengths, answers, strict=True):
        assert answer == tiny.generate(model, adapter, stages[-1], n)


def test_the_bundled_model_in_float32_equals_generate() -> None:
    directory = resolve("demo")
    adapter = load(directory, ModelConfig())
    model = AutoModelForImageTextToText.from_pretrained(directory, dtype=torch.float32).eval()
    requests = _scene_prompts(adapter)
    config = EngineConfig(slots=6, max_length=1024, prefill_token_budget=700)
    answers = _serve_all(adapter, requests, [24] * len(requests), config, random.Random(0))
    for stages, answer in zip(requests, answers, strict=True):
        assert answer == tiny.generate(model, adapter, stages[-1], 24)


def _scene_prompts(adapter) -> list[list[Prompt]]:
    """DIRECT questions about small scenes, and ZOOM ones with an overview and two patches."""
    requests = []
    for seed in range(900_200, 900_210):
        picture = render(sample_scene(seed, size=320 if seed % 2 else 640))
        zoomed = not seed % 2
        views = [Grid(8, 8), Grid(8, 8), Grid(9, 8)] if zoomed else [native_grid(*picture.size, 32)]
        boxes = [None, Box(0, 0, 256, 256), Box(64, 32, 320, 320)]
        pictures = tuple(view(picture, g, 32, b) for g, b in zip(views, boxes, strict=False))
        query = ["describe the picture.", "how many shapes are there?", "what is in the top left?"][seed % 3]
        stages = [tiny.shown(adapter.prompt(views[:n], query), pictures[:n]) for n in (1, len(views))]
        requests.append(stages if zoomed else stages[:1])
    return requests

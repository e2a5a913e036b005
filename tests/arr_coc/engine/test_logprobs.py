"""Probabilities that are told: equal to ``generate``'s own, whoever else is in the batch."""

import asyncio
import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from arr_coc.answers import TokenLogprobs
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.detokenizer import Detokenizer
from arr_coc.engine.engine import Engine
from arr_coc.engine.observer import Silent
from arr_coc.engine.outcome import Finish, Outcome
from arr_coc.engine.sequence import Sequence, Stage, Times
from arr_coc.model.adapter import Prompt
from arr_coc.types import Grid, Sampling
from tests.arr_coc import tiny

TOPS = [None, 0, 3, 20]
Told = tuple[list[int], list[TokenLogprobs], str]


def _prompts(adapter, count: int) -> list[Prompt]:
    rng = np.random.default_rng(0)
    prompts = []
    for _ in range(count):
        grid = Grid(int(rng.integers(2, 5)), int(rng.integers(2, 5)))
        query = "".join(rng.choice(list("abcdefgh "), size=int(rng.integers(3, 25))))
        picture = tiny.picture(rng, grid, adapter.token_side)
        prompts.append(replace(adapter.prompt([grid], query), pictures=(picture,)))
    return prompts


async def _serve(engine: Engine, adapter, prompt: Prompt, sampling: Sampling, delay: float) -> Told:
    await asyncio.sleep(delay)
    sequence = Sequence(
        id="x", prompt=prompt, sampling=sampling, deadline=float("inf"), outcome=Outcome(),
        detokenizer=Detokenizer(adapter.tokenizer), times=Times(submitted=0.0),
        resume=(lambda attention: Stage(prompt)) if sampling.max_new_tokens % 2 else None,
    )  # fmt: skip
    engine.submit(sequence)
    told: list[TokenLogprobs] = []
    async for item in sequence.outcome:
        if isinstance(item, Finish):
            return sequence.output, told, item.text
        told += item.logprobs
    raise AssertionError("an outcome ends")


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])
def test_they_equal_those_of_generate(family: str) -> None:
    adapter, model = tiny.adapter(family), tiny.model(family)
    prompts, delays = _prompts(adapter, 12), random.Random(0)
    samplings = [Sampling(max_new_tokens=6 + i, top_logprobs=TOPS[i % 4]) for i in range(len(prompts))]
    config = EngineConfig(slots=5, max_length=256, prefill_token_budget=160, window_ms=10)

    async def serve_all() -> list[Told]:
        engine = Engine(adapter, {1: [0]}, config, Silent())
        engine.start()
        work = zip(prompts, samplings, strict=True)
        answers = await asyncio.gather(*(_serve(engine, adapter, *w, delays.random() * 0.15) for w in work))
        engine.close()
        return answers

    for prompt, sampling, (output, told, text) in zip(
        prompts, samplings, asyncio.run(serve_all()), strict=True
    ):
        ids, logits = tiny.generate_with_logits(model, adapter, prompt, sampling.max_new_tokens)
        assert output == ids
        if sampling.top_logprobs is None:
            assert told == []
            continue
        texts = [i for i, token in enumerate(ids) if token not in adapter.eos_ids]
        expected = logits.double().log_softmax(-1)[texts]
        taken = expected.gather(-1, torch.tensor(ids)[texts, None])[:, 0]
        likeliest = expected.topk(sampling.top_logprobs).values
        close = {"atol": 1e-6, "rtol": 0}  # generate gives its logits in float32
        torch.testing.assert_close(torch.tensor([t.taken.logprob for t in told]).double(), taken, **close)
        tops = [[token.logprob for token in each.likeliest] for each in told]
        torch.testing.assert_close(torch.tensor(tops, dtype=torch.float64), likeliest, **close)
        assert b"".join(each.taken.utf8 or b"" for each in told) == text.encode()

"""The engine serves tenants in turns, whatever one of them has waiting."""

import asyncio
from dataclasses import replace

import numpy as np

from arr_coc.engine.config import EngineConfig
from arr_coc.engine.detokenizer import Detokenizer
from arr_coc.engine.engine import Engine
from arr_coc.engine.observer import Silent
from arr_coc.engine.outcome import Outcome
from arr_coc.engine.sequence import Sequence, Times
from arr_coc.engine.waiting import Waiting
from arr_coc.types import Grid, Sampling
from tests.arr_coc import tiny

ADAPTER = tiny.adapter("qwen3_vl")


def _sequence(tenant: str, tokens: int) -> Sequence:
    grid = Grid(2, 3)
    picture = tiny.picture(np.random.default_rng(0), grid, ADAPTER.token_side)
    prompt = replace(ADAPTER.prompt([grid], "abc"), pictures=(picture,))
    return Sequence(
        id="x", prompt=prompt, sampling=Sampling(max_new_tokens=tokens, ignore_eos=True), deadline=float("inf"),
        outcome=Outcome(), detokenizer=Detokenizer(ADAPTER.tokenizer), times=Times(0.0), tenant=tenant,
    )  # fmt: skip


def _order(*sequences: tuple[str, int]) -> str:
    """First letters of the tenants in the order in which their answers are complete, one slot for all."""

    async def go() -> str:
        engine = Engine(ADAPTER, {1: [0]}, EngineConfig(slots=1, max_length=128, window_ms=0), Silent())
        left = [_sequence(*each) for each in sequences]
        for each in left:
            engine.submit(each)
        ended = ""
        while left:
            engine.step()
            ended += "".join(each.tenant[0] for each in left if each.outcome.ended)
            left = [each for each in left if not each.outcome.ended]
        return ended

    return asyncio.run(go())


def test_who_asks_last_among_many_is_answered_second() -> None:
    assert _order(*[("flood", 2)] * 6, ("other", 2)) == "fofffff"


def test_long_answers_count_for_what_they_are() -> None:
    price = len(ADAPTER.prompt([Grid(2, 3)], "abc"))
    long = 2 * price  # with its prompt thrice what a short one costs
    assert _order(*[("long", long)] * 3, *[("short", 1)] * 6).startswith("lsssl")


async def test_however_long_they_have_waited_each_has_its_share_of_the_slots() -> None:
    waiting = Waiting[Sequence](slots=4)
    for tenant, count in (("flood", 8), ("other", 2)):
        for _ in range(count):
            waiting.submit(_sequence(tenant, 1), now=0.0)
    waiting.charge("other", 10**6)  # its turn in order would be the last
    startable = waiting.startable(now=99.0, free_slots=4)
    assert sorted(each.tenant for each in startable) == ["flood", "flood", "other", "other"]
    assert waiting.open(now=99.0, free_slots=4) == (4, True)

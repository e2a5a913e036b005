"""Whether the scheduler is told that an answer which runs is read as it is written."""

import asyncio
from typing import Any

import pytest

from arr_coc.engine.config import EngineConfig
from arr_coc.engine.detokenizer import Detokenizer
from arr_coc.engine.engine import Engine
from arr_coc.engine.observer import Silent
from arr_coc.engine.outcome import Outcome
from arr_coc.engine.sequence import Phase, Times
from arr_coc.engine.sequence import Sequence as Seq
from arr_coc.types import Sampling
from tests.arr_coc import tiny

ADAPTER = tiny.adapter("qwen3_vl")


def _running(engine: Engine, *, streamed: bool) -> None:
    """One more answer that decodes."""
    sequence = Seq(
        id="x", prompt=ADAPTER.prompt([], "go on"), sampling=Sampling(max_new_tokens=60, ignore_eos=True),
        deadline=float("inf"), outcome=Outcome(streamed=streamed),
        detokenizer=Detokenizer(ADAPTER.tokenizer), times=Times(0.0),
    )  # fmt: skip
    engine.submit(sequence)
    while sequence.phase is not Phase.RUNNING:
        engine.step()


@pytest.mark.parametrize(
    ("streamed", "watched"), [([False, False], False), ([True], True), ([False, True], True)]
)
def test_one_streamed_answer_among_those_that_run_is_enough(streamed: list[bool], watched: bool) -> None:
    async def told() -> list[bool]:
        engine = Engine(ADAPTER, {}, EngineConfig(slots=4, max_length=128, window_ms=0), Silent())
        for each in streamed:
            _running(engine, streamed=each)
        heard: list[bool] = []
        plan = engine._scheduler.plan

        def listening(now: float, running: int, free: int, *, watched: bool) -> Any:
            heard.append(watched)
            return plan(now, running, free, watched=watched)

        engine._scheduler.plan = listening  # type: ignore[method-assign, assignment]
        engine.step()
        return heard

    assert asyncio.run(told()) == [watched]

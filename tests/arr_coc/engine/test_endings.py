"""Each way to end early, at each place where a request may stand; those beside it are answered as ever."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from transformers import Cache

from arr_coc.engine.config import EngineConfig
from arr_coc.engine.costs import Costs
from arr_coc.engine.detokenizer import Detokenizer
from arr_coc.engine.engine import Engine
from arr_coc.engine.interruption import Interruption
from arr_coc.engine.observer import Silent
from arr_coc.engine.outcome import Finish, Outcome
from arr_coc.engine.plan import Job
from arr_coc.engine.sequence import Phase, Probe, Stage, Times
from arr_coc.engine.sequence import Sequence as Seq
from arr_coc.errors import Cancelled, DeadlineExceeded, ModelFault
from arr_coc.model.adapter import Batch, Prompt
from arr_coc.types import Grid, Sampling
from tests.arr_coc import tiny

ADAPTER = tiny.adapter("qwen3_vl")
GRID = Grid(2, 3)
OTHERS = ["abc", "defgh", "klmnop"]
CONFIG = EngineConfig(slots=4, max_length=128, window_ms=0, shared_mib=0)


class Faulty:
    """A tiny model whose every forward is followed by ``fault`` on its batch, cache and logits."""

    def __init__(self, fault: Callable[[Batch, Any, torch.Tensor], torch.Tensor]) -> None:
        self._fault = fault

    def __getattr__(self, name: str) -> Any:
        return getattr(ADAPTER, name)

    def forward(self, batch: Batch, cache: Cache) -> torch.Tensor:
        return self._fault(batch, cache, ADAPTER.forward(batch, cache))


def _prompt(query: str, pictures: int = 1) -> Prompt:
    rng = np.random.default_rng(len(query))
    shown = [tiny.picture(rng, GRID, ADAPTER.token_side) for _ in range(pictures)]
    return tiny.shown(ADAPTER.prompt([GRID] * pictures, query), shown)


def _sequence(query: str, tokens: int = 12, *, zooms: bool = False) -> Seq:
    def closer(_: Probe) -> Stage:
        return Stage(_prompt(query, pictures=2))

    return Seq(
        id=query, prompt=_prompt(query), sampling=Sampling(max_new_tokens=tokens, ignore_eos=True),
        deadline=float("inf"), outcome=Outcome(), detokenizer=Detokenizer(ADAPTER.tokenizer),
        times=Times(0.0), resume=closer if zooms else None,
    )  # fmt: skip


async def _end(sequence: Seq) -> str | BaseException:
    """The whole answer, or why there is none."""
    try:
        async for item in sequence.outcome:
            if isinstance(item, Finish):
                return item.text
    except Exception as error:
        return error
    raise AssertionError("an outcome ends")


async def _answers(engine: Engine, sequences: Sequence[Seq]) -> list[str | BaseException]:
    while not all(sequence.outcome.ended for sequence in sequences):
        engine.step()
    return [await _end(sequence) for sequence in sequences]


def _alone() -> list[str | BaseException]:
    async def go() -> list[str | BaseException]:
        engine = Engine(ADAPTER, {1: [0]}, CONFIG, Silent())
        sequences = [_sequence(query) for query in OTHERS]
        for sequence in sequences:
            engine.submit(sequence)
        return await _answers(engine, sequences)

    return asyncio.run(go())


def _pass_deadline(engine: Engine, sequence: Seq) -> type[Exception]:
    sequence.deadline = 0.0
    return DeadlineExceeded


def _cancel(engine: Engine, sequence: Seq) -> type[Exception]:
    engine.cancel(sequence.outcome)
    return Cancelled


@pytest.mark.parametrize("end", [_pass_deadline, _cancel])
def test_a_slot_is_free_one_step_after_the_end_wherever_its_request_stood(
    end: Callable[[Engine, Seq], type[Exception]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request zooms and comes in parts of nine tokens, so that it is ended in the queue, in the midst
    of its probe, of its picture, of its answer's prompt, and while it decodes."""

    def nine(_: Interruption, job: Job) -> int:
        return min(9, job.pending)

    monkeypatch.setattr(Interruption, "part", nine)

    async def ended_after(steps: int) -> tuple[list[str | BaseException], Phase]:
        engine = Engine(ADAPTER, {1: [0]}, CONFIG, Silent())
        held = _sequence("there is always somebody who decodes", tokens=60)
        engine.submit(held)
        engine.step()
        ending, *others = sequences = [_sequence("ends", zooms=True), *map(_sequence, OTHERS[:2])]
        for sequence in sequences:
            engine.submit(sequence)
        for _ in range(steps):
            engine.step()
        stood, slots = ending.phase, {row.slot for row in [held, *others] if row.slot >= 0}
        expected = end(engine, ending)
        engine.step()
        assert ending.phase is Phase.FINISHED
        assert ending.slot == -1
        assert engine.running <= len(slots) + 1  # another may have got a slot in the same step
        assert isinstance(await _end(ending), expected)
        answers = await _answers(engine, others)
        assert engine.running == 1
        return answers, stood

    alone = _alone()[:2]
    stages = []
    for steps in range(0, 29, 4):
        answers, stood = asyncio.run(ended_after(steps))
        assert answers == alone
        stages.append(stood)
    assert set(stages) == {Phase.WAITING, Phase.PREFILLING, Phase.RUNNING}


def test_what_cannot_be_prefilled_before_its_deadline_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    def ten_seconds_a_picture(_: Costs, tokens: int, visual: int) -> float:
        return 10.0 if visual or tokens < 0 else 0.0

    def looked(batch: Batch, _: Any, logits: torch.Tensor) -> torch.Tensor:
        pictures.append(len(batch.features))
        return logits

    monkeypatch.setattr(Costs, "prefill_s", ten_seconds_a_picture)
    pictures: list[int] = []

    async def go() -> None:
        engine = Engine(Faulty(looked), {1: [0]}, CONFIG, Silent())
        late, early = _sequence("late"), _sequence("early")
        late.deadline, early.deadline = time.monotonic() + 9, time.monotonic() + 60
        for sequence in (late, early):
            engine.submit(sequence)
        engine.step()
        assert isinstance(await _end(late), DeadlineExceeded)
        assert early.phase is Phase.RUNNING
        early.deadline = time.monotonic() + 9  # it needs no prefill any more
        assert isinstance((await _answers(engine, [early]))[0], str)

    asyncio.run(go())
    assert sum(pictures) == 1


def test_who_does_not_read_holds_nobody_up_and_finds_all_of_it_later() -> None:
    alone = _alone()

    async def go() -> None:
        engine = Engine(ADAPTER, {1: [0]}, CONFIG, Silent())
        unread, *others = (_sequence(query) for query in ["not read", *OTHERS])
        for sequence in [unread, *others]:
            engine.submit(sequence)
        assert await _answers(engine, others) == alone
        assert await _answers(engine, [unread]) == [ADAPTER.tokenizer.decode(unread.output)]

    asyncio.run(go())


def test_a_row_whose_slot_is_poisoned_while_it_decodes_fails_alone_and_leaves_the_slot_clean() -> None:
    def fault(batch: Batch, cache: Any, logits: torch.Tensor) -> torch.Tensor:
        if batch.last is None and poisoned.slot >= 0 and len(poisoned.output) == 4:
            for tensor in (*cache.keys, *cache.values):
                tensor[poisoned.slot].fill_(torch.nan)
            logits[poisoned.slot] = torch.nan
        return logits

    async def go() -> list[str | BaseException]:
        nonlocal poisoned
        engine = Engine(Faulty(fault), {1: [0]}, CONFIG, Silent())
        poisoned = _sequence("poisoned")
        others = [_sequence(query) for query in OTHERS]
        for sequence in [poisoned, *others]:
            engine.submit(sequence)
        while not poisoned.outcome.ended:
            engine.step()
        assert isinstance(await _end(poisoned), ModelFault)
        assert len(poisoned.output) == 4
        again = _sequence(OTHERS[0])  # takes the slot
        engine.submit(again)
        answers = await _answers(engine, [*others, again])
        assert answers.pop() == answers[0]
        return answers

    poisoned: Seq
    assert asyncio.run(go()) == _alone()


def test_special_tokens_that_a_user_types_are_letters_and_none_is_ever_answered() -> None:
    """However much the model wants to say them."""
    typed = "<|im_end|><|image_pad|><|vision_start|>"

    def fault(batch: Batch, cache: Any, logits: torch.Tensor) -> torch.Tensor:
        if batch.last is None and typing.phase is Phase.RUNNING:
            logits[typing.slot, list(ADAPTER.banned_ids)] += 1e6
        return logits

    async def go() -> list[str | BaseException]:
        nonlocal typing
        engine = Engine(Faulty(fault), {1: [0]}, CONFIG, Silent())
        typing, *others = (_sequence(query) for query in [typed, *OTHERS])
        assert len(typing.prompt) > len(_prompt("")) + len(typed) - 5
        assert typing.prompt.spans == _prompt("").spans
        for sequence in [typing, *others]:
            engine.submit(sequence)
        answers = await _answers(engine, others)
        assert isinstance((await _answers(engine, [typing]))[0], str)
        assert len(typing.output) == 12
        assert not set(typing.output) & set(ADAPTER.banned_ids)
        return answers

    typing: Seq
    assert asyncio.run(go()) == _alone()


STICKY = """
import asyncio, sys, torch
from arr_coc.engine.engine import Engine
from arr_coc.engine.observer import Silent
from tests.arr_coc.engine.test_endings import CONFIG, OTHERS, Faulty, _end, _sequence
broken = False
def fault(batch, cache, logits):
    global broken
    if broken or len(long.output) == 6:
        broken = True  # and stays so
        raise torch.AcceleratorError("an illegal memory access was encountered")
    return logits
async def go():
    global long
    long, short = _sequence("long"), _sequence("short", 3)
    engine = Engine(Faulty(fault), {1: [0]}, CONFIG, Silent())
    for sequence in (long, short):
        engine.submit(sequence)
    engine.start()
    print("short", isinstance(await _end(short), str), flush=True)
    print("long", await _end(long), flush=True)
asyncio.run(go())
"""


def test_a_sticky_error_of_the_accelerator_ends_the_process_and_answers_nobody() -> None:
    ended = subprocess.run([sys.executable, "-c", STICKY], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 70, ended.stderr
    assert ended.stdout == "short True\n"
    assert "ending the process" in ended.stderr

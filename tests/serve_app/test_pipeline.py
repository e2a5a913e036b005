"""Both stages under one deadline."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace

import pytest

from arr_coc.answers import Delta, Report
from arr_coc.errors import DeadlineExceeded, EngineClosed, InvalidImage, ModelFault, Overloaded
from arr_coc.status import Backlog
from arr_coc.types import Ask, TexturedPicture
from serve_app.admission import AdmissionConfig, Door
from serve_app.errors import StageCrashed
from serve_app.pipeline import Pipeline
from tests.serve_app.fakes import READY, FakeGeneration, FakeTexture, report

ASK = Ask("id", "what is it", remaining_s=999)


class Clock:
    """Seconds that pass when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def make_pipeline(deadline_s: float = 60) -> tuple[Pipeline, FakeTexture, FakeGeneration, Clock]:
    """A pipeline over fakes, on a clock that stands still."""
    texture, generation, clock = FakeTexture(), FakeGeneration(), Clock()
    door = Door(AdmissionConfig(deadline_s=deadline_s), clock)
    return Pipeline(texture, generation, door), texture, generation, clock


@dataclass
class Engines(FakeGeneration):
    """A new engine for each call; the first ones end with ``errors``, after ``takes_s``."""

    errors: list[Exception] = field(default_factory=list)
    takes_s: float = 1.0
    clock: Clock = field(default_factory=Clock)

    async def stream(self, ask: Ask, *pictures: TexturedPicture) -> AsyncGenerator[Delta | Report, None]:
        self.error = self.errors.pop(0) if self.errors else None
        self.clock.now += self.takes_s
        async for event in super().stream(ask, *pictures):
            yield event


def with_engines(
    *errors: Exception, several: bool = True, takes_s: float = 1
) -> tuple[Pipeline, Engines, Clock]:
    """A pipeline whose first engines end with ``errors``."""
    clock = Clock()
    engines = Engines(errors=list(errors), takes_s=takes_s, clock=clock)
    door = Door(AdmissionConfig(deadline_s=60), clock)
    return Pipeline(FakeTexture(), engines, door, several_engines=several), engines, clock


async def ask(pipeline: Pipeline, *, streamed: bool) -> list[Delta | Report]:
    """Everything that is answered to ASK."""
    with pipeline.admit() as turn:
        if streamed:
            return [event async for event in pipeline.stream(turn, ASK, b"")]
        return [await pipeline.answer(turn, ASK, b"")]


async def test_the_time_left_is_told_at_each_hand_over() -> None:
    pipeline, texture, generation, clock = make_pipeline()

    async def three_seconds() -> None:
        clock.now += 3

    texture.before = three_seconds
    with pipeline.admit() as turn:
        clock.now += 1
        result = await pipeline.answer(turn, ASK, b"image")
    assert result.text == "what is it"
    assert texture.asks[0].remaining_s == 59
    assert generation.asks[0].remaining_s == 56


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_stage_is_not_begun_after_the_deadline(streamed: bool) -> None:
    pipeline, texture, generation, clock = make_pipeline()

    async def too_long() -> None:
        clock.now += 60

    texture.before = too_long
    with pipeline.admit() as turn, pytest.raises(DeadlineExceeded):
        await (anext(pipeline.stream(turn, ASK, b"")) if streamed else pipeline.answer(turn, ASK, b""))
    assert generation.asks == []


async def test_a_stage_that_hangs_is_cut_at_the_deadline() -> None:
    pipeline, texture, *_ = make_pipeline(deadline_s=0.01)
    texture.before = asyncio.Event().wait
    with pipeline.admit() as turn, pytest.raises(DeadlineExceeded):
        await pipeline.answer(turn, ASK, b"")


async def test_a_stage_with_a_timeout_of_its_own_is_no_deadline() -> None:
    pipeline, texture, *_ = make_pipeline()
    texture.errors = [TimeoutError()]
    with pipeline.admit() as turn, pytest.raises(TimeoutError):
        await pipeline.answer(turn, ASK, b"")


@pytest.mark.parametrize(
    ("errors", "calls"),
    [
        ([StageCrashed("a"), StageCrashed("b")], 2),
        ([InvalidImage("a")], 1),
        ([EngineClosed("a")], 1),
        ([StageCrashed("a"), InvalidImage("b")], 2),
    ],
)
async def test_only_a_crash_is_tried_again_and_once(errors: list[Exception], calls: int) -> None:
    pipeline, texture, *_ = make_pipeline()
    last = errors[-1]
    texture.errors = errors
    with pipeline.admit() as turn, pytest.raises(type(last)) as caught:
        await pipeline.answer(turn, ASK, b"")
    assert caught.value is last
    assert len(texture.asks) == calls


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_only_engine_is_not_asked_again(streamed: bool) -> None:
    pipeline, engines, _ = with_engines(StageCrashed("died"), several=False)
    with pytest.raises(StageCrashed):
        await ask(pipeline, streamed=streamed)
    assert len(engines.asks) == 1


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("error", [StageCrashed("died"), EngineClosed("ended")])
async def test_another_engine_answers_what_had_not_begun(error: Exception, streamed: bool) -> None:
    pipeline, engines, _ = with_engines(error)
    *_, last = await ask(pipeline, streamed=streamed)
    assert isinstance(last, Report)
    assert last.text == ASK.query
    first, second = engines.asks
    assert second.remaining_s < first.remaining_s


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_third_engine_is_not_asked(streamed: bool) -> None:
    pipeline, engines, _ = with_engines(StageCrashed("died"), StageCrashed("died"))
    with pytest.raises(StageCrashed):
        await ask(pipeline, streamed=streamed)
    assert len(engines.asks) == 2


@pytest.mark.parametrize("streamed", [False, True])
async def test_another_engine_is_not_asked_for_what_is_the_requests_own_fault(streamed: bool) -> None:
    pipeline, engines, _ = with_engines(ModelFault("not finite"))
    with pytest.raises(ModelFault):
        await ask(pipeline, streamed=streamed)
    assert len(engines.asks) == 1


async def test_what_has_begun_to_answer_is_not_begun_again() -> None:
    pipeline, engines, _ = with_engines(StageCrashed("died"))
    engines.words_before_error = 1
    with pipeline.admit() as turn:
        events = pipeline.stream(turn, ASK, b"")
        assert await anext(events) == Delta("what")
        with pytest.raises(StageCrashed):
            await anext(events)
    assert len(engines.asks) == 1


@pytest.mark.parametrize("streamed", [False, True])
async def test_another_engine_is_not_asked_after_the_deadline(streamed: bool) -> None:
    pipeline, engines, _ = with_engines(StageCrashed("died"), takes_s=60)
    with pytest.raises(DeadlineExceeded):
        await ask(pipeline, streamed=streamed)
    assert len(engines.asks) == 1


@pytest.mark.parametrize("streamed", [False, True])
async def test_another_engine_is_not_asked_while_the_server_ends(streamed: bool) -> None:
    pipeline, engines, _ = with_engines(EngineClosed("shutting down"))
    with pipeline.admit() as turn:
        await pipeline.drain(0)
        with pytest.raises(EngineClosed):
            await (anext(pipeline.stream(turn, ASK, b"")) if streamed else pipeline.answer(turn, ASK, b""))
    assert len(engines.asks) == 1


async def test_the_door_lets_in_as_much_as_all_engines_take() -> None:
    texture, generation = FakeTexture(), FakeGeneration()
    pipeline = Pipeline(texture, generation, Door(AdmissionConfig(max_in_flight=2)))
    generation.state = replace(READY, replicas=3)
    await pipeline.status()
    turns = [pipeline.admit() for _ in range(6)]
    with pytest.raises(Overloaded):
        pipeline.admit()
    generation.state = replace(READY, replicas=1)
    await pipeline.status()
    for turn in turns[:4]:
        turn.__exit__(None, None, None)
    with pytest.raises(Overloaded):
        pipeline.admit()
    turns[4].__exit__(None, None, None)
    with pipeline.admit():
        pass


async def test_a_stage_that_gives_up_by_itself_is_a_crash_not_a_cancellation() -> None:
    pipeline, _, generation, _ = make_pipeline()

    async def give_up() -> None:
        raise asyncio.CancelledError

    generation.before = give_up
    with pipeline.admit() as turn, pytest.raises(StageCrashed):
        await pipeline.answer(turn, ASK, b"")


async def test_a_cancelled_request_is_cancelled_in_its_stage() -> None:
    pipeline, _, generation, _ = make_pipeline()
    started = asyncio.Event()

    async def wait() -> None:
        started.set()
        await asyncio.Event().wait()

    generation.before = wait
    with pipeline.admit() as turn:
        task = asyncio.create_task(pipeline.answer(turn, ASK, b""))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert generation.cancelled.is_set()


async def test_a_stream_gives_deltas_and_the_report_last() -> None:
    pipeline, *_ = make_pipeline()
    with pipeline.admit() as turn:
        events = [event async for event in pipeline.stream(turn, ASK, b"")]
    assert events[:-1] == [Delta("what"), Delta(" is"), Delta(" it")]
    assert isinstance(events[-1], Report)


async def test_closing_a_stream_cancels_it() -> None:
    pipeline, _, generation, _ = make_pipeline()
    with pipeline.admit() as turn:
        async with aclosing(pipeline.stream(turn, ASK, b"")) as events:
            assert await anext(events) == Delta("what")
    assert generation.cancelled.is_set()


async def test_a_stream_without_a_report_is_a_crash() -> None:
    pipeline, _, generation, _ = make_pipeline()
    generation.ends_early = True
    with pipeline.admit() as turn, pytest.raises(StageCrashed):
        _ = [event async for event in pipeline.stream(turn, ASK, b"")]


async def test_draining_waits_for_what_is_in_flight() -> None:
    pipeline, *_ = make_pipeline()
    with pipeline.admit():
        assert not await pipeline.drain(0)
        assert pipeline.draining
        assert pipeline.in_flight == 1
    assert await pipeline.drain(5)


async def test_pictures_are_prepared_one_after_another_and_handed_over_in_order() -> None:
    pipeline, texture, generation, _ = make_pipeline()
    pictures: list[int] = []

    async def count(self: FakeGeneration, ask: Ask, *shown: object) -> Report:
        pictures.append(len(shown))
        return report("yes")

    generation.answer = count.__get__(generation)  # type: ignore[method-assign]
    with pipeline.admit() as turn:
        await pipeline.answer(turn, ASK, b"one", b"two")
        await pipeline.answer(turn, ASK)
    assert texture.images == [b"one", b"two"]
    assert pictures == [2, 0]


async def test_the_texture_stage_is_told_what_waits_for_the_engine_but_for_whom_others_wait() -> None:
    pipeline, texture, generation, _ = make_pipeline()
    backlog = Backlog(tokens=100, token_s=0.01, answer_s=1.0)
    generation.state = replace(READY, backlog=backlog)
    await pipeline.status()
    with pipeline.admit("flood") as turn, pipeline.admit("flood"):
        await pipeline.answer(turn, ASK, b"one")
        with pipeline.admit("other") as other:
            await pipeline.answer(other, ASK, b"one")
    assert [ask.backlog for ask in texture.asks] == [backlog, Backlog()]


@pytest.mark.parametrize("streamed", [False, True])
async def test_another_engine_is_not_asked_for_a_model_that_cannot_be_loaded(streamed: bool) -> None:
    pipeline, engines, _ = with_engines(EngineClosed("cannot be loaded", code="model_unavailable"))
    with pytest.raises(EngineClosed) as caught:
        await ask(pipeline, streamed=streamed)
    assert caught.value.code == "model_unavailable"
    assert len(engines.asks) == 1


@pytest.mark.parametrize("several", [False, True])
async def test_a_model_is_announced_to_the_engine_that_will_answer(several: bool) -> None:
    pipeline, engines, _ = with_engines(several=several)
    engines.state = replace(READY, model="it", models={"it": "absent"})
    await pipeline.status()
    await ask(pipeline, streamed=False)
    await asyncio.sleep(0)  # it is told beside the request
    assert engines.expected == ([] if several else [""])

"""Several models in a replica where one fits: all are answered, the limit holds, and who waits does not do so
beyond its deadline."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from arr_coc.answers import Delta, Report
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.observer import Observer
from arr_coc.errors import DeadlineExceeded, EngineClosed, ModelLoadError
from arr_coc.model.config import ModelConfig
from arr_coc.status import EngineStatus, Tell
from arr_coc.types import Ask, TexturedPicture
from deployments.config import FAILED, GenerationStageConfig, TracingConfig
from deployments.generation import GenerationStage
from tests.serve_app.fakes import PICTURE, report

SIZES = {"a": 6, "b": 7, "c": 3, "huge": 11}


class Named:
    """Answers with its name, and holds memory until it is closed."""

    def __init__(self, name: str, world: "World", observer: Observer) -> None:
        self.name, self.world, self.running = name, world, 0
        self.observer = observer
        observer.occupancy(0, 0, 4, 0)

    async def answer(self, ask: Ask, *pictures: TexturedPicture) -> Report:
        *_, last = [event async for event in self.stream(ask, *pictures)]
        assert isinstance(last, Report)
        return last

    async def stream(self, ask: Ask, *pictures: TexturedPicture) -> AsyncIterator[Delta | Report]:
        self.running += 1
        try:
            yield Delta(self.name)
            await asyncio.sleep(0.001)
            await self.world.open.wait()
            assert self.name in self.world.held, "its memory was taken from it"
            yield report(f"{self.name} says {ask.query}")
        finally:
            self.running -= 1

    def status(self) -> EngineStatus:
        return EngineStatus(True, "ok", self.name, "cpu", "float32", self.running, 0, 4, 0.0)

    async def drain(self, timeout_s: float) -> None:
        pass

    def close(self) -> None:
        assert not self.running
        self.world.held.remove(self.name)


@dataclass
class World:
    """A memory of ten bytes, and what was loaded into it."""

    limit_bytes: int = 10
    held: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    errors: dict[str, Exception] = field(default_factory=dict)
    gate: threading.Event = field(default_factory=threading.Event)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()
        self.open.set()

    def load(self, model: ModelConfig, engine: EngineConfig, observer: Observer, tell: Tell) -> Named:
        tell("weights", SIZES[model.served_name])
        self.gate.wait(10)
        if error := self.errors.get(model.served_name):
            raise error
        self.held.append(model.served_name)
        self.loads.append(model.served_name)
        assert sum(SIZES[name] for name in self.held) <= self.limit_bytes
        return Named(model.served_name, self, observer)

    def needed(self, model: ModelConfig, engine: EngineConfig) -> int:
        return SIZES[model.served_name]

    def limit(self, model: ModelConfig) -> int:
        return self.limit_bytes

    def held_now(self, model: ModelConfig) -> int:
        return sum(SIZES[name] for name in self.held)

    def give_back(self) -> None:
        pass


class Memory:
    """The world's, by the names that the stage asks by."""

    def __init__(self, world: World) -> None:
        self.needed, self.limit, self.give_back = world.needed, world.limit, world.give_back
        self.held = world.held_now


def stage_of(
    directory: Path, world: World, *names: str, start: Collection[str] | None = None
) -> GenerationStage:
    """Loads those of ``start`` at the start, all where it is None, and the others when they are asked for."""
    first = names if start is None else start
    models = {
        name: ModelConfig(name=name, when="start" if name in first else "first_request") for name in names
    }
    return GenerationStage(
        models, EngineConfig(), GenerationStageConfig(models_gib=1), str(directory), TracingConfig(),
        world.load, memory=Memory(world),
    )  # fmt: skip


async def started(stage: GenerationStage) -> EngineStatus:
    while not (status := await stage.status()).ready:
        assert not status.detail.startswith(FAILED), status.detail
        await asyncio.sleep(0.005)
    return status


def ask(model: str, query: str = "hello", remaining_s: float = 30.0) -> Ask:
    return Ask("x", query, model=model, remaining_s=remaining_s)


async def test_eight_clients_that_alternate_between_two_models_are_all_answered_by_the_right_one(
    tmp_path: Path,
) -> None:
    world = World()
    stage = stage_of(tmp_path, world, "a", "b")
    await started(stage)

    async def client(number: int) -> None:
        for turn in range(6):
            name = "ab"[(number + turn) % 2]
            query = f"{number}.{turn}"
            assert (await stage.answer(ask(name, query), PICTURE)).text == f"{name} says {query}"

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(client(number))
    counted = Counter(world.loads)
    assert counted["a"] >= 2
    assert counted["b"] >= 2
    swaps = stage._models._counts._swaps._value.get()  # type: ignore[attr-defined]
    assert swaps == len(world.loads) - len(world.held)
    status = await stage.status()
    assert (status.running, status.waiting) == (0, 0)


async def test_what_fits_is_there_from_the_start_and_the_rest_when_it_is_asked_for(tmp_path: Path) -> None:
    world = World()
    stage = stage_of(tmp_path, world, "a", "b", "c")
    status = await started(stage)
    assert dict(status.models) == {"a": "loaded", "b": "absent", "c": "loaded"}
    assert (await stage.answer(Ask("x", "hi"), PICTURE)).text == "a says hi"
    assert (await stage.answer(ask("b"), PICTURE)).text == "b says hello"
    assert sorted(world.held) == ["b", "c"]  # c was used longest ago, but without a there is room


async def test_a_request_that_waits_for_another_model_keeps_its_own_deadline(tmp_path: Path) -> None:
    world = World()
    stage = stage_of(tmp_path, world, "a", "b")
    await started(stage)
    world.open.clear()
    running = asyncio.create_task(stage.answer(ask("a"), PICTURE))
    await asyncio.sleep(0.02)
    with pytest.raises(DeadlineExceeded):
        await stage.answer(ask("b", remaining_s=0.05), PICTURE)
    assert world.held == ["a"]
    world.open.set()
    assert (await running).text == "a says hello"
    assert (await stage.answer(ask("a"), PICTURE)).text  # nobody waits for b any more


async def test_asked_for_when_needed_the_server_is_up_at_once_and_tells_how_far_it_is(tmp_path: Path) -> None:
    world = World()
    stage = stage_of(tmp_path, world, "a", start=())
    status = await started(stage)
    assert (status.models, status.phase, world.loads) == ({"a": "absent"}, None, [])
    world.gate.clear()
    first, second = (asyncio.create_task(stage.answer(ask("a", str(n)), PICTURE)) for n in range(2))
    with pytest.raises(DeadlineExceeded):
        await stage.answer(ask("a", remaining_s=0.05), PICTURE)
    status = await stage.status()
    assert (status.ready, status.models, status.phase) == (True, {"a": "loading"}, "weights")
    assert status.loading is not None
    assert (status.loading.bytes_done, status.loading.bytes_total) == (0, 6)
    assert status.waiting == 2
    world.gate.set()
    assert [(await each).text for each in (first, second)] == ["a says 0", "a says 1"]
    assert world.loads == ["a"]


async def test_a_model_that_is_expected_is_loaded_before_it_is_asked_for(tmp_path: Path) -> None:
    world = World()
    stage = stage_of(tmp_path, world, "a", start=())
    await started(stage)
    await stage.expect("")
    while (await stage.status()).models["a"] != "loaded":
        await asyncio.sleep(0.005)
    assert world.loads == ["a"]


async def test_one_that_can_never_fit_ends_the_start_and_tells_what_to_lower(tmp_path: Path) -> None:
    stage = stage_of(tmp_path, World(), "huge", "a")
    while not (status := await stage.status()).detail.startswith(FAILED):
        await asyncio.sleep(0.005)
    assert "engine.slots" in status.detail
    with pytest.raises(RuntimeError, match=r"engine\.slots"):
        await stage.check_health()


async def test_one_that_cannot_be_loaded_when_asked_for_fails_its_requests_and_not_the_others(
    tmp_path: Path,
) -> None:
    world = World(errors={"b": ModelLoadError("weights at /secret are broken")})
    stage = stage_of(tmp_path, world, "a", "b")
    await started(stage)
    with pytest.raises(EngineClosed) as caught:
        await stage.answer(ask("b"), PICTURE)
    assert caught.value.code == "model_unavailable"
    assert "secret" not in caught.value.message
    assert (await stage.answer(ask("a"), PICTURE)).text == "a says hello"
    await stage.check_health()
    world.errors.clear()
    assert (await stage.answer(ask("b"), PICTURE)).text == "b says hello"


async def test_draining_finishes_what_runs_and_tells_those_who_wait_for_a_model(tmp_path: Path) -> None:
    world = World()
    stage = stage_of(tmp_path, world, "a", "b")
    await started(stage)
    world.open.clear()
    running = asyncio.create_task(stage.answer(ask("a"), PICTURE))
    await asyncio.sleep(0.02)
    waiting = asyncio.create_task(stage.answer(ask("b"), PICTURE))
    await asyncio.sleep(0.02)
    draining = asyncio.create_task(stage.drain(0.2))
    await asyncio.sleep(0.02)
    with pytest.raises(EngineClosed):
        await stage.answer(ask("a"), PICTURE)
    with pytest.raises(EngineClosed):
        await waiting
    await draining
    world.open.set()
    assert (await running).text == "a says hello"


async def test_closing_a_stream_lets_its_model_go(tmp_path: Path) -> None:
    world = World()
    stage = stage_of(tmp_path, world, "a", "b")
    await started(stage)
    world.open.clear()
    stream = stage.stream(ask("a"), PICTURE)
    await anext(stream)
    await stream.aclose()
    world.open.set()
    assert (await stage.answer(ask("b"), PICTURE)).text == "b says hello"
    assert world.held == ["b"]


def threads_end() -> None:
    """Until nothing is measured, loaded or let go any more."""
    while threads := [each for each in threading.enumerate() if each.name == "load"]:
        for each in threads:
            each.join(10)


async def test_one_that_is_expected_takes_the_place_of_no_other(tmp_path: Path) -> None:
    world = World()
    stage = stage_of(tmp_path, world, "a", "b", "c", start={"a"})
    await started(stage)
    for name in ("b", "c", "b"):
        await stage.expect(name)
        threads_end()
    assert world.held == ["a", "c"]  # b would have taken the place of a
    assert (await stage.answer(ask("b"), PICTURE)).text == "b says hello"


async def test_one_that_is_expected_and_cannot_be_measured_is_tried_when_it_is_asked_for(
    tmp_path: Path,
) -> None:
    world = World()
    stage = stage_of(tmp_path, world, "a", "huge", start={"a"})
    await started(stage)
    await stage.expect("huge")
    threads_end()
    assert world.held == ["a"]
    with pytest.raises(EngineClosed) as caught:
        await stage.answer(ask("huge"), PICTURE)
    assert caught.value.code == "model_unavailable"


async def test_one_that_is_measured_does_not_hide_how_far_the_load_of_another_is(tmp_path: Path) -> None:
    world = World()
    stage = stage_of(tmp_path, world, "c", "b", start=())
    await started(stage)
    world.gate.clear()
    loading = asyncio.create_task(stage.answer(ask("c"), PICTURE))
    while (await stage.status()).loading is None:
        await asyncio.sleep(0.005)
    measured = asyncio.create_task(stage.answer(ask("b"), PICTURE))
    while not stage._models._policy.knows("b"):
        await asyncio.sleep(0.005)
    status = await stage.status()
    assert (status.phase, status.loading and status.loading.bytes_total) == ("weights", SIZES["c"])
    world.gate.set()
    assert [(await each).text for each in (loading, measured)] == ["c says hello", "b says hello"]

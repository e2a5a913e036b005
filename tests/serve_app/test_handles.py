"""What all replicas of a stage say, where one of them says nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from ray.serve.exceptions import DeploymentUnavailableError
from ray.serve.handle import DeploymentBroadcastResponse

from arr_coc.errors import EngineClosed
from arr_coc.status import EngineStatus
from serve_app import handles
from serve_app.handles import GenerationHandle, everybody
from tests.serve_app.fakes import READY

LOADING = replace(READY, ready=False, detail="loading the model")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handles, "_ALL_S", 0.05)


@dataclass
class Replica:
    """One result of a broadcast, as Ray's own response asks for it."""

    says: Any

    async def get_async(self) -> Any:
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


class Silent:
    """A replica whose node has lost its network."""

    async def get_async(self) -> Any:
        await asyncio.Event().wait()


class Handle:
    """A stage whose broadcast has Ray's own response, with the results of ``replicas``."""

    def __init__(self, replicas: Callable[[], Awaitable[list[Any]]]) -> None:
        self._replicas = replicas

    def options(self, stream: bool) -> "Handle":
        return self

    def broadcast(self, method: str) -> DeploymentBroadcastResponse:
        return DeploymentBroadcastResponse(self._replicas(), None)  # type: ignore[arg-type]


def stage_of(*replicas: Any) -> Any:
    async def running() -> list[Any]:
        return list(replicas)

    return Handle(running)


async def status_of(*replicas: Any) -> EngineStatus:
    return await GenerationHandle(stage_of(*replicas), several=True).status()


async def test_who_says_nothing_keeps_nobody_from_being_heard() -> None:
    first, second, third = await everybody(stage_of(Replica(1), Silent(), Replica(ValueError())), "counted")
    assert first == 1
    assert isinstance(second, TimeoutError)
    assert isinstance(third, ValueError)


async def test_a_stage_without_replicas_says_nothing() -> None:
    async def none() -> list[Any]:
        raise DeploymentUnavailableError(None)  # type: ignore[arg-type]

    handle: Any = Handle(none)
    assert await everybody(handle, "counted") == []
    with pytest.raises(EngineClosed):
        await GenerationHandle(handle, several=True).status()


async def test_where_ray_does_not_tell_who_there_is_the_look_ends_in_time() -> None:
    async def hang() -> list[Any]:
        await asyncio.Event().wait()
        return []

    handle: Any = Handle(hang)
    with pytest.raises(TimeoutError):
        await everybody(handle, "status")


async def test_the_status_is_of_those_who_answer() -> None:
    status = await status_of(Silent(), Replica(READY), Replica(READY), Replica(LOADING))
    assert (status.ready, status.replicas) == (True, 2)


@pytest.mark.parametrize("others", [(), (Replica(LOADING),)])
async def test_while_one_that_may_be_ready_is_silent_nothing_is_known(others: tuple[Any, ...]) -> None:
    with pytest.raises(TimeoutError):
        await status_of(Silent(), *others)


async def test_where_all_have_ended_no_engine_is_ready() -> None:
    with pytest.raises(EngineClosed):
        await status_of(Replica(RuntimeError("gone")))

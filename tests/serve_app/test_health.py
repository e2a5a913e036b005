"""What is known of the engine, and when it is believed."""

from dataclasses import replace

import pytest

from arr_coc.errors import EngineClosed
from arr_coc.status import EngineStatus
from serve_app.errors import StageCrashed
from serve_app.health import StatusWatch
from tests.serve_app.fakes import READY


class Engine:
    """Gives ``answer``, or raises it."""

    def __init__(self) -> None:
        self.answer: EngineStatus | Exception = READY
        self.now = 0.0

    async def look(self) -> EngineStatus:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def watching() -> tuple[StatusWatch, Engine]:
    """A watch on a scripted engine, that stalls after 30 s."""
    engine = Engine()
    return StatusWatch(engine.look, refresh_s=0.5, stall_s=30, clock=lambda: engine.now), engine


async def test_before_the_first_look_nothing_is_ready() -> None:
    watch, _ = watching()
    assert watch.trouble() == "starting"
    with pytest.raises(EngineClosed):
        watch.require_loaded()
    await watch.refresh()
    assert watch.trouble() is None
    watch.require_loaded()


async def test_the_engine_gives_its_own_reason() -> None:
    watch, engine = watching()
    engine.answer = replace(READY, ready=False, detail="warming up")
    await watch.refresh()
    assert watch.trouble() == "warming up"
    with pytest.raises(EngineClosed) as caught:
        watch.require_loaded()
    assert caught.value.code == "not_ready"


async def test_an_engine_that_makes_no_step_is_unhealthy_but_may_be_asked() -> None:
    watch, engine = watching()
    engine.answer = replace(READY, last_step_age_s=30.1)
    await watch.refresh()
    assert watch.trouble() is not None
    watch.require_loaded()
    engine.answer = replace(READY, last_step_age_s=29.9)
    await watch.refresh()
    assert watch.trouble() is None


async def test_silence_is_trouble_only_after_a_while() -> None:
    watch, engine = watching()
    await watch.refresh()
    engine.answer = TimeoutError()
    engine.now = 9.0
    await watch.refresh()
    assert watch.trouble() is None
    engine.now = 11.0
    await watch.refresh()
    assert watch.trouble() is not None
    engine.answer = READY
    await watch.refresh()
    assert watch.trouble() is None


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (StageCrashed("the generation stage is being replaced"), "the generation stage is being replaced"),
        (RuntimeError("secret"), "the generation stage gives no status"),
    ],
)
async def test_a_stage_that_is_gone_is_believed_at_once(error: Exception, reason: str) -> None:
    watch, engine = watching()
    await watch.refresh()
    engine.answer = error
    await watch.refresh()
    assert watch.trouble() == reason
    with pytest.raises(EngineClosed):
        watch.require_loaded()

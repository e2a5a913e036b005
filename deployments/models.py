"""The models of one replica: loaded at start or when they are asked for, let go where there is no room.

`arr_coc.residency` decides; here threads do it, so that those who are answered go on meanwhile. Ray Serve's
own multiplexing counts models instead of bytes, and takes the one that was used longest ago away from
requests that still run on it. Knows neither engines nor what is asked.
"""

import asyncio
import logging
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from arr_coc.engine.config import EngineConfig
from arr_coc.errors import ArrCocError, DeadlineExceeded, EngineClosed, ModelLoadError
from arr_coc.model.config import ModelConfig
from arr_coc.residency import Residency, Stage, Visit
from arr_coc.status import ModelState, StartPhase
from deployments.answerer import Answerer, Load
from deployments.loader import Loader
from deployments.memory import Memory
from deployments.progress import LoadProgress
from deployments.tally import Tally

_log = logging.getLogger(__name__)
_STATES: dict[Stage, ModelState] = {
    Stage.ABSENT: "absent",
    Stage.LOADING: "loading",
    Stage.LOADED: "loaded",
    Stage.LEAVING: "absent",
}


class Counts(Protocol):
    """Told what becomes of models; called from any thread."""

    def loaded(self, models: int, seconds: float) -> None:
        """One was loaded in ``seconds``, its download included; now there are ``models``."""

    def let_go(self, models: int) -> None:
        """One made room for another; now there are ``models``."""

    def waited(self, seconds: float) -> None:
        """A request waited so long for its model."""


class Models:
    """Any number of models, the first of which is the default one."""

    def __init__(
        self,
        configs: Mapping[str, ModelConfig],
        engine: EngineConfig,
        *,
        load: Load,
        memory: Memory,
        limited: bool,
        tally: Tally,
        counts: Counts,
        tell: Callable[[StartPhase | None], None],
    ) -> None:
        """``limited``: whether memory is reckoned with, which a single model needs not. ``tell`` learns of
        the phases of the start, and with None that it is over."""
        self._configs = configs
        self._loader = Loader(configs, engine, load, memory, tally, self._begun)
        self._memory = memory
        self._counts = counts
        self._tell = tell
        self._limited = limited
        self._lock = threading.RLock()
        self._policy = Residency(None if not limited else 0, time.monotonic)
        self._turns: dict[Visit, Future[None]] = {}
        self._answerers: dict[str, Answerer] = {}
        self._alarm: threading.Timer | None = None
        self._draining = False
        self._visits = 0
        self.started = False
        self.failure: str | None = None
        """Why a model that is to be there from the start could not be loaded."""
        if not limited:
            for name in configs:
                self._policy.measured(name, 0)
        self._in_thread(self._start)

    # What an event loop may call

    @asynccontextmanager
    async def using(self, name: str, remaining_s: float) -> AsyncIterator[Answerer]:
        """The model of that name, loaded, as long as the context is open.

        Raises DeadlineExceeded where it is not loaded within ``remaining_s``, EngineClosed where it cannot
        be, or the replica is draining.
        """
        visit, turn = self._ask(name)
        try:
            if not visit.inside:
                await self._wait(turn, remaining_s)
            yield self._answerers[name]
        finally:
            self._leave(visit)

    async def drain(self, timeout_s: float) -> None:
        """Refuse new work, let what runs finish for ``timeout_s``, then fail the rest."""
        self._draining = True
        deadline = time.monotonic() + timeout_s
        while self._visits and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        with self._lock:
            for turn in self._turns.values():
                if turn.set_running_or_notify_cancel():
                    turn.set_exception(EngineClosed("The server is shutting down."))
            self._turns.clear()
            answerers = list(self._answerers.values())
        await asyncio.gather(*(answerer.drain(0.0) for answerer in answerers))

    def expect(self, name: str) -> None:
        """A request for the model is on its way: have it measured, and loaded where that takes the place of no
        other."""
        with self._lock:
            if self._draining or self._policy.stage(name) is not Stage.ABSENT:
                return
            if not self._policy.knows(name):
                if self._policy.to_measure(name):
                    self._in_thread(self._measure_expected, name)
                return
            if not self._policy.spare(name):
                return
            visit, turn = self._ask(name)
        self._in_thread(self._await, visit, turn)

    # What any thread may call

    def states(self) -> dict[str, ModelState]:
        """Where each model is, the default one first."""
        return {name: _STATES[self._policy.stage(name)] for name in self._configs}

    @property
    def progress(self) -> LoadProgress | None:
        """Of what is being measured or loaded now."""
        return self._loader.progress

    @property
    def draining(self) -> bool:
        return self._draining

    @property
    def waiting(self) -> int:
        """Requests that wait for their model to be loaded."""
        return len(self._turns)

    def loaded(self) -> dict[str, Answerer]:
        """Models that can answer now, by name."""
        with self._lock:
            return dict(self._answerers)

    # Visits

    def _ask(self, name: str) -> tuple[Visit, "Future[None]"]:
        """A visit, and what comes to its end once that is let in, or never can be."""
        with self._lock:
            if self._draining:
                raise EngineClosed("The server is shutting down.")
            visit = self._policy.ask(name)
            self._visits += 1
            turn = self._turns[visit] = Future()
            self._settle()
            return visit, turn

    async def _wait(self, turn: "Future[None]", remaining_s: float) -> None:
        began, limit = time.monotonic(), asyncio.timeout(remaining_s)
        try:
            async with limit:
                await asyncio.wrap_future(turn)
        except TimeoutError:
            if limit.expired():
                raise DeadlineExceeded("the deadline passed before the model was loaded") from None
            raise
        finally:
            self._counts.waited(time.monotonic() - began)

    def _await(self, visit: Visit, turn: "Future[None]") -> None:
        """Until the model of ``visit`` is there, or cannot be."""
        with suppress(ArrCocError):
            turn.result()
        self._leave(visit)

    def _leave(self, visit: Visit) -> None:
        with self._lock:
            self._visits -= 1
            self._turns.pop(visit, None)
            self._policy.leave(visit)
            self._settle()

    def _settle(self) -> None:
        """Do what follows from what has happened. The lock is held."""
        moves = self._policy.settle()
        for visit in moves.entered:
            turn = self._turns.pop(visit, None)
            if turn is not None and turn.set_running_or_notify_cancel():
                turn.set_result(None)
        for name in moves.measure:
            self._in_thread(self._measure, name)
        if moves.load is not None:
            self._in_thread(self._load, moves.load)
        for name in moves.let_go:
            self._in_thread(self._let_go, name)
        if moves.again_at is not None and self._alarm is None:
            self._alarm = threading.Timer(max(0.0, moves.again_at - time.monotonic()), self._again)
            self._alarm.daemon = True
            self._alarm.start()

    def _again(self) -> None:
        with self._lock:
            self._alarm = None
            self._settle()

    # What takes its time, each in a thread of its own

    def _in_thread(self, work: Callable[..., None], *arguments: object) -> None:
        threading.Thread(target=work, args=arguments, name="load", daemon=True).start()

    def _begun(self, phase: StartPhase) -> None:
        if not self.started:
            self._tell(phase)

    def _start(self) -> None:
        """Load the models that are to be there from the start, as far as they fit."""
        for name, config in self._configs.items():
            if config.when == "start" and not self._load_at_start(name):
                return
        self.started = True
        self._tell(None)

    def _load_at_start(self, name: str) -> bool:
        """Whether that went well, also where there is no room for it beside the others."""
        self._tell("imports")
        if self._limited:
            try:
                size = self._sized(name)
            except Exception as error:
                self.failure = _told(name, error).message
                return False
            with self._lock:
                self._policy.measured(name, size)
                if not self._policy.fits(size):
                    _log.info({"event": "model left out", "model": name, "why": "no room beside the others"})
                    return True
        visit, turn = self._ask(name)
        try:
            turn.result()
        except ArrCocError as error:
            self.failure = error.message
            return False
        finally:
            self._leave(visit)
        return True

    def _sized(self, name: str) -> int:
        """Bytes that a model will hold. Raises NoRoom where that is more than there ever is."""
        size, limit = self._loader.measured(name)
        with self._lock:
            self._policy.limit = limit
        return size

    def _measure(self, name: str) -> None:
        try:
            size = self._sized(name)
        except Exception as error:
            self._failed(name, error)
            return
        with self._lock:
            self._policy.measured(name, size)
            self._settle()

    def _measure_expected(self, name: str) -> None:
        self._measure(name)
        if self._policy.knows(name):  # else that failed
            self.expect(name)

    def _load(self, name: str) -> None:
        try:
            answerer, seconds = self._loader.load(name)
        except Exception as error:
            self._failed(name, error)
            return
        with self._lock:
            self._answerers[name] = answerer
            self._policy.loaded(name, stays_s=seconds)
            self._counts.loaded(len(self._answerers), seconds)
            self._settle()

    def _let_go(self, name: str) -> None:
        with self._lock:
            answerer = self._answerers.pop(name)
            self._counts.let_go(len(self._answerers))
        self._loader.let_go(name, answerer)
        del answerer
        self._memory.give_back()
        with self._lock:
            self._policy.gone(name)
            self._settle()

    def _failed(self, name: str, error: Exception) -> None:
        """Tell those who wait for a model that cannot be had; the next who asks tries again."""
        told = _told(name, error)
        with self._lock:
            for visit in self._policy.failed(name):
                turn = self._turns.pop(visit, None)
                if turn is not None and turn.set_running_or_notify_cancel():
                    turn.set_exception(_unavailable() if self.started else told)
            self._settle()


def _unavailable() -> EngineClosed:
    """What a client is told of a model that failed to load: nothing of this machine."""
    return EngineClosed("The model could not be loaded; the server's log says why.", code="model_unavailable")


def _told(name: str, error: Exception) -> ArrCocError:
    """Logs why a model cannot be had; what is said of it."""
    if isinstance(error, ArrCocError):
        _log.error("the model %s could not be loaded: %s", name, error.message)
        return error
    _log.error("the model %s could not be loaded\n%s", name, "".join(traceback.format_exception(error)))
    return ModelLoadError("unforeseen error while loading the model, see the log")

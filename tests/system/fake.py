"""The application with a model that needs no weights: its answer tells the picture and the question.

A question ``slow N`` is answered in N words, 50 ms apart, ``late N`` in one after as long; ``fault`` fails;
``repeat ...`` fails in a way that nobody foresaw, with words that repeat the question; everything else is
answered at once.
"""

import asyncio
import hashlib
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

from ray.serve import Application
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from arr_coc.answers import Delta, Report, Usage
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.observer import Observer
from arr_coc.errors import EngineClosed, ModelFault
from arr_coc.model.config import ModelConfig
from arr_coc.status import Backlog, EngineStatus, Tell
from arr_coc.types import Ask, Grid, TexturedPicture
from deployments.answerer import Answerer
from serve_app.app import assembled
from serve_app.config import AppConfig

WORD_S = 0.05
WAITING = 1000  # tokens that each of those beyond the slots is said to have


class FakeModel:
    """Answers without looking; keeps the promises of a model about cancelling and draining."""

    def __init__(self, engine: EngineConfig, observer: Observer) -> None:
        self._engine = engine
        self._observer = observer
        self._running = 0
        self._draining = asyncio.Event()
        self._failing = asyncio.Event()

    async def answer(self, ask: Ask, *pictures: TexturedPicture) -> Report:
        async for event in self.stream(ask, *pictures):
            if isinstance(event, Report):
                return event
        raise AssertionError("a stream ends with a report")

    async def stream(self, ask: Ask, *pictures: TexturedPicture) -> AsyncIterator[Delta | Report]:
        if self._draining.is_set():
            raise EngineClosed("The server is shutting down.")
        started, outcome = time.monotonic(), "cancelled"
        self._count(1)
        try:
            words = self._words(ask, *pictures)
            if ask.query.startswith("late "):
                await asyncio.sleep(WORD_S * int(ask.query.split()[1]))
            for word in words:
                yield Delta(word + " ")
                if len(words) > 1:
                    await asyncio.sleep(WORD_S)
                if self._failing.is_set():
                    raise EngineClosed("The server is shutting down.")
            outcome = "ok"
            report = _report(" ".join(words), *pictures)
            self._observer.answered(report)
            yield report
        except EngineClosed:
            outcome = "error"
            raise
        finally:
            self._count(-1)
            times = {"total": (time.monotonic() - started) * 1000}
            self._observer.finished(outcome, times, ask.trace_headers)

    def status(self) -> EngineStatus:
        waiting = max(0, self._running - self._engine.slots)
        running, slots = self._running - waiting, self._engine.slots
        return EngineStatus(
            True,
            "ok",
            "fake",
            "cpu",
            "none",
            running,
            waiting,
            slots,
            0.0,
            backlog=Backlog(WAITING * waiting),
        )

    async def drain(self, timeout_s: float) -> None:
        self._draining.set()
        deadline = time.monotonic() + timeout_s
        while self._running and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        self._failing.set()

    def close(self) -> None:
        self._draining.set()
        self._failing.set()

    def _words(self, ask: Ask, *pictures: TexturedPicture) -> list[str]:
        if ask.query == "fault":
            raise ModelFault("The model failed on this request.")
        if ask.query.startswith("repeat "):
            raise ValueError(ask.query)
        if ask.query.startswith("slow "):
            return ["word"] * int(ask.query.split()[1])
        seen = b"".join(picture.view.tobytes() for picture in pictures)
        return [hashlib.sha256(seen + ask.query.encode()).hexdigest()[:8]]

    def _count(self, change: int) -> None:
        self._running += change
        self._observer.occupancy(self._running, 0, self._engine.slots, 0)
        self._observer.batch("decode", max(1, self._running), 1, 2, WORD_S)


def load_fake(model: ModelConfig, engine: EngineConfig, observer: Observer, tell: Tell) -> Answerer:
    """Takes ``FAKE_LOAD_S`` seconds, as weights do."""
    time.sleep(float(os.environ.get("FAKE_LOAD_S", "0")))
    return cast(Answerer, FakeModel(engine, observer))


def build(args: AppConfig) -> Application:
    """As `serve_app.app.build`, with the fake model."""
    return assembled(args, load_fake)


def write_model(directory: Path) -> Path:
    """A directory that looks like a model's to everything but a loader of weights."""
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(directory / "tokenizer.json"))
    (directory / "config.json").write_text("{}")
    (directory / "model.safetensors").touch()
    (directory / "arr_coc.json").write_text(json.dumps({"direct_max_tokens": 576}))
    return directory


def _report(text: str, *pictures: TexturedPicture) -> Report:
    tokens = sum(picture.grid.tokens for picture in pictures)
    only = pictures[0] if len(pictures) == 1 else None
    return Report(
        text=text,
        finish_reason="stop",
        usage=Usage(prompt_tokens=tokens, completion_tokens=1, visual_tokens=tokens),
        route=only.route if only else "direct" if pictures else "text",
        width=only.width if only else 0,
        height=only.height if only else 0,
        native_tokens=sum(picture.native_tokens for picture in pictures),
        grid=only.grid if only else Grid(0, 0),
        allocation=None,
    )

"""The texture stage: from a picture's bytes to what the model looks at first, on CPUs.

Owns the order of the checks: deadline, picture header, route and budget, price of the prompt; only
what passes all of them is decoded. Work runs on a few threads, never on the event loop. Knows
neither torch nor a model beyond its tokenizer and profile.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from tokenizers import Tokenizer

from arr_coc.budgets import budget_each
from arr_coc.decoding import PictureLimits
from arr_coc.engine.config import EngineConfig
from arr_coc.errors import ArrCocError, ContextLengthExceeded, DeadlineExceeded, EngineClosed, Overloaded
from arr_coc.foveation import ViewPlan
from arr_coc.model.config import ModelConfig
from arr_coc.model.source import resolve
from arr_coc.profile import ModelProfile
from arr_coc.room import Room
from arr_coc.texture import TextureEncoder
from arr_coc.types import Ask, TexturedPicture
from deployments.config import TextureStageConfig, TracingConfig
from deployments.gathering import Counted, counted
from deployments.listening import listen_on_node_address
from deployments.logs import configure_logging
from deployments.metrics import TextureMetrics
from deployments.scraping import open_directory
from deployments.tracing import open_tracer, stage_span

MARKERS = 2  # prompt tokens around each picture
_log = logging.getLogger(__name__)


class PromptPrice:
    """What a request will occupy of a slot, known before its picture is decoded.

    A lower bound: the chat template's own few tokens are left to the engine, which checks exactly.
    """

    def __init__(self, tokenizer: Tokenizer, max_length: int, max_patches: int) -> None:
        self._tokenizer = tokenizer
        self._max_length = max_length
        self._max_patches = max_patches

    def check(self, ask: Ask, plan: ViewPlan) -> None:
        """Raises ContextLengthExceeded where the request can never fit a slot, and Overloaded where it
        cannot be answered in time behind those who wait."""
        said = "".join(message.text for message in ask.conversation)
        text = len(self._tokenizer.encode(said, add_special_tokens=False).ids)
        pictures = 1 + (self._max_patches if plan.patch_budget else 0)
        tokens = text + plan.budget + MARKERS * pictures + ask.sampling.max_new_tokens
        if tokens > self._max_length:
            raise ContextLengthExceeded(
                f"Query, picture and max_tokens need {tokens} tokens; {self._max_length} fit.", param="query"
            )
        if ask.backlog.answered_s(text + plan.grid.tokens) >= ask.remaining_s:
            raise Overloaded(
                "Those who wait already take all of this request's time.", retry_after_s=ask.backlog.seconds
            )


class _Preparer:
    """How pictures are prepared for one model."""

    def __init__(self, model: ModelConfig, engine: EngineConfig, pictures: PictureLimits) -> None:
        """Downloads the model where it has to be. Raises ModelLoadError."""
        directory = resolve(model.source, model.cpu_itemsize)
        self._profile = ModelProfile.load(directory)
        self._max_length = engine.max_length
        self._encoder = TextureEncoder(self._profile, pictures)
        self._price = PromptPrice(load_tokenizer(directory), engine.max_length, self._profile.max_patches)

    def textured(self, ask: Ask, image: bytes) -> TexturedPicture:
        """Raises InvalidImage, BudgetTooSmall and ContextLengthExceeded."""
        budget = budget_each(ask, self._profile, self._max_length)
        closer = ask.pictures == 1  # several are compared, each seen whole
        self._price.check(ask, self._encoder.plan(image, budget, closer=closer))
        return self._encoder.encode(image, budget, closer=closer)


class TextureStage:
    """One replica. ``prepare`` is pure: the same bytes give the same arrays on any replica."""

    def __init__(
        self,
        stage: TextureStageConfig,
        models: Mapping[str, ModelConfig],
        engine: EngineConfig,
        pictures: PictureLimits,
        metrics_directory: str,
        tracing: TracingConfig,
    ) -> None:
        """Models that are loaded when they are asked for are so here too. The first one is the default one."""
        configure_logging()
        listen_on_node_address()
        self._metrics_directory = open_directory(metrics_directory)
        self._metrics = TextureMetrics()
        self._tracer = open_tracer(tracing, "texture")
        self._default = next(iter(models))
        self._make = {name: partial(_Preparer, model, engine, pictures) for name, model in models.items()}
        self._preparers = {
            name: self._make[name]() for name, model in models.items() if model.when == "start"
        }
        self._coming: dict[str, asyncio.Task[_Preparer]] = {}
        self._workers = ThreadPoolExecutor(stage.threads, thread_name_prefix="texture")
        self._room = Room(stage.threads)

    async def prepare(self, ask: Ask, image: bytes) -> TexturedPicture:
        """Raises InvalidImage, BudgetTooSmall, ContextLengthExceeded, Overloaded and DeadlineExceeded.

        ``texture_ms`` of the result counts the wait for a thread too.
        """
        arrived = time.monotonic()
        loop = asyncio.get_running_loop()
        name = ask.model or self._default
        preparer = self._preparers.get(name) or await self._first(name)
        # the workers' own queue knows no tenants
        async with self._room.hold(1, ask.tenant):
            with stage_span(self._tracer, "texture", ask):
                picture = await loop.run_in_executor(
                    self._workers, self._prepare, preparer, ask, image, arrived
                )
        return replace(picture, texture_ms=(time.monotonic() - arrived) * 1000)

    async def counted(self) -> Counted:
        """What this replica's node has counted."""
        return await asyncio.to_thread(counted, self._metrics_directory)

    async def _first(self, name: str) -> _Preparer:
        """The preparer of a model that is asked for the first time; one is made however many ask."""
        if name not in self._coming:
            self._coming[name] = asyncio.create_task(asyncio.to_thread(self._make[name]))
        try:
            preparer = await asyncio.shield(self._coming[name])
        except ArrCocError as error:
            _log.error("the model %s could not be loaded: %s", name, error.message)
            raise EngineClosed(
                "The model could not be loaded; the server's log says why.", code="model_unavailable"
            ) from error
        finally:
            if name in self._coming and self._coming[name].done():  # after a failure the next one tries again
                del self._coming[name]
        self._preparers[name] = preparer
        return preparer

    def _prepare(self, preparer: _Preparer, ask: Ask, image: bytes, arrived: float) -> TexturedPicture:
        began = time.monotonic()
        try:
            if began - arrived >= ask.remaining_s:
                raise DeadlineExceeded("The request's deadline passed before its picture was decoded.")
            return preparer.textured(ask, image)
        finally:
            self._metrics.prepared(began - arrived, time.monotonic() - began)


def load_tokenizer(directory: Path) -> Tokenizer:
    """The model's tokenizer, taking special tokens typed by a user for plain text."""
    tokenizer: Tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.encode_special_tokens = True
    return tokenizer

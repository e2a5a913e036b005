"""The texture stage: from a picture's bytes to what the model looks at first, on CPUs.

Owns the order of the checks: deadline, picture header, route and budget, price of the prompt; only
what passes all of them is decoded. Work runs on a few threads, never on the event loop. Knows
neither torch nor a model beyond its tokenizer and profile.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from tokenizers import Tokenizer

from arr_coc.budgets import budget_each
from arr_coc.decoding import PictureLimits
from arr_coc.engine.config import EngineConfig
from arr_coc.errors import ContextLengthExceeded, DeadlineExceeded, Overloaded
from arr_coc.foveation import ViewPlan
from arr_coc.model.config import ModelConfig
from arr_coc.model.source import resolve
from arr_coc.profile import ModelProfile
from arr_coc.room import Room
from arr_coc.texture import TextureEncoder
from arr_coc.types import Ask, TexturedPicture
from deployments.config import TextureStageConfig, TracingConfig
from deployments.listening import listen_on_node_address
from deployments.logs import configure_logging
from deployments.metrics import TextureMetrics
from deployments.scraping import open_directory
from deployments.tracing import open_tracer, stage_span

MARKERS = 2  # prompt tokens around each picture


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


class TextureStage:
    """One replica. ``prepare`` is pure: the same bytes give the same arrays on any replica."""

    def __init__(
        self,
        stage: TextureStageConfig,
        model: ModelConfig,
        engine: EngineConfig,
        pictures: PictureLimits,
        metrics_directory: str,
        tracing: TracingConfig,
    ) -> None:
        configure_logging()
        listen_on_node_address()
        open_directory(metrics_directory)
        self._metrics = TextureMetrics()
        self._tracer = open_tracer(tracing, "texture")
        directory = resolve(model.source, model.cpu_itemsize)
        profile = ModelProfile.load(directory)
        self._profile = profile
        self._max_length = engine.max_length
        self._encoder = TextureEncoder(profile, pictures)
        self._price = PromptPrice(load_tokenizer(directory), engine.max_length, profile.max_patches)
        self._workers = ThreadPoolExecutor(stage.threads, thread_name_prefix="texture")
        self._room = Room(stage.threads)

    async def prepare(self, ask: Ask, image: bytes) -> TexturedPicture:
        """Raises InvalidImage, BudgetTooSmall, ContextLengthExceeded, Overloaded and DeadlineExceeded.

        ``texture_ms`` of the result counts the wait for a thread too.
        """
        arrived = time.monotonic()
        loop = asyncio.get_running_loop()
        # the workers' own queue knows no tenants
        async with self._room.hold(1, ask.tenant):
            with stage_span(self._tracer, "texture", ask):
                picture = await loop.run_in_executor(self._workers, self._prepare, ask, image, arrived)
        return replace(picture, texture_ms=(time.monotonic() - arrived) * 1000)

    def _prepare(self, ask: Ask, image: bytes, arrived: float) -> TexturedPicture:
        began = time.monotonic()
        try:
            if began - arrived >= ask.remaining_s:
                raise DeadlineExceeded("The request's deadline passed before its picture was decoded.")
            return self._textured(ask, image)
        finally:
            self._metrics.prepared(began - arrived, time.monotonic() - began)

    def _textured(self, ask: Ask, image: bytes) -> TexturedPicture:
        budget = budget_each(ask, self._profile, self._max_length)
        closer = ask.pictures == 1  # several are compared, each seen whole
        self._price.check(ask, self._encoder.plan(image, budget, closer=closer))
        return self._encoder.encode(image, budget, closer=closer)


def load_tokenizer(directory: Path) -> Tokenizer:
    """The model's tokenizer, taking special tokens typed by a user for plain text."""
    tokenizer: Tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.encode_special_tokens = True
    return tokenizer

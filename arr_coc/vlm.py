"""The composition root: a loaded model, its relevance and its engine behind three calls.

Owns the two routes: DIRECT asks once; ZOOM probes the overview and lets relevance decide which
patches the answer prompt shows. Does not decode pictures and knows no transport.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Self

from arr_coc.answers import Delta, Report, TokenLogprobs
from arr_coc.apart import apart
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.detokenizer import Detokenizer
from arr_coc.engine.engine import Engine
from arr_coc.engine.memory import MemoryPlan, plan
from arr_coc.engine.observer import Observer, Silent
from arr_coc.engine.outcome import Finish, Outcome
from arr_coc.engine.sequence import Sequence as Seq
from arr_coc.engine.sequence import Stage, Times
from arr_coc.errors import ContextLengthExceeded, EngineClosed, ModelLoadError, Overloaded
from arr_coc.fairness import Pool
from arr_coc.foveation import cut, fingerprint
from arr_coc.gating import Gatekeeper
from arr_coc.localising import Localiser
from arr_coc.model.adapter import Adapter, Prompt
from arr_coc.model.config import ModelConfig
from arr_coc.model.loading import load
from arr_coc.model.source import resolve
from arr_coc.profile import ModelProfile
from arr_coc.relevance import Relevance
from arr_coc.sizing import weight_bytes
from arr_coc.status import EngineStatus, Tell, VisualTokens
from arr_coc.types import Allocation, Ask, Grid, Patch, Sampling, TexturedPicture
from arr_coc.warmup import warm_up_pictures
from arr_coc.whole import is_whole
from arr_coc.zooming import Allocator, Zoom, Zooming

_log = logging.getLogger(__name__)

MARKERS = 2  # prompt tokens around each picture
WARM_UP_TOKENS = 4


class VisionLanguageModel:
    """Answers questions about textured pictures; any number at once."""

    def __init__(
        self,
        adapter: Adapter,
        profile: ModelProfile,
        config: EngineConfig,
        observer: Observer,
        allocator: Allocator | None = None,
        gatekeeper: Gatekeeper | None = None,
    ) -> None:
        self._adapter = adapter
        self._profile = profile
        self._config = config
        self._observer = observer
        if profile.token_side != adapter.token_side:
            raise ModelLoadError(
                f"the profile says {profile.token_side} px a cell, the model {adapter.token_side}"
            )
        if profile.fixed_view != adapter.fixed_view:
            raise ModelLoadError("the profile and the model disagree about the views that are taken")
        if config.max_length > adapter.max_positions:
            raise ModelLoadError(
                f"the model knows {adapter.max_positions} positions; lower engine.max_length to that"
            )
        self.memory: MemoryPlan = plan(adapter.kv, adapter.footprint, config)
        localiser = Localiser(profile, adapter.kv.layers, adapter.heads)
        self._zooming = Zooming(
            adapter,
            localiser,
            allocator or Relevance(profile),
            gatekeeper or Gatekeeper(profile.gate, adapter.tokenizer),
        )
        self._engine = Engine(adapter, localiser.heads, config, observer)
        self._places = Pool(config.slots + config.max_queue)
        self._draining = False
        self._engine.start()

    @classmethod
    def load(
        cls,
        model: ModelConfig,
        engine: EngineConfig,
        observer: Observer,
        tell: Tell = lambda phase, size: None,
    ) -> Self:
        """Load weights, start the engine, and send one request through each route.

        Blocks; must not run on an event loop. Raises ModelLoadError.
        """
        tell("download", 0)
        directory = resolve(model.source, model.cpu_itemsize)
        tell("weights", weight_bytes(directory, model))
        profile = ModelProfile.load(directory)
        # warming up is no traffic
        vlm = apart(lambda: cls(load(directory, model), profile, engine, Silent()))
        _log.info({"event": "memory", "model": model.served_name, **vlm.memory.mib()})
        tell("warm-up", 0)
        asyncio.run(vlm._warm_up())
        vlm._observe(observer)
        return vlm

    def _observe(self, observer: Observer) -> None:
        self._observer = observer
        self._engine.observe(observer)

    async def _warm_up(self) -> None:
        for picture in warm_up_pictures(self._profile):
            await self.answer(
                Ask("warm-up", "What is this?", Sampling(max_new_tokens=WARM_UP_TOKENS)), picture
            )

    async def answer(self, ask: Ask, *pictures: TexturedPicture) -> Report:
        """The whole answer to ``ask`` about the pictures that its conversation shows, in their order.

        Raises ContextLengthExceeded, InvalidRequest (``unsupported_messages``), Overloaded,
        DeadlineExceeded, ModelFault, EngineClosed; cancelling the task frees the request's slot
        within one step."""
        logprobs: list[TokenLogprobs] = []
        async with aclosing(self._answer(ask, pictures, streamed=False)) as items:
            async for item in items:
                if isinstance(item, Report):
                    return replace(item, logprobs=tuple(logprobs))
                logprobs += item.logprobs
        raise AssertionError("a stream ends with a report or an error")

    async def stream(self, ask: Ask, *pictures: TexturedPicture) -> AsyncGenerator[Delta | Report, None]:
        """Text as it becomes final, then the report. Errors and cancellation as ``answer``."""
        async with aclosing(self._answer(ask, pictures, streamed=True)) as items:
            async for item in items:
                yield item

    async def _answer(
        self, ask: Ask, pictures: Sequence[TexturedPicture], *, streamed: bool
    ) -> AsyncGenerator[Delta | Report, None]:
        self._admit(ask)
        sequence, zoom = self._sequence(ask, pictures, streamed=streamed)
        self._require_time(ask, sequence.pending)
        self._places.take(ask.tenant)
        try:
            self._engine.submit(sequence)
            async for item in sequence.outcome:
                if isinstance(item, Finish):
                    report = _report(item, pictures, zoom.allocation if zoom else None)
                    self._observer.answered(report)
                    yield report
                else:
                    yield item
        finally:
            if not sequence.outcome.ended:
                self._engine.cancel(sequence.outcome)
            self._places.give_back(ask.tenant)

    def status(self) -> EngineStatus:
        """A snapshot; never blocks."""
        alive = self._engine.alive and not self._draining
        return EngineStatus(
            ready=alive,
            detail="ok" if alive else "draining" if self._draining else "the engine has ended",
            model=self._adapter.name,
            device=str(self._adapter.kv.device),
            dtype=str(self._adapter.kv.dtype).removeprefix("torch."),
            running=self._engine.running,
            waiting=self._engine.waiting,
            slots=self._config.slots,
            last_step_age_s=self._engine.step_age_s,
            visual_tokens=VisualTokens(
                self._profile.smallest_view, self._profile.most_used, self._profile.token_side
            ),
            backlog=self._engine.backlog,
        )

    async def drain(self, timeout_s: float) -> None:
        """Refuse new work, wait until all is finished or ``timeout_s`` is over, fail the rest."""
        self._draining = True
        deadline = time.monotonic() + timeout_s
        while self._places.taken and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        await asyncio.to_thread(self._engine.close)

    def close(self) -> None:
        """End the engine; what is left fails with EngineClosed."""
        self._draining = True
        self._engine.close()

    def _admit(self, ask: Ask) -> None:
        if self._draining:
            raise EngineClosed("the server is shutting down")
        if not self._places.fits(ask.tenant):
            retry_after_s = max(1.0, self._engine.backlog.seconds)
            raise Overloaded("too many requests are waiting", retry_after_s=retry_after_s)

    def _require_time(self, ask: Ask, tokens: int) -> None:
        """Raises Overloaded where a request of ``tokens`` can hardly be answered in time."""
        backlog = self._engine.backlog
        if backlog.answered_s(tokens) >= ask.remaining_s and not self._places.owes(ask.tenant):
            raise Overloaded(
                "those who wait already take all of this request's time", retry_after_s=backlog.seconds
            )

    def _sequence(
        self, ask: Ask, pictures: Sequence[TexturedPicture], *, streamed: bool
    ) -> tuple[Seq, Zoom | None]:
        prompt = self._adapter.chat(ask.conversation, [[picture.grid] for picture in pictures])
        prompt = replace(
            prompt,
            pictures=tuple(picture.view for picture in pictures),
            digests=tuple(picture.digest for picture in pictures),
        )
        spare = pictures[0].budget - pictures[0].grid.tokens if len(pictures) == 1 else 0
        closer_look = spare > 0 and pictures[0].route == "zoom"
        reserve = spare + MARKERS * self._profile.max_patches if closer_look else 0
        if len(prompt) + reserve + ask.sampling.max_new_tokens > self._config.max_length:
            raise ContextLengthExceeded(
                f"prompt and max_tokens exceed the context of {self._config.max_length} tokens", param="query"
            )
        zoom = (
            Zoom(pictures[0], prompt, partial(self._answer_prompt, ask, pictures[0])) if closer_look else None
        )
        first = self._zooming.first_stage(zoom) if zoom else Stage(prompt)
        now = time.monotonic()
        sampling = ask.sampling
        if sampling.temperature > 0 and sampling.seed is None:
            sampling = replace(sampling, seed=random.getrandbits(63))
        sequence = Seq(
            id=ask.request_id,
            prompt=first.prompt,
            sampling=sampling,
            deadline=now + ask.remaining_s,
            outcome=Outcome(streamed=streamed),
            detokenizer=Detokenizer(self._adapter.tokenizer, sampling.stop),
            times=Times(submitted=now),
            trace_headers=ask.trace_headers,
            tenant=ask.tenant,
            resume=first.resume,
        )
        return sequence, zoom

    def _answer_prompt(self, ask: Ask, picture: TexturedPicture, patches: Sequence[Patch]) -> Prompt:
        closer = [cut(picture, patch, self._adapter.token_side) for patch in patches]
        grids, views = [patch.grid for patch in patches], closer
        digests = [fingerprint(pixels) for pixels in closer]
        if not any(is_whole(patch, picture) for patch in patches):
            grids, views, digests = [picture.grid, *grids], [picture.view, *views], [picture.digest, *digests]
        return replace(
            self._adapter.chat(ask.conversation, [grids]), pictures=tuple(views), digests=tuple(digests)
        )


def _report(finish: Finish, pictures: Sequence[TexturedPicture], allocation: Allocation | None) -> Report:
    only = pictures[0] if len(pictures) == 1 else None
    texture = {"texture": round(sum(p.texture_ms for p in pictures), 3)} if pictures else {}
    return Report(
        text=finish.text,
        finish_reason=finish.reason,
        usage=finish.usage,
        route=only.route if only else "direct" if pictures else "text",
        width=only.width if only else 0,
        height=only.height if only else 0,
        native_tokens=sum(p.native_tokens for p in pictures),
        grid=only.grid if only else Grid(0, 0),
        allocation=allocation,
        timings_ms={**texture, **finish.timings_ms},
    )

"""The composition root of embedding: a loaded model, its batches, and the vectors that are kept.

Owns the way of a request: all its texts and picture headers are checked before anything is computed, then
each picture is decoded and joins a batch as soon as it can. Knows no transport.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from arr_coc.apart import apart
from arr_coc.decoding import PictureLimits, decode, read_header
from arr_coc.embedding.batcher import Batcher, Job, Vector
from arr_coc.embedding.config import EmbeddingConfig
from arr_coc.embedding.kept import Kept, content_key
from arr_coc.embedding.observer import EmbeddingObserver
from arr_coc.embedding.types import Embedded, EmbeddingAsk, EmbeddingStatus, Kind, Labelled
from arr_coc.errors import ContextLengthExceeded, DeadlineExceeded, EngineClosed, InvalidRequest, Overloaded
from arr_coc.fairness import Pool
from arr_coc.model.clip import Clip, TokenIds, Vectors, load_clip
from arr_coc.model.source import resolve
from arr_coc.room import Room
from arr_coc.types import Pixels

WORKERS = 2
"""Threads that decode pictures; as many pictures of one request as of any other."""
WARM_UP_ROWS = (1, 4, 8)
"""Of forwards of each kind before anyone asks, so that what they cost is known."""


@dataclass(frozen=True, slots=True)
class _Checked:
    """Keys of all inputs, the ids of each text by its key, and the tokens and patches of all together."""

    keys: list[bytes]
    texts: dict[bytes, TokenIds]
    tokens: int


class Embedder:
    """Gives texts and pictures their vectors; any number at once. Used from one event loop."""

    def __init__(
        self, model: Clip, config: EmbeddingConfig, pictures: PictureLimits, observer: EmbeddingObserver
    ) -> None:
        self._model = model
        self._config = config
        self._pictures = pictures
        self._observer = observer
        self._batcher = Batcher(self._run, config, observer)
        self._kept = Kept(int(config.kept_mib * 2**20))
        self._places = Pool(config.max_queue)
        self._room = Room(WORKERS)
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="framing")
        self._draining = False
        self._dimensions = self._warm_up()
        self._batcher.start()

    @classmethod
    def load(cls, config: EmbeddingConfig, pictures: PictureLimits, observer: EmbeddingObserver) -> Self:
        """Load the weights and run a forward of each kind. Blocks; raises ModelLoadError."""
        model = config.model
        directory = resolve(model.source, model.cpu_itemsize)
        return apart(lambda: cls(load_clip(directory, model), config, pictures, observer))

    async def embed(self, ask: EmbeddingAsk) -> Embedded:
        """The vectors of all inputs, in their order.

        Raises InvalidImage, ContextLengthExceeded, InvalidRequest (``param`` is the input's name),
        Overloaded, DeadlineExceeded, ModelFault, EngineClosed; cancelling the task takes what still waits out
        of the queue."""
        began = time.monotonic()
        self._admit(ask)
        self._places.take(ask.tenant, len(ask.inputs))
        try:
            checked = await asyncio.get_running_loop().run_in_executor(self._workers, self._check, ask)
            ready_at = time.monotonic()
            vectors = await self._vectors(ask, checked, began + ask.remaining_s)
        finally:
            self._places.give_back(ask.tenant, len(ask.inputs))
        now = time.monotonic()
        times = {"check": (ready_at - began) * 1000, "embed": (now - ready_at) * 1000}
        return Embedded(np.stack(vectors), checked.tokens, times | {"total": (now - began) * 1000})

    async def label(self, ask: EmbeddingAsk) -> Labelled:
        """How likely each text after the picture, the first input, is of it. Raises as ``embed``."""
        embedded = await self.embed(ask)
        likelihoods = self._model.likelihoods(embedded.vectors[0], embedded.vectors[1:])
        return Labelled(likelihoods, self._model.independent, embedded.tokens, embedded.timings_ms)

    def status(self) -> EmbeddingStatus:
        """A snapshot; never blocks."""
        alive = self._batcher.alive and not self._draining
        return EmbeddingStatus(
            ready=alive,
            detail="ok" if alive else "draining" if self._draining else "the embedding thread has ended",
            model=self._model.name,
            device=str(self._model.device),
            dtype=str(self._model.dtype).removeprefix("torch."),
            running=self._batcher.running,
            waiting=self._batcher.waiting,
            slots=self._config.max_batch,
            last_step_age_s=self._batcher.step_age_s,
            backlog=self._batcher.backlog,
            dimensions=self._dimensions,
        )

    async def drain(self, timeout_s: float) -> None:
        """Refuse new work, wait until all is finished or ``timeout_s`` is over, fail the rest."""
        self._draining = True
        deadline = time.monotonic() + timeout_s
        while self._places.taken and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """End the thread; what is left fails with EngineClosed."""
        self._draining = True
        self._batcher.close()

    def _admit(self, ask: EmbeddingAsk) -> None:
        if self._draining:
            raise EngineClosed("the server is shutting down")
        backlog_s = self._batcher.backlog.seconds
        if not self._places.fits(ask.tenant, len(ask.inputs)):
            raise Overloaded("too many texts and pictures are waiting", retry_after_s=max(1.0, backlog_s))
        if backlog_s >= ask.remaining_s and not self._places.owes(ask.tenant):
            raise Overloaded(
                "those who wait already take all of this request's time", retry_after_s=backlog_s
            )

    def _check(self, ask: EmbeddingAsk) -> _Checked:
        words = iter(self._model.tokenise([each for each in ask.inputs if isinstance(each, str)]))
        keys, texts, tokens = list[bytes](), dict[bytes, TokenIds](), 0
        for content, name in zip(ask.inputs, ask.names, strict=True):
            keys.append(content_key(content))
            with _naming(name):
                if isinstance(content, str):
                    ids = texts[keys[-1]] = self._fitting(next(words))
                    tokens += len(ids)
                else:
                    read_header(content, self._pictures)
                    tokens += self._model.picture_tokens
        return _Checked(keys, texts, tokens)

    def _fitting(self, ids: TokenIds) -> TokenIds:
        if len(ids) > self._model.max_tokens:
            raise ContextLengthExceeded(
                f"the text has {len(ids)} tokens, those around it included; {self._model.max_tokens} fit"
            )
        return ids

    async def _vectors(self, ask: EmbeddingAsk, checked: _Checked, deadline: float) -> list[Vector]:
        """Of what is asked twice, or was before, nothing is computed again."""
        keys = checked.keys
        ready = {key: kept for key in set(keys) if (kept := self._kept.get(key)) is not None}
        self._observer.looked_up(len(keys), sum(key in ready for key in keys))
        missing = dict[bytes, Job]()
        try:
            for key, ids in checked.texts.items():
                if key in ready:
                    continue
                missing[key] = Job("text", ids, self._model.price(ids), ask.tenant, deadline)
            self._batcher.submit(list(missing.values()))
            for key, content, name in zip(keys, ask.inputs, ask.names, strict=True):
                if isinstance(content, bytes) and key not in ready and key not in missing:
                    with _naming(name):
                        pixels = await self._framed(content, ask.tenant, deadline)
                    missing[key] = Job("picture", pixels, self._model.picture_tokens, ask.tenant, deadline)
                    self._batcher.submit([missing[key]])
            for key, job in missing.items():
                ready[key] = await job.vector
                self._kept.put(key, ready[key].copy())  # alone, without the rest of its batch
        finally:
            self._leave(missing.values())
        return [ready[key] for key in keys]

    def _leave(self, jobs: Iterable[Job]) -> None:
        """Nobody waits for ``jobs`` any more: what has not ended need not be computed."""
        left = [job for job in jobs if job.vector.cancel() or job.vector.cancelled()]
        if left:
            self._batcher.give_up(left)
        for job in jobs:
            if not job.vector.cancelled():
                job.vector.exception()  # so that asyncio does not miss somebody who looks

    async def _framed(self, picture: bytes, tenant: str, deadline: float) -> Pixels:
        async with self._room.hold(1, tenant):  # the workers' own queue knows no tenants
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._workers, self._frame, picture, deadline)

    def _frame(self, picture: bytes, deadline: float) -> Pixels:
        began = time.monotonic()
        if began >= deadline:
            raise DeadlineExceeded("the request's deadline passed before its picture was decoded")
        try:
            return self._model.frame(decode(picture, self._pictures, self._pictures.max_source_side))
        finally:
            self._observer.prepared(time.monotonic() - began)

    def _run(self, kind: Kind, contents: Sequence[NDArray[Any]]) -> Vectors:
        embed = self._model.embed_texts if kind == "text" else self._model.embed_pictures
        return embed(contents)

    def _warm_up(self) -> int:
        """Learns what forwards cost; gives the dimensions of a vector."""
        ids = self._model.tokenise(["a"])[0]
        view = self._model.frame(Image.new("RGB", (64, 48)))
        dimensions = self._run("picture", [view]).shape[1]
        for rows in WARM_UP_ROWS:
            self._batcher.rehearse("text", [ids] * rows, self._model.price(ids))
            self._batcher.rehearse("picture", [view] * rows, self._model.picture_tokens)
        return int(dimensions)


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """An error about an input tells which, by the client's name for it."""
    try:
        yield
    except InvalidRequest as error:
        error.param = name
        raise

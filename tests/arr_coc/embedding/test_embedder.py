"""Whatever is asked together, each input gets its own vector, and what fails fails alone."""

import asyncio
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from arr_coc.decoding import PictureLimits
from arr_coc.embedding.config import EmbeddingConfig
from arr_coc.embedding.embedder import Embedder
from arr_coc.embedding.types import Embedded, EmbeddingAsk, Kind
from arr_coc.errors import (
    ContextLengthExceeded,
    DeadlineExceeded,
    EngineClosed,
    InvalidImage,
    ModelFault,
    Overloaded,
)
from arr_coc.model.clip import Clip, load_clip
from arr_coc.model.config import ModelConfig
from tests.arr_coc import tiny_clip

ROUNDING = 2e-6


class Told:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.rows: list[tuple[Kind, int]] = []
        self.endings: list[str] = []
        self.looked: list[tuple[int, int]] = []

    def batch(self, kind: Kind, rows: int, tokens: int, padded_tokens: int, seconds: float) -> None:
        assert padded_tokens >= tokens
        self.rows.append((kind, rows))

    def waiting(self, inputs: int) -> None:
        pass

    def prepared(self, seconds: float) -> None:
        pass

    def looked_up(self, queried: int, found: int) -> None:
        self.looked.append((queried, found))

    def ended(self, kind: Kind, outcome: str, queue_s: float) -> None:
        self.endings.append(outcome)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_clip.write("clip", tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def theirs(directory: Path) -> tiny_clip.Theirs:
    return tiny_clip.Theirs("clip", directory)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def model(directory: Path) -> Clip:
    return load_clip(directory, ModelConfig(source=str(directory), device="cpu"))


@pytest.fixture
def embedder(model: Clip, told: Told) -> Iterator[Embedder]:
    made = Embedder(model, EmbeddingConfig(source="x", kept_mib=0, max_batch=7), PictureLimits(), told)
    yield made
    made.close()


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def ask(*inputs: str | bytes, **fields: Any) -> EmbeddingAsk:
    names = tuple(f"input[{index}]" for index in range(len(inputs)))
    return EmbeddingAsk("x", inputs, names, **fields)


async def test_nothing_is_mixed_up_when_many_ask_at_once(
    embedder: Embedder, theirs: tiny_clip.Theirs
) -> None:
    rng = np.random.default_rng(7)
    words = ["cat", "dog", "the", "a", "on", "two", "3"]
    texts = [" ".join(rng.choice(words, rng.integers(1, 8))) for _ in range(40)]
    pictures = [tiny_clip.picture(int(rng.integers(20, 90)), 50, seed) for seed in range(20)]
    expected = theirs(texts, pictures)
    inputs: list[str | bytes] = [*texts, *map(png, pictures)]
    vectors = np.concatenate([expected.text_embeds.numpy(), expected.image_embeds.numpy()])
    order, asked = rng.permutation(len(inputs)), list[list[int]]()
    while order.size:
        count = int(rng.integers(1, 6))
        asked.append(order[:count].tolist())
        order = order[count:]

    async def one(indices: list[int]) -> Embedded:
        await asyncio.sleep(float(rng.random()) / 50)
        return await embedder.embed(ask(*(inputs[index] for index in indices)))

    for indices, answer in zip(asked, await asyncio.gather(*map(one, asked)), strict=True):
        assert np.abs(answer.vectors - vectors[indices]).max() < ROUNDING


async def test_labels_are_as_likely_as_transformers_says(
    embedder: Embedder, theirs: tiny_clip.Theirs
) -> None:
    picture = tiny_clip.picture()
    found = await embedder.label(ask(png(picture), *tiny_clip.TEXTS))
    expected = theirs(tiny_clip.TEXTS, [picture]).logits_per_image.softmax(-1).numpy()[0]
    assert np.abs(found.likelihoods - expected).max() < ROUNDING
    assert (found.independent, found.tokens) == (
        False,
        16 + sum(map(len, theirs.tokenizer(tiny_clip.TEXTS)["input_ids"])),
    )


@pytest.mark.parametrize(
    ("bad", "kind", "code"),
    [
        (b"", InvalidImage, "image_empty"),
        (b"GIF89a", InvalidImage, "image_decode_failed"),
        (png(tiny_clip.picture())[:400], InvalidImage, "image_decode_failed"),
        ("long " * 40, ContextLengthExceeded, "context_length_exceeded"),
    ],
)
async def test_a_bad_input_fails_its_own_request_and_says_which(
    embedder: Embedder, bad: str | bytes, kind: type[Exception], code: str
) -> None:
    good = [embedder.embed(ask("a cat", png(tiny_clip.picture(seed=seed)))) for seed in range(3)]
    refused, *answers = await asyncio.gather(
        embedder.embed(ask("a dog", bad, "a cat")), *good, return_exceptions=True
    )
    assert isinstance(refused, kind)
    assert (refused.code, refused.param) == (code, "input[1]")  # type: ignore[attr-defined]
    assert all(isinstance(answer, Embedded) for answer in answers)
    assert embedder._places.taken == 0


async def test_a_row_that_the_model_fails_on_fails_alone(embedder: Embedder, model: Clip, told: Told) -> None:
    run, poison = model.embed_texts, model.tokenise(["poison"])[0].tolist()

    def poisoned(texts: Sequence[NDArray[np.int64]]) -> NDArray[np.float32]:
        if any(text.tolist() == poison for text in texts):
            raise RuntimeError("the model broke")
        return run(texts)

    model.embed_texts = poisoned  # type: ignore[method-assign]
    texts = [f"a {count}" for count in range(6)]
    asks = [embedder.embed(ask(text)) for text in [*texts[:3], "poison", *texts[3:]]]
    answers = await asyncio.gather(*asks, return_exceptions=True)
    assert isinstance(answers.pop(3), ModelFault)
    expected = run(model.tokenise(texts))
    for answer, vector in zip(answers, expected, strict=True):
        assert isinstance(answer, Embedded)
        assert np.abs(answer.vectors[0] - vector).max() < ROUNDING
    assert sorted(told.endings) == ["error"] + ["ok"] * 6


async def test_a_row_that_is_not_finite_fails_alone(embedder: Embedder, model: Clip) -> None:
    run = model.embed_texts

    def broken(texts: Sequence[NDArray[np.int64]]) -> NDArray[np.float32]:
        vectors = run(texts)
        vectors[[len(text) > 6 for text in texts]] = np.nan
        return vectors

    model.embed_texts = broken  # type: ignore[method-assign]
    bad, good = await asyncio.gather(
        embedder.embed(ask("a b c d e f g")), embedder.embed(ask("a")), return_exceptions=True
    )
    assert isinstance(bad, ModelFault)
    assert isinstance(good, Embedded)


async def test_what_was_asked_before_is_not_computed_again(model: Clip, told: Told) -> None:
    embedder = Embedder(model, EmbeddingConfig(source="x"), PictureLimits(), told)
    picture = png(tiny_clip.picture())
    first = await embedder.embed(ask("a cat", picture, "a cat"))
    ran = sum(rows for _, rows in told.rows)
    second = await embedder.embed(ask(picture, "a cat", "a dog"))
    embedder.close()
    assert ran == 2
    assert sum(rows for _, rows in told.rows) == 3
    assert np.array_equal(first.vectors[[1, 0]], second.vectors[:2])
    assert np.array_equal(first.vectors[0], first.vectors[2])
    assert told.looked == [(3, 0), (3, 2)]


async def test_the_deadline_holds_in_the_queue_and_before_decoding(embedder: Embedder, told: Told) -> None:
    for late in ("a", png(tiny_clip.picture())):
        with pytest.raises(DeadlineExceeded):
            await embedder.embed(ask(late, remaining_s=1e-9))
    assert told.rows == []
    assert isinstance(await embedder.embed(ask("a")), Embedded)


async def test_a_client_that_leaves_leaves_the_queue(model: Clip, told: Told) -> None:
    config = EmbeddingConfig(source="x", kept_mib=0, window_ms=50, adaptive_window=False)
    embedder = Embedder(model, config, PictureLimits(), told)
    await asyncio.gather(*(embedder.embed(ask("a")) for _ in range(3)))  # arrivals close to one another
    ran, leaving = len(told.rows), asyncio.create_task(embedder.embed(ask("b", png(tiny_clip.picture()))))
    while embedder.status().waiting == 0:
        await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await asyncio.to_thread(embedder.close)
    assert told.rows[ran:] == []
    assert "cancelled" in told.endings
    assert embedder._places.taken == 0


async def test_more_than_the_queue_holds_is_refused_and_told_when_to_come_back(
    model: Clip, told: Told
) -> None:
    config = EmbeddingConfig(source="x", max_inputs=4, max_queue=5, kept_mib=0)
    embedder = Embedder(model, config, PictureLimits(), told)
    answers = await asyncio.gather(
        *(embedder.embed(ask("a", "b", "c", "d")) for _ in range(3)), return_exceptions=True
    )
    embedder.close()
    refused = [answer for answer in answers if isinstance(answer, Overloaded)]
    assert len(refused) == 2
    assert all(error.retry_after_s >= 1 for error in refused)


async def test_who_floods_does_not_keep_others_out(model: Clip, told: Told) -> None:
    config = EmbeddingConfig(source="x", max_inputs=4, max_queue=8, kept_mib=0)
    embedder = Embedder(model, config, PictureLimits(), told)
    flood = [embedder.embed(ask("a", "b", "c", "d", tenant="flood")) for _ in range(6)]
    answers = await asyncio.gather(*flood, embedder.embed(ask("e", tenant="calm")), return_exceptions=True)
    embedder.close()
    assert sum(isinstance(answer, Overloaded) for answer in answers) == 4
    assert isinstance(answers[-1], Embedded)


async def test_draining_finishes_what_is_there_and_refuses_more(embedder: Embedder) -> None:
    assert embedder.status().ready
    asked = asyncio.create_task(embedder.embed(ask("a", png(tiny_clip.picture()))))
    await asyncio.sleep(0)
    await embedder.drain(timeout_s=10)
    assert isinstance(await asked, Embedded)
    with pytest.raises(EngineClosed):
        await embedder.embed(ask("a"))
    embedder._draining = False  # as for a request that was let in just before
    with pytest.raises(EngineClosed):
        await embedder.embed(ask("a"))
    embedder._draining = True
    status = embedder.status()
    assert (status.ready, status.detail, status.dimensions, status.slots) == (False, "draining", 24, 7)


def test_a_queue_that_one_request_could_overflow_is_refused() -> None:
    with pytest.raises(ValueError, match="max_queue"):
        EmbeddingConfig(max_inputs=10, max_queue=10)
    with pytest.raises(ValueError, match="source"):
        EmbeddingConfig(source="gs://")

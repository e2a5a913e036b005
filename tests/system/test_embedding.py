"""A real server, Ray and HAProxy, that only embeds: OpenAI's client gets what transformers gives."""

import base64
import io
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from openai import OpenAI

from tests.arr_coc import tiny_clip
from tests.system.server import Running, free_port, serving, wait_ready, write_config

pytestmark = pytest.mark.server
MODEL = "tiny-clip"
PICTURES = [tiny_clip.picture(60 + 7 * seed, 50, seed) for seed in range(6)]
ROUNDING = 2e-6


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_clip.write("clip", tmp_path_factory.mktemp("models") / MODEL)


@pytest.fixture(scope="module")
def server(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    port = free_port()
    args: dict[str, object] = {
        "embedding": {"source": str(directory), "device": "cpu", "threads": 1, "alone": True},
        "pictures": {"max_pixels": 1_000_000},
    }
    config = write_config(tmp_path_factory.mktemp("server"), args, port)
    with serving(config, port, module="serve_app") as running:
        wait_ready(running)
        yield running


@pytest.fixture
def client(server: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAI]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def _png(index: int) -> bytes:
    file = io.BytesIO()
    PICTURES[index].save(file, "PNG")
    return file.getvalue()


def _image(index: int) -> dict[str, str]:
    return {"image": "data:image/png;base64," + base64.b64encode(_png(index)).decode()}


def test_many_at_once_get_what_transformers_gives(client: OpenAI, directory: Path) -> None:
    theirs = tiny_clip.Theirs("clip", directory)(tiny_clip.TEXTS, PICTURES)
    texts, pictures = theirs.text_embeds.numpy(), theirs.image_embeds.numpy()

    def ask(turn: int) -> float:
        text, picture = turn % len(texts), (turn // 2) % len(pictures)
        inputs: Any = [tiny_clip.TEXTS[text], _image(picture), tiny_clip.TEXTS[text]]
        data = client.embeddings.create(model=MODEL, input=inputs).data
        expected = np.stack([texts[text], pictures[picture], texts[text]])
        return float(np.abs(np.array([each.embedding for each in data]) - expected).max())

    with ThreadPoolExecutor(16) as pool:
        assert max(pool.map(ask, range(64))) < ROUNDING


def test_labels_are_as_likely_as_transformers_says(server: Running, directory: Path) -> None:
    labels = ["cat", "dog", "the mat"]
    texts = [f"a {label}" for label in labels]
    logits = tiny_clip.Theirs("clip", directory)(texts, PICTURES[:1]).logits_per_image
    form = {"labels": labels, "template": "a {}"}
    reply = httpx.post(f"{server.url}/predict", data=form, files={"image": _png(0)}).json()
    found = {each["label"]: each["probability"] for each in reply["predictions"]}
    expected = dict(zip(labels, logits.softmax(-1)[0].tolist(), strict=True))
    assert found == pytest.approx(expected, abs=ROUNDING)
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_what_cannot_be_is_refused_with_openais_errors(client: OpenAI) -> None:
    broken: Any = ["a", {"image": "data:image/png;base64," + base64.b64encode(_png(0)[:300]).decode()}]
    for request, kind, code in (
        ({"model": "other", "input": "a"}, openai.NotFoundError, "model_not_found"),
        ({"model": MODEL, "input": "long " * 40}, openai.BadRequestError, "context_length_exceeded"),
        ({"model": MODEL, "input": broken}, openai.BadRequestError, "image_decode_failed"),
        ({"model": MODEL, "input": "a", "dimensions": 3}, openai.BadRequestError, "unsupported_parameter"),
    ):
        with pytest.raises(kind) as caught:
            client.embeddings.create(**request)
        assert caught.value.code == code
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "a"}])
    assert [model.id for model in client.models.list()] == [MODEL]


def test_what_was_embedded_is_counted_and_the_end_is_orderly(server: Running) -> None:
    text = httpx.get(f"{server.url}/metrics").text
    (hits,) = (line for line in text.splitlines() if line.startswith("arr_coc_embedding_cache_hits_total"))
    assert float(hits.split()[1]) > 0
    assert 'arr_coc_embedding_inputs_total{kind="picture",outcome="error"} 0.0' in text
    code, _ = server.stop(signal.SIGTERM)
    assert code == 0

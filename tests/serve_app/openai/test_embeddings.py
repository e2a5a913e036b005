"""OpenAI's own client, unmodified, embeds texts and pictures, and raises its own errors."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from openai import AsyncOpenAI, OpenAI

from arr_coc.decoding import PictureLimits, decoded_bytes
from arr_coc.errors import (
    ContextLengthExceeded,
    DeadlineExceeded,
    EngineClosed,
    InvalidImage,
    InvalidRequest,
    ModelFault,
    Overloaded,
)
from serve_app.admission import AdmissionConfig
from serve_app.embedding import EmbeddingLimits, NothingGenerates
from serve_app.openai.embeddings import inputs_of, read_embeddings
from tests.serve_app.fakes import PNG, VECTORS, FakeEmbedding, data_url, png, vector_of
from tests.serve_app.site import Site, assert_error, in_process, on_socket, until, until_healthy

PICTURE = {"image": data_url()}
MODEL = "fake-clip"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
async def served() -> AsyncIterator[Site]:
    async with on_socket(embedding=FakeEmbedding()) as site:
        yield site


@pytest.fixture
async def client(served: Site) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=_url(served), api_key="none", max_retries=0) as client:
        yield client


def _url(site: Site) -> str:
    return f"http://127.0.0.1:{site.port}/v1"


def _expect(reply: Any, *contents: str | bytes) -> None:
    found: NDArray[np.float32] = np.array([each.embedding for each in reply.data], np.float32)
    assert np.array_equal(found, np.stack([vector_of(each) for each in contents]))
    assert [each.index for each in reply.data] == list(range(len(contents)))


async def test_texts_in_both_formats(client: AsyncOpenAI, served: Site) -> None:
    one = await client.embeddings.create(
        model=MODEL, input="a cat"
    )  # the client asks for base64, and decodes it
    _expect(one, "a cat")
    many = await client.embeddings.create(
        model=MODEL, input=["a cat", "a dog"], encoding_format="float", dimensions=4, user="me"
    )
    _expect(many, "a cat", "a dog")
    assert (many.object, many.model, many.usage.prompt_tokens, many.usage.total_tokens) == (
        "list",
        MODEL,
        7,
        7,
    )
    told = many.model_extra["arr_coc"]  # type: ignore[index]
    assert told == {"request_id": served.embedding.asks[1].request_id, "timings_ms": {"total": 1.235}}
    spelled = await client.embeddings.create(model=MODEL, input="a cat", encoding_format="base64")
    raw: Any = spelled.data[0].embedding
    assert np.array_equal(np.frombuffer(base64.b64decode(raw), "<f4"), vector_of("a cat"))
    await until(lambda: served.ledger.entries == [("embeddings", "ok")] * 3)


async def test_pictures_beside_texts_in_one_call(client: AsyncOpenAI, served: Site) -> None:
    other = png(20, 30)
    mixed: Any = ["a cat", PICTURE, {"text": "a dog"}, {"image": data_url(other)}]
    _expect(await client.embeddings.create(model=MODEL, input=mixed), "a cat", PNG, "a dog", other)
    assert served.embedding.asks[0].names == ("input[0]", "input[1].image", "input[2].text", "input[3].image")
    alone: Any = PICTURE
    _expect(await client.embeddings.create(model=MODEL, input=alone), PNG)
    assert served.embedding.asks[1].names == ("input.image",)


async def test_the_synchronous_client(served: Site) -> None:
    def ask() -> Any:
        with OpenAI(base_url=_url(served), api_key="none", max_retries=0) as client:
            return client.embeddings.create(model=MODEL, input=["a", "b"])

    _expect(await asyncio.to_thread(ask), "a", "b")


async def test_both_models_are_listed_and_each_answers_its_own_calls(client: AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == ["fake", MODEL]
    assert (await client.models.retrieve(MODEL)).id == MODEL
    with pytest.raises(openai.NotFoundError):
        await client.embeddings.create(model="fake", input="a")
    with pytest.raises(openai.NotFoundError):
        await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "a"}])


@pytest.mark.parametrize(
    ("error", "raised", "code"),
    [
        (
            ContextLengthExceeded("too long", param="input[1]"),
            openai.BadRequestError,
            "context_length_exceeded",
        ),
        (InvalidImage("broken", param="input[1].image"), openai.BadRequestError, "image_decode_failed"),
        (Overloaded("full", retry_after_s=3), openai.RateLimitError, "overloaded"),
        (ModelFault("nan"), openai.InternalServerError, "model_fault"),
        (EngineClosed("closed"), openai.InternalServerError, "shutting_down"),
        (DeadlineExceeded("late"), openai.InternalServerError, "deadline_exceeded"),
    ],
)
async def test_the_client_raises_its_own_errors(
    client: AsyncOpenAI, served: Site, error: Exception, raised: type[openai.APIStatusError], code: str
) -> None:
    served.embedding.error = error
    with pytest.raises(raised) as caught:
        await client.embeddings.create(model=MODEL, input=["a", "b"])
    assert caught.value.code == code
    if isinstance(error, Overloaded):
        assert caught.value.response.headers["retry-after"] == "3"
    if isinstance(error, InvalidRequest):
        assert caught.value.param == error.param


async def test_a_client_that_leaves_is_given_up(client: AsyncOpenAI, served: Site) -> None:
    served.embedding.before = asyncio.Event().wait
    with pytest.raises(openai.APITimeoutError):
        await client.embeddings.create(model=MODEL, input="a", timeout=0.2)
    await asyncio.wait_for(served.embedding.cancelled.wait(), 5)
    await until(lambda: served.ledger.entries == [("embeddings", "cancelled")])


async def test_a_door_of_its_own_and_a_tenants_limit_over_both() -> None:
    admission = AdmissionConfig(max_in_flight=1, max_in_flight_each=2)
    async with on_socket(embedding=FakeEmbedding(), admission=admission) as site:
        gate = asyncio.Event()
        site.embedding.before = site.texture.before = gate.wait
        body = {"model": MODEL, "input": "a"}
        embedding = asyncio.create_task(site.client.post("/v1/embeddings", json=body))
        await until(lambda: site.embedding.asks)
        asking = asyncio.create_task(site.vqa())
        await until(lambda: site.texture.asks)
        assert_error(await site.client.post("/v1/embeddings", json=body), 429, "rate_limit_exceeded")
        assert_error(await site.vqa(), 429, "rate_limit_exceeded")
        gate.set()
        assert (await embedding).status_code == (await asking).status_code == 200
    async with on_socket(embedding=FakeEmbedding(), admission=AdmissionConfig(max_in_flight=1)) as site:
        site.embedding.before = asyncio.Event().wait
        waiting = asyncio.create_task(site.client.post("/v1/embeddings", json=body))
        await until(lambda: site.embedding.asks)
        refused = await site.client.post("/v1/embeddings", json=body)
        assert_error(refused, 429, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        assert (await site.vqa()).status_code == 200
        waiting.cancel()


async def test_health_waits_for_it_and_questions_do_not() -> None:
    async with in_process(embedding=FakeEmbedding()) as site:
        site.embedding.state = replace(VECTORS, ready=False, detail="loading the embedding model")
        health = await until_healthy(site, 503)
        assert health.json()["reason"] == "loading the embedding model"
        refused = await site.client.post("/v1/embeddings", json={"model": MODEL, "input": "a"})
        assert_error(refused, 503, "not_ready")
        assert (await site.vqa()).status_code == 200


async def test_without_such_a_model_there_is_none() -> None:
    async with in_process() as site:
        for path in ("/v1/embeddings", "/predict"):
            assert_error(
                await site.client.post(path, json={"model": MODEL, "input": "a"}), 404, "model_not_found"
            )
        assert (await site.client.get("/health")).json()["embedding"] is None
        paths = (await site.client.get("/openapi.json")).json()["paths"]
        assert "examples" not in paths["/v1/embeddings"]["post"]["requestBody"]["content"]["application/json"]


async def test_a_picture_that_is_refused_at_the_edge_is_named(site: Site) -> None:
    site.pipeline._weigh = partial(decoded_bytes, limits=PictureLimits())
    bad = {"image": data_url(b"not a picture")}
    for given_, name in ((["a", bad], "input[1].image"), ([PICTURE, bad], "input"), (bad, "input.image")):
        reply = await site.client.post("/v1/embeddings", json={"model": MODEL, "input": given_})
        assert assert_error(reply, 415, "unsupported_image_format")["param"] == name


async def test_pictures_are_fetched_from_where_the_operator_allows() -> None:
    @asynccontextmanager
    async def fetch(url: str, tenant: str) -> AsyncIterator[bytes]:
        yield png(10, len(url))

    async with in_process(embedding=FakeEmbedding(), fetch=fetch) as site:
        inputs = ["a", {"image": "https://example.org/x.png"}]
        reply = await site.client.post("/v1/embeddings", json={"model": MODEL, "input": inputs})
        assert reply.status_code == 200
        assert site.embedding.asks[0].inputs == ("a", png(10, 25))


@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        ({"input": ...}, 400, "missing_field", "input"),
        ({"model": ...}, 400, "missing_field", "model"),
        ({"input": ""}, 400, "invalid_value", "input"),
        ({"input": []}, 400, "invalid_value", "input"),
        ({"input": ["a", ""]}, 400, "invalid_value", "input[1]"),
        ({"input": [1, 2, 3]}, 400, "invalid_value", "input[0]"),
        ({"input": [["a"]]}, 400, "invalid_value", "input[0]"),
        ({"input": 7}, 400, "invalid_value", "input"),
        ({"input": ["a"] * 9}, 400, "invalid_value", "input"),
        ({"input": ["a", "b" * 1001]}, 400, "context_length_exceeded", "input[1]"),
        ({"input": [{"image": "data:text/html,x"}]}, 400, "invalid_data_url", "input[0].image"),
        ({"input": [{"image": "http://127.0.0.1/x.png"}]}, 400, "url_not_allowed", "input[0].image"),
        ({"input": [{"image": "https://example.org/x.png"}]}, 400, "url_not_allowed", "input[0].image"),
        ({"input": [{"image": data_url(), "text": "a"}]}, 400, "unknown_field", "input[0]"),
        ({"input": [{"audio": "a"}]}, 400, "missing_field", "input[0].text"),
        ({"input": {"text": 7}}, 400, "invalid_value", "input.text"),
        ({"encoding_format": "int8"}, 400, "invalid_value", "encoding_format"),
        ({"dimensions": 3}, 400, "unsupported_parameter", "dimensions"),
        ({"dimensions": 0}, 400, "invalid_value", "dimensions"),
        ({"dimensions": True}, 400, "invalid_value", "dimensions"),
        ({"surprise": 1}, 400, "unknown_field", None),
        ({"model": "text-embedding-3-small"}, 404, "model_not_found", "model"),
    ],
)
async def test_what_cannot_be_embedded_is_refused_by_name(
    site: Site, fields: dict[str, Any], status: int, code: str, param: str | None
) -> None:
    body = {k: v for k, v in {"model": MODEL, "input": "a", **fields}.items() if v is not ...}
    error = assert_error(await site.client.post("/v1/embeddings", json=body), status, code)
    assert error["param"] == param
    assert site.embedding.asks == []


async def test_a_body_that_is_no_object_is_refused(site: Site) -> None:
    assert_error(await site.client.post("/v1/embeddings", json=["a"]), 400, "invalid_type")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "image", "x"]), inner)
    ),
    max_leaves=6,
)


@given(st.fixed_dictionaries({"model": st.text(max_size=3), "input": _JSON}, optional={"dimensions": _JSON}))
def test_anything_is_taken_whole_or_refused_in_our_words(fields: dict[str, Any]) -> None:
    limits = EmbeddingLimits(max_inputs=8, max_chars=4)
    try:
        inputs = inputs_of(read_embeddings(fields), limits)
    except InvalidRequest as error:
        assert len(error.message) <= 300
        return
    assert 1 <= len(inputs.contents) == len(inputs.names) <= limits.max_inputs


async def test_alone_a_long_forward_is_judged_as_the_embedding_stage_is() -> None:
    embedding = FakeEmbedding(state=replace(VECTORS, last_step_age_s=60))
    nothing = NothingGenerates(embedding)
    async with in_process(nothing, generation=nothing, embedding=embedding, generates=False) as site:
        embedding.state = replace(VECTORS, last_step_age_s=91)
        await until_healthy(site, 503)

"""The bundled model behind OpenAI's client: conversations, and stop strings."""

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError

from arr_coc.decoding import PictureLimits
from arr_coc.demo.scenes import render, sample_scene
from arr_coc.engine.config import EngineConfig
from arr_coc.model.config import ModelConfig
from deployments.config import GenerationStageConfig, TextureStageConfig, TracingConfig
from deployments.generation import GenerationStage, load_model
from deployments.texture import TextureStage
from tests.serve_app.openai.requests import text, user
from tests.serve_app.site import Site, on_socket

ENGINE = EngineConfig(slots=4, max_length=2048)
MODEL = ModelConfig(name="demo", threads=1)
ZOOMED = 900_003  # of a scene that is square, and so zoomed into at 1,024 px


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> tuple[TextureStage, GenerationStage]:
    metrics = str(tmp_path_factory.mktemp("metrics"))
    untraced = TracingConfig()
    texture = TextureStage(
        TextureStageConfig(threads=1), {"demo": MODEL}, ENGINE, PictureLimits(), metrics, untraced
    )
    return texture, GenerationStage(
        {"demo": MODEL}, ENGINE, GenerationStageConfig(), metrics, untraced, load_model
    )


@pytest.fixture
async def served(
    stages: tuple[TextureStage, GenerationStage], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Site]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    texture, generation = stages
    async with asyncio.timeout(60):
        while not (await generation.status()).ready:
            await asyncio.sleep(0.05)
    async with on_socket(texture, generation) as site:
        yield site


@pytest.fixture
async def client(served: Site) -> AsyncIterator[AsyncOpenAI]:
    url = f"http://127.0.0.1:{served.port}/v1"
    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
        yield client


def _scene(size: int = 1024, seed: int = ZOOMED) -> bytes:
    file = io.BytesIO()
    render(sample_scene(seed, size=size)).save(file, format="PNG")
    return file.getvalue()


def _picture(size: int = 320, **fields: Any) -> dict[str, Any]:
    url = f"data:image/png;base64,{base64.b64encode(_scene(size)).decode()}"
    return {"type": "image_url", "image_url": {"url": url, **fields}}


async def test_both_apis_give_the_same_answer(client: AsyncOpenAI, served: Site) -> None:
    for text_first in (True, False):
        parts = [text("what is in the top left?"), _picture(1024)]
        completion = await client.chat.completions.create(
            model="demo",
            messages=[user(*parts if text_first else parts[::-1])],  # type: ignore[list-item]
        )
        native = await served.client.post(
            "/vqa", data={"query": "what is in the top left?"}, files={"image": _scene(1024)}
        )
        assert completion.choices[0].message.content == native.json()["answer"]
        told = completion.model_extra["arr_coc"]  # type: ignore[index]
        assert told["route"] == "zoom"
        assert told["patches"] == native.json()["patches"]


async def test_a_detail_is_a_number_of_tokens(client: AsyncOpenAI) -> None:
    spent = {}
    for detail in ("low", "auto", "high"):
        messages: Any = [user(_picture(1024, detail=detail), text("how many shapes are there?"))]
        completion = await client.chat.completions.create(model="demo", messages=messages, max_tokens=8)
        spent[detail] = completion.model_extra["arr_coc"]["total_visual_tokens"]  # type: ignore[index]
    assert spent["low"] <= 64 < spent["auto"] < spent["high"] == 1024


async def test_turns_text_alone_and_several_pictures_are_answered(client: AsyncOpenAI) -> None:
    conversations: dict[str, Any] = {
        "turns": [
            {"role": "system", "content": "You see pictures."},
            user(_picture(1024), text("how many shapes are there?")),
            {"role": "assistant", "content": "three"},
            {"role": "user", "content": "what is in the top left?"},
        ],
        "text": [{"role": "user", "content": "hello"}],
        "pictures": [user(text("first:"), _picture(), text("second:"), _picture(1024), text("the same?"))],
    }
    told = {}
    for name, messages in conversations.items():
        completion = await client.chat.completions.create(model="demo", messages=messages, max_tokens=16)
        assert completion.choices[0].message.content
        told[name] = completion.model_extra["arr_coc"]  # type: ignore[index]
    assert [told[name]["route"] for name in ("turns", "text", "pictures")] == ["zoom", "text", "direct"]
    assert told["turns"]["overview"]["tokens"] > 64
    assert (told["text"]["image"], told["text"]["total_visual_tokens"]) == (None, 0)
    assert 100 < told["pictures"]["total_visual_tokens"] <= 625
    assert told["pictures"]["image"] is None


async def test_a_stop_string_is_never_shown(client: AsyncOpenAI) -> None:
    ask: Any = {
        "model": "demo",
        "messages": [user(_picture(), text("describe the picture."))],
        "max_tokens": 48,
    }
    whole = (await client.chat.completions.create(**ask)).choices[0].message.content or ""
    stop = whole[len(whole) // 2 :][:4]
    expected = whole[: whole.index(stop)]
    cut = await client.chat.completions.create(**ask, stop=[stop])
    assert (cut.choices[0].message.content, cut.choices[0].finish_reason) == (expected, "stop")
    stream = await client.chat.completions.create(**ask, stop=stop, stream=True)
    chunks = [chunk.choices[0] async for chunk in stream]
    assert "".join(choice.delta.content or "" for choice in chunks) == expected
    assert chunks[-1].finish_reason == "stop"


async def test_the_bytes_of_all_tokens_are_the_answer(client: AsyncOpenAI) -> None:
    ask: Any = {
        "model": "demo",
        "messages": [user(_picture(), text("describe the picture."))],
        "max_tokens": 24,
        "logprobs": True,
        "top_logprobs": 5,
    }
    choice = (await client.chat.completions.create(**ask)).choices[0]
    assert choice.logprobs is not None
    told = choice.logprobs.content or []
    assert b"".join(bytes(each.bytes or ()) for each in told).decode() == choice.message.content
    assert all(each.token == each.top_logprobs[0].token for each in told)  # greedy, and no control token
    assert all(len(each.top_logprobs) == 5 and each.logprob <= 0 for each in told)
    stream = await client.chat.completions.create(**ask, stream=True)
    chunks = [chunk.choices[0] async for chunk in stream]
    streamed = [each for c in chunks if c.logprobs for each in c.logprobs.content or ()]
    assert [each.token for each in streamed] == [each.token for each in told]


async def test_a_conversation_that_the_context_cannot_hold_is_told(client: AsyncOpenAI) -> None:
    messages: Any = [{"role": "user", "content": "word " * 3000}]
    with pytest.raises(BadRequestError) as caught:
        await client.chat.completions.create(model="demo", messages=messages)
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "messages")

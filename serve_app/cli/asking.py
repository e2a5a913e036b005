"""One question, asked of a server or of a model in this process: text as it comes, then the whole reply.

It does not know what is shown of it.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

from arr_coc.answers import Delta
from serve_app.cli.client import Fields, connected, data_url, error_of, events, unreachable
from serve_app.cli.failure import Failure

Answer = AsyncGenerator[str | Fields, None]
_BROKEN_OFF = "the server broke off before the answer was complete"


async def over_http(url: str, api_key: str | None, image: bytes, fields: Fields) -> Answer:
    """Asks ``POST /stream_generate``. Raises Failure, with the server's own message where it has one."""
    import httpx

    pieces: list[str] = []
    body = {**fields, "image": data_url(image)}
    try:
        async with (
            connected(url, api_key) as client,
            client.stream("POST", "/stream_generate", json=body) as response,
        ):
            if response.status_code != 200:
                raise Failure(error_of(await response.aread(), response.status_code)["message"])
            async for name, data in events(response.aiter_lines()):
                if name == "error":
                    raise Failure(error_of(data.encode(), response.status_code)["message"])
                if data == "[DONE]":
                    return
                told = json.loads(data)
                if "text" in told:
                    pieces.append(told["text"])
                    yield told["text"]
                else:
                    yield {"answer": "".join(pieces), **told}
    except (httpx.ConnectError, httpx.ConnectTimeout):
        raise unreachable(url) from None
    except httpx.TransportError as error:
        raise Failure(_BROKEN_OFF) from error
    except ValueError as error:
        raise Failure(f"{url} does not answer in the way of this API") from error
    raise Failure(_BROKEN_OFF)


async def in_process(source: str, image: bytes, fields: Fields) -> Answer:
    """Asks the model ``source``, loaded for this one question. Raises ArrCocError as the stages do."""
    from transformers.utils.logging import disable_progress_bar

    from arr_coc.decoding import PictureLimits
    from arr_coc.engine.config import EngineConfig
    from arr_coc.engine.observer import Silent
    from arr_coc.model.config import ModelConfig
    from arr_coc.model.source import resolve
    from arr_coc.profile import ModelProfile
    from arr_coc.texture import TextureEncoder
    from arr_coc.vlm import VisionLanguageModel
    from serve_app.limits import HttpLimits
    from serve_app.replies import reply_to
    from serve_app.schemas import QuestionLimits, read_question

    model, engine = ModelConfig(source=source), EngineConfig(slots=1)
    limits = QuestionLimits(engine.max_new_tokens_limit, HttpLimits().max_query_chars)
    asked = read_question({**fields, "image": image}, limits)
    encoder = TextureEncoder(ModelProfile.load(resolve(source)), PictureLimits())
    picture = encoder.encode(
        image, asked.question.visual_token_budget
    )  # its faults show before a model loads
    disable_progress_bar()
    vlm = await asyncio.to_thread(VisionLanguageModel.load, model, engine, Silent())
    try:
        async with aclosing(vlm.stream(asked.ask("local", remaining_s=3600.0), picture)) as items:
            async for item in items:
                if isinstance(item, Delta):
                    yield item.text
                else:
                    reply = reply_to(item, model=model.served_name, request_id="local")
                    yield reply.fields(explain=asked.question.explain)
    finally:
        vlm.close()

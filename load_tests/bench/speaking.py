"""How each server's API spells a request and its answer. Knows neither load nor time."""

import base64
import json
from typing import Any, Protocol

from urllib3.filepost import encode_multipart_formdata

from load_tests.bench.mixes import Request

JSON = "application/json"
Body = tuple[bytes, str]  # and its content type


class Speech(Protocol):
    """``path``, and ``streams`` where it has answers as streams, else None."""

    @property
    def path(self) -> str: ...

    @property
    def streams(self) -> str | None: ...

    def body(self, request: Request, stream: bool) -> Body: ...

    def read(self, body: bytes) -> tuple[str, int]:
        """Text and number of tokens of a whole answer."""
        ...

    def piece(self, event: Any) -> tuple[str, int]:
        """New text of one event of a stream, and the number of tokens where the event tells, else 0."""
        ...


class Vqa:
    """This server's own routes."""

    path = "/vqa"
    streams = "/stream_generate"

    def body(self, request: Request, stream: bool) -> Body:
        fields = {"query": request.query, "max_tokens": str(request.max_tokens)}
        if request.forced:
            fields["ignore_eos"] = "true"
        return _form(fields, request.picture)

    def read(self, body: bytes) -> tuple[str, int]:
        reply = json.loads(body)
        return reply["answer"], reply["usage"]["completion_tokens"]

    def piece(self, event: Any) -> tuple[str, int]:
        usage = event.get("usage")
        return event.get("text", ""), usage["completion_tokens"] if usage else 0


class Form:
    """A form with a file, as web frameworks take it; ``streams`` is the path of streams, if there are any."""

    path = "/answer"

    def __init__(self, streams: str | None = None) -> None:
        self.streams = streams

    def body(self, request: Request, stream: bool) -> Body:
        fields = {
            "query": request.query, "max_tokens": str(request.max_tokens), "forced": str(request.forced).lower()
        }  # fmt: skip
        return _form(fields, request.picture)

    def read(self, body: bytes) -> tuple[str, int]:
        reply = json.loads(body)
        return reply["answer"], reply["tokens"]

    def piece(self, event: Any) -> tuple[str, int]:
        return event["text"], event.get("tokens", 0)


class Json(Form):
    """One JSON object, the picture in base64. ``listed`` sends and gets a list of one, under this name."""

    def __init__(self, path: str, listed: str | None = None) -> None:
        super().__init__()
        self.path = path
        self._listed = listed

    def body(self, request: Request, stream: bool) -> Body:
        value: dict[str, Any] = {
            "image": base64.b64encode(request.picture).decode(),
            "query": request.query,
            "max_tokens": request.max_tokens,
            "forced": request.forced,
        }
        return json.dumps({self._listed: [value]} if self._listed else value).encode(), JSON

    def read(self, body: bytes) -> tuple[str, int]:
        reply = json.loads(body)
        reply = reply[0] if self._listed else reply
        return reply["answer"], reply["tokens"]


class OpenAI:
    """Chat completions; ``forcing`` are the server's own fields for an answer that goes on after its end."""

    path = "/v1/chat/completions"
    streams = path

    def __init__(self, model: str | None, forcing: dict[str, Any], usage_is_asked_for: bool = True) -> None:
        self._model = {"model": model} if model else {}
        self._forcing = forcing
        self._usage = {"stream_options": {"include_usage": True}} if usage_is_asked_for else {}

    def body(self, request: Request, stream: bool) -> Body:
        url = f"data:image/png;base64,{base64.b64encode(request.picture).decode()}"
        content = [
            {"type": "image_url", "image_url": {"url": url}},
            {"type": "text", "text": request.query},
        ]
        fields: dict[str, Any] = {
            **self._model,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": request.max_tokens,
            "temperature": 0.0,
            **(self._forcing if request.forced else {}),
            **({"stream": True, **self._usage} if stream else {}),
        }
        return json.dumps(fields).encode(), JSON

    def read(self, body: bytes) -> tuple[str, int]:
        reply = json.loads(body)
        return reply["choices"][0]["message"]["content"] or "", reply["usage"]["completion_tokens"]

    def piece(self, event: Any) -> tuple[str, int]:
        choices, usage = event.get("choices"), event.get("usage")
        text = (choices[0]["delta"].get("content") or "") if choices else ""
        return text, usage["completion_tokens"] if usage else 0


def _form(fields: dict[str, str], picture: bytes) -> Body:
    return encode_multipart_formdata({**fields, "image": ("picture.png", picture, "image/png")})

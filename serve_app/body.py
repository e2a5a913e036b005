"""Request bodies: read within bounds, then taken apart into fields.

Bytes are counted while they arrive, whatever the headers claim. It knows two media types and
nothing of what the fields mean, except which form fields are numbers.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from pydantic_core import from_json
from starlette.requests import Request
from starlette.types import Receive

from arr_coc.errors import Cancelled, ContextLengthExceeded, InvalidRequest, Overloaded
from arr_coc.fairness import Pool
from serve_app.limits import HttpLimits
from serve_app.multipart import Part, parse_multipart

JSON = "application/json"
FORM = "multipart/form-data"
MAX_COMMAS = 200_000  # a full batch of prompts has fewer; parsing more values would hold up everybody
MAX_FIELD_BYTES = 65_536  # of a form field; the picture is bounded by the body alone
LINGER_S = 1.0  # how long a client that sends too much is listened to

_WHOLE = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_DECIMAL = re.compile(r"-?[0-9]{1,19}(\.[0-9]{1,32})?([eE][+-]?[0-9]{1,3})?", re.ASCII)


def _whole(text: str) -> object:
    return int(text) if _WHOLE.fullmatch(text) else text


def _decimal(text: str) -> object:
    return float(text) if _DECIMAL.fullmatch(text) else text


def _boolean(text: str) -> object:
    return text == "true" if text in ("true", "false") else text


_SPELLED: dict[str, Callable[[str], object]] = {
    "query": str,
    "max_tokens": _whole,
    "temperature": _decimal,
    "top_p": _decimal,
    "seed": _whole,
    "visual_token_budget": _whole,
    "ignore_eos": _boolean,
    "explain": _boolean,
    "template": str,
}
_REPEATED = frozenset({"labels"})  # fields that may come more than once: each is one of a list


class BodyReader:
    """Reads bodies, and bounds what all of them together hold of ``memory``, in bytes."""

    def __init__(self, limits: HttpLimits, memory: Pool) -> None:
        self._limits = limits
        self._memory = memory

    @asynccontextmanager
    async def read(self, request: Request, tenant: str = "") -> AsyncIterator[bytearray]:
        """The whole body, counted as held by ``tenant`` until the context closes.

        Raises InvalidRequest (``body_too_large``, ``body_timeout``), Overloaded when the bodies in
        memory leave no room, Cancelled when the client goes away.
        """
        body = bytearray()
        try:
            await self._refuse_announced(request)
            await self._collect_in_time(request.receive, body, tenant)
        except BaseException:
            self._memory.give_back(tenant, len(body))
            raise
        held = len(body)  # the reader may clear the body once its fields are out; they weigh the same
        try:
            yield body
        finally:
            self._memory.give_back(tenant, held)

    async def _refuse_announced(self, request: Request) -> None:
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > self._limits.max_body_bytes:
            if request.headers.get("expect", "").lower() != "100-continue":
                await _linger(request.receive)
            raise self._too_large()

    async def _collect_in_time(self, receive: Receive, body: bytearray, tenant: str) -> None:
        try:
            async with asyncio.timeout(self._limits.body_timeout_s):
                await self._collect(receive, body, tenant)
        except TimeoutError:
            raise InvalidRequest("the body took too long to arrive", code="body_timeout") from None

    async def _collect(self, receive: Receive, body: bytearray, tenant: str) -> None:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Cancelled("the client went away while it sent the body")
            chunk: bytes = message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) + len(chunk) > self._limits.max_body_bytes:
                if more:
                    await _linger(receive)
                raise self._too_large()
            if not self._memory.fits(tenant, len(chunk)):
                raise Overloaded("too many request bodies are in memory")
            self._memory.take(tenant, len(chunk))
            body += chunk

    def _too_large(self) -> InvalidRequest:
        limit = f"{self._limits.max_body_mib:g} MiB"
        return InvalidRequest(f"the body must be at most {limit}", code="body_too_large")


async def _linger(receive: Receive) -> None:
    """Swallows the rest for a moment: a client reads its refusal only once it has sent all, and
    closing at once could reset the connection under it."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_S):
            while (await receive()).get("more_body", False):
                pass


def media_type(request: Request, *allowed: str) -> str:
    """The body's media type, one of ``allowed``. Raises InvalidRequest (``unsupported_media_type``)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = request.headers.get("content-encoding", "identity").lower()
    if kind not in allowed or encoding != "identity":
        raise InvalidRequest(
            f"the body must be {' or '.join(allowed)}, not compressed", code="unsupported_media_type"
        )
    return kind


def parse_body(request: Request, kind: str, body: bytearray) -> object:
    """The decoded JSON value, or the fields of a form; ``kind`` is the body's media type."""
    return parse_json(body) if kind == JSON else parse_form(request.headers["content-type"], body)


def parse_json(body: bytearray) -> Any:
    """The value of a JSON body: UTF-8, depth bounded, the last of duplicate keys wins.

    Raises InvalidRequest (``invalid_json``) also for NaN, Infinity, lone surrogates and integers of
    thousands of digits, and for more values than any request has. A number that overflows to infinity
    is left to the schema.
    """
    if body.count(b",") > MAX_COMMAS:
        raise InvalidRequest("the body has too many values", code="invalid_json")
    try:
        return from_json(body, allow_inf_nan=False, cache_strings="keys")
    except ValueError:
        raise InvalidRequest("the body is not valid JSON in UTF-8", code="invalid_json") from None


def parse_form(content_type: str, body: bytearray) -> dict[str, object]:
    """The fields of a form: ``image`` as bytes, numbers and booleans as what they spell, text as text, what
    may be repeated as a list of texts.

    A value that does not spell what its field needs stays text, and an unknown field stays bytes: the
    schema refuses both.
    Raises InvalidRequest (``invalid_multipart``, ``duplicate_field``, ``field_too_large``,
    ``invalid_encoding``).
    """
    fields: dict[str, object] = {}
    for part in parse_multipart(content_type, body):
        if part.name in _REPEATED:
            listed = fields.setdefault(part.name, [])
            assert isinstance(listed, list)
            listed.append(_text(part))
            continue
        if part.name in fields:
            raise InvalidRequest("the form has a field twice", code="duplicate_field")
        spelled = _SPELLED.get(part.name)
        fields[part.name] = part.content if spelled is None else spelled(_text(part))
    return fields


def _text(part: Part) -> str:
    if len(part.content) > MAX_FIELD_BYTES:
        if part.name == "query":
            raise ContextLengthExceeded("query is longer than any prompt can be", param="query")
        raise InvalidRequest("a field is longer than 64 KiB", code="field_too_large", param=part.name)
    try:
        return part.content.decode()
    except UnicodeDecodeError:
        raise InvalidRequest("a field is not UTF-8", code="invalid_encoding", param=part.name) from None

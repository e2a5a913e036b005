"""How the command speaks to a server: connections, requests, errors. It does not know what is asked."""

import base64
import json
import ssl
from collections.abc import AsyncIterator
from functools import cache
from typing import Any

import httpx

from serve_app.cli.failure import UNTRIED, Failure

DEFAULT_URL = "http://localhost:8000"
CONNECT_S = 10.0
ANSWER_S = 600.0  # servers have deadlines of their own; this is for those that fell silent
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")

Fields = dict[str, Any]


def connected(url: str, api_key: str | None = None) -> httpx.AsyncClient:
    """A client of the server at ``url``, with one connection, which shows ``api_key``. A proxy is never asked
    for this machine itself.

    Raises Failure where ``url`` is none, or no header can hold the key.
    """
    if api_key and not (api_key.isascii() and api_key.isprintable()):
        raise Failure("the API key has characters that no key has", UNTRIED)
    try:
        base = httpx.URL(url)
    except httpx.InvalidURL:
        base = httpx.URL()
    if base.scheme not in ("http", "https") or not base.host:
        raise Failure(f"{url} is not the address of a server, such as {DEFAULT_URL}", UNTRIED)
    return httpx.AsyncClient(
        base_url=base,
        headers={"authorization": f"Bearer {api_key}"} if api_key else {},
        timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S, pool=None),
        limits=httpx.Limits(max_connections=1),
        trust_env=base.host not in _LOOPBACK,
        verify=_tls(),
    )


@cache
def _tls() -> ssl.SSLContext:
    """As httpx would make it, once for all clients."""
    return httpx.create_ssl_context()


def unreachable(url: str) -> Failure:
    """Says that nobody answers at ``url``, and what to do."""
    return Failure(
        f"no server answers at {url}; `arr-coc serve` starts one there or --url names another", UNTRIED
    )


def data_url(image: bytes) -> str:
    """A picture as it travels in JSON; the server goes by its bytes, not by a media type."""
    return f"data:image/unknown;base64,{base64.b64encode(image).decode()}"


def error_of(body: bytes, status: int) -> dict[str, Any]:
    """The error in a response's body; one in the same shape where it is not of this kind of server."""
    try:
        error = json.loads(body)["error"]
        if isinstance(error, dict) and isinstance(error.get("message"), str):
            return error
    except (ValueError, TypeError, KeyError):
        pass
    message = f"the server answered {status}, not in the way of this API"
    return {"message": message, "type": "server_error", "param": None, "code": "unknown_answer"}


async def events(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, str]]:
    """Server-sent events as (name, data), each once its blank line has arrived."""
    name, data = "message", list[str]()
    async for line in lines:
        field, _, value = line.partition(":")
        if field == "event":
            name = value.removeprefix(" ")
        elif field == "data":
            data.append(value.removeprefix(" "))
        elif not line and data:
            yield name, "\n".join(data)
            name, data = "message", []

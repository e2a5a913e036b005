"""Serves the page: every file of ``static/`` at a path of its own, from memory.

What is not a file there has no route, so no path can lead out of it. Knows nothing of what the page does.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PREFIX: Final = "/playground/"
STATIC: Final = Path(__file__).parent / "static"
_INDEX = "index.html"

_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' blob:",  # blob: the user's own picture, before it is sent
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}

_HEADERS = {
    "cache-control": "no-cache",  # kept, but asked for each time: a new version must not meet an old script
    "content-security-policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True)
class Asset:
    """One file of the page. Its ETag follows from its content, so all instances give the same."""

    path: str
    content: bytes
    media_type: str

    @classmethod
    def read(cls, file: Path) -> Self:
        """The file as it is now; the index is the page at ``/`` itself."""
        name = file.relative_to(STATIC).as_posix()
        path = "/" if name == _INDEX else PREFIX + name
        return cls(path, file.read_bytes(), _MEDIA_TYPES[file.suffix])

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'

    @property
    def route(self) -> Route:
        return Route(self.path, _answer(self), methods=["GET"])  # and HEAD, which starlette adds


def read_assets() -> tuple[Asset, ...]:
    """All files of the page, a few hundred kilobytes together."""
    return tuple(Asset.read(file) for file in sorted(_files(STATIC)))


def _files(directory: Path) -> Iterator[Path]:
    return (file for file in directory.rglob("*") if file.suffix in _MEDIA_TYPES)


def _answer(asset: Asset) -> Callable[[Request], Awaitable[Response]]:
    headers = {**_HEADERS, "content-type": asset.media_type, "etag": asset.etag}

    async def answer(request: Request) -> Response:
        if _has(request.headers.get("if-none-match", ""), asset.etag):
            return Response(status_code=304, headers={**_HEADERS, "etag": asset.etag})
        return Response(asset.content, headers=headers)

    return answer


def _has(listed: str, etag: str) -> bool:
    """Whether ``etag`` is among the ones of an If-None-Match header; weak ones count (RFC 9110, 13.1.2)."""
    tags = (tag.strip().removeprefix("W/") for tag in listed.split(","))
    return any(tag in (etag, "*") for tag in tags)

"""The OpenAPI document, put together once for a server and sent as it is."""

import json
from collections.abc import Awaitable, Callable, Collection
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from serve_app.connection import LEAST_TIMEOUT_S, TIMEOUT_HEADER
from serve_app.errors import STATUSES
from serve_app.openapi.operations import Body, Operation, operations
from serve_app.openapi.schemas import ErrorBody, Schema, ref, schemas

OPENAPI = "3.1.0"

_WHEN = {
    400: "The request can never succeed as it stands; `code` and `param` tell why.",
    401: "No valid API key was shown.",
    404: "There is no such path, or no such model.",
    405: "The path takes another method.",
    408: "The body took too long to arrive.",
    413: "The body is too large.",
    415: "The body, or the picture, is in no format that is read.",
    422: "The picture could not be fetched from where the request says it is.",
    429: "Too many requests, or the server is shutting down; try again after the time in Retry-After.",
    431: "The headers are too many or too long.",
    500: "The server or the model failed on this request.",
    503: "The model is not loaded, or a stage is gone; try again after the time in Retry-After.",
    504: "The request's deadline passed.",
}
_REQUEST_ID = {
    "x-request-id": {
        "description": "the request's own, where it is sane, or a new one",
        "schema": {"type": "string"},
    }
}
_CHALLENGE = {"www-authenticate": {"description": "how to show one", "schema": {"type": "string"}}}
_RETRY_AFTER = {
    "retry-after": {"description": "seconds to wait", "schema": {"type": "integer", "minimum": 1}}
}
_SCHEMES = {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}}
_MORE_HEADERS = {401: _CHALLENGE, 429: _RETRY_AFTER, 503: _RETRY_AFTER}


def openapi_endpoint(
    model: Callable[[], str],
    embedding: Callable[[], str],
    max_batch: int,
    version: str,
    open_paths: Collection[str] | None,
) -> Callable[[Request], Awaitable[Response]]:
    """Answers with the document; ``model`` and ``embedding`` tell the names of the served models, "" while
    there is none."""

    @lru_cache(maxsize=4)
    def written(name: str, embedding_name: str) -> bytes:
        told = document(name, max_batch, version, open_paths, embedding=embedding_name)
        return json.dumps(told).encode()

    async def openapi(request: Request) -> Response:
        return Response(written(model(), embedding()), media_type="application/json")

    return openapi


def document(
    model: str,
    max_batch: int,
    version: str,
    open_paths: Collection[str] | None = None,
    *,
    embedding: str = "",
) -> dict[str, Any]:
    """The whole description; examples ask ``model`` and ``embedding``. All but ``open_paths`` need a key; without them nothing does."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations(model, embedding, max_batch):
        locked = open_paths is not None and operation.path not in open_paths
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, locked)
    statuses, schemes = (STATUSES, _SCHEMES) if open_paths is not None else (STATUSES - {401}, {})
    return {
        "openapi": OPENAPI,
        "info": {"title": "arr-coc-serve", "version": version, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "responses": {_name(status): _error(status) for status in sorted(statuses)},
            **schemes,
        },
    }


_TIMEOUT: dict[str, Any] = {
    "name": TIMEOUT_HEADER,
    "in": "header",
    "description": "Seconds that the client waits for the whole answer, where that is less than the server's deadline.",
    "schema": {"type": "number", "minimum": LEAST_TIMEOUT_S},
}


def _operation(operation: Operation, locked: bool) -> dict[str, Any]:
    answer = {"description": "The answer.", "headers": _REQUEST_ID, "content": _content(operation.answers)}
    responses: dict[str, Any] = {"200": answer}
    for status in sorted({*operation.errors, 401} if locked else operation.errors):
        responses[str(status)] = {"$ref": f"#/components/responses/{_name(status)}"}
    if operation.unavailable is not None:
        responses["503"] = _error(503, operation.unavailable)
    described: dict[str, Any] = {"summary": operation.summary, "responses": responses}
    if locked:
        described["security"] = [{"key": []}]
    if operation.description:
        described["description"] = operation.description
    if operation.body:
        described["requestBody"] = {"required": True, "content": _content(operation.body)}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in operation.parameters
    ]
    if operation.body:
        parameters.append(_TIMEOUT)
    if parameters:
        described["parameters"] = parameters
    return described


def _content(bodies: dict[str, Body]) -> dict[str, Any]:
    return {media_type: _body(body) for media_type, body in bodies.items()}


def _body(body: Body) -> dict[str, Any]:
    examples = {name: {"value": value} for name, value in body.examples.items()}
    return {"schema": body.schema, "examples": examples} if examples else {"schema": body.schema}


def _error(status: int, schema: Schema | None = None) -> dict[str, Any]:
    content = {"application/json": {"schema": schema or ref(ErrorBody)}}
    headers = _REQUEST_ID | _MORE_HEADERS.get(status, {})
    return {"description": _WHEN[status], "headers": headers, "content": content}


def _name(status: int) -> str:
    return HTTPStatus(status).phrase.replace(" ", "")

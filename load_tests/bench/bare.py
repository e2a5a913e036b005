"""A bare Ray Serve deployment that takes the same requests and answers the same bytes, without a model.

Ray is started as this server starts it: ``python -m load_tests.bench.bare CONFIG PORT``.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from ray import serve
from ray.serve import Application
from starlette.requests import Request
from starlette.responses import Response

from load_tests.bench.mixes import TOKENS
from serve_app.config import AppConfig
from serve_app.lifecycle import Server

IMPORT_PATH = "load_tests.bench.bare:build"
REPLY: dict[str, Any] = {
    "answer": "a red circle with the number 42, a blue star and a green square below it",
    "total_visual_tokens": 64,
    "avg_tokens_per_patch": 0.0,
    "finish_reason": "length",
    "usage": {"prompt_tokens": 81, "completion_tokens": TOKENS, "total_tokens": 113},
    "route": "direct",
    "overview": {"rows": 8, "cols": 8, "tokens": 64},
    "native_visual_tokens": 64,
    "patches": [],
    "timings_ms": {"texture": 12.345, "queue": 12.345, "prefill": 123.456, "decode": 234.567},
    "model": "demo",
    "request_id": "0" * 32,
    "image": {"width": 256, "height": 256},
}


class Bare:
    """Reads a request to its end and answers."""

    def __init__(self) -> None:
        self._reply = json.dumps(REPLY).encode()

    async def __call__(self, request: Request) -> Response:
        await request.body()
        return Response(self._reply, media_type="application/json")


def build(args: AppConfig) -> Application:
    """In the place of this server's own application."""
    deployment: Any = serve.deployment(
        Bare, max_ongoing_requests=args.ingress_ongoing, ray_actor_options={"num_cpus": 0}
    )
    application: Application = deployment.bind()
    return application


def main() -> int:
    """Serve until a signal."""
    from serve_app.checks import checked_config

    config, port = sys.argv[1:]
    return Server(checked_config(Path(config), {"PORT": port}), time.monotonic(), IMPORT_PATH).run()


if __name__ == "__main__":
    raise SystemExit(main())

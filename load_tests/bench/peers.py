"""Who is compared, how each is started, and what it speaks.

Owns the settings that are the same for all: threads (of peers), the largest batch and the longest wait for one. The
peers' own code lies in `adapters`.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from load_tests.bench.speaking import Form, Json, OpenAI, Speech, Vqa

ROOT = Path(__file__).parents[2]
ADAPTERS = Path(__file__).parent / "adapters"
THREADS = len(os.sched_getaffinity(0))
BATCH = 32  # as many as this server has slots
WINDOW_S = 0.03  # as long as this server waits at most
OURS = "arr-coc"
_SERVED = "bench"  # the model's name where a name is asked for
_FORCED = {"eos_token_id": [-1], "pad_token_id": 0, "do_sample": False}

SPEECHES: dict[str, Speech] = {
    "vqa": Vqa(),
    "form": Form(),
    "fastapi": Form(streams="/stream"),
    "litserve": Json("/predict"),
    "mosec": Json("/inference"),
    "bentoml": Json("/answer", listed="questions"),
    "transformers": OpenAI(None, {"generation_config": json.dumps(_FORCED)}, usage_is_asked_for=False),
    "vllm": OpenAI(_SERVED, {"ignore_eos": True}),
}

Sort = Literal["this", "single", "batching", "continuous", "limit"]


@dataclass(frozen=True, slots=True)
class Start:
    """What a command is made of: the interpreter of the peer's own environment, the model's directory, this
    server's config for it, and the port."""

    python: Path
    model: Path
    config: Path
    port: int


@dataclass(frozen=True, slots=True)
class Peer:
    """``sort``: this server; what answers VLMs one by one; what batches whole calls of ``generate``; another
    engine with continuous batching; or a limit that no server can pass. ``own`` tells that it has an
    environment of its own; one without ``speech`` is no server, but is called by the load generator."""

    name: str
    sort: Sort
    command: Callable[[Start], list[str]]
    speech: str | None
    own: bool = True
    environment: dict[str, str] = field(default_factory=dict)


def _adapter(name: str, *more: str) -> Callable[[Start], list[str]]:
    return lambda start: [str(start.python), str(ADAPTERS / f"{name}.py"), *more]


def _mosec(start: Start) -> list[str]:
    here = [
        "--address",
        "127.0.0.1",
        "--port",
        str(start.port),
        "--timeout",
        "120000",
        "--log-level",
        "warning",
    ]
    return [str(start.python), str(ADAPTERS / "mosec_server.py"), *here]


def _bentoml(start: Start) -> list[str]:
    where = ["--working-dir", str(ADAPTERS), "--host", "127.0.0.1", "--port", str(start.port)]
    return [str(start.python), "-m", "bentoml", "serve", "bentoml_server:Server", *where]


def _transformers(start: Start) -> list[str]:
    settings = ["--device", "cpu", "--dtype", "float32", "--host", "127.0.0.1", "--port", str(start.port)]
    return [str(start.python.with_name("transformers")), "serve", str(start.model), *settings]


def _vllm(start: Start) -> list[str]:
    settings = ["--dtype", "float32", "--max-model-len", "2048", "--enforce-eager"]
    here = ["--served-model-name", _SERVED, "--host", "127.0.0.1", "--port", str(start.port)]
    return [str(start.python.with_name("vllm")), "serve", str(start.model), *settings, *here]


def _ours(start: Start) -> list[str]:
    return [sys.executable, "-m", "serve_app", str(start.config), "--port", str(start.port)]


def _module(name: str, *more: str) -> Callable[[Start], list[str]]:
    return lambda start: [sys.executable, "-m", f"load_tests.bench.{name}", *more]


def _bare(start: Start) -> list[str]:
    return [sys.executable, "-m", "load_tests.bench.bare", str(start.config), str(start.port)]


_QUIET = {"LOGGING_LEVEL": "WARNING", "BENTOML_DO_NOT_TRACK": "True", "DO_NOT_TRACK": "1"}
_VLLM = {
    "VLLM_CPU_KVCACHE_SPACE": "2",
    "VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, sorted(os.sched_getaffinity(0)))),
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
}
_ALL = (
    Peer(OURS, "this", _ours, "vqa", own=False),
    Peer("fastapi_lock", "single", _adapter("fastapi_lock"), "fastapi"),
    Peer("transformers_serve", "single", _transformers, "transformers"),
    Peer("serve_batch", "batching", _adapter("serve_batch"), "form"),
    Peer("litserve", "batching", _adapter("litserve_server"), "litserve"),
    Peer("bentoml", "batching", _bentoml, "bentoml", environment=_QUIET),
    Peer("mosec", "batching", _mosec, "mosec"),
    Peer("vllm", "continuous", _vllm, "vllm", environment=_VLLM),
    Peer("engine", "limit", _module("direct", "whole"), None, own=False),
    Peer("offline", "limit", _module("direct", "prepared"), None, own=False),
    Peer("bare", "limit", _bare, "vqa", own=False),
)
PEERS = {peer.name: peer for peer in _ALL}


def names(*sorts: Sort) -> list[str]:
    """Of all peers of these sorts."""
    return [peer.name for peer in _ALL if peer.sort in sorts]


def shared_environment(model: Path, port: int) -> dict[str, str]:
    """What every peer finds in its environment."""
    threads = {"OMP_NUM_THREADS": str(THREADS)}
    return threads | {
        "BENCH_MODEL": str(model),
        "BENCH_PORT": str(port),
        "BENCH_THREADS": str(THREADS),
        "BENCH_BATCH": str(BATCH),
        "BENCH_WINDOW_S": str(WINDOW_S),
        "HF_HUB_OFFLINE": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
    }

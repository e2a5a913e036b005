"""Starts a peer, waits for its first answer, and ends it with all that it started."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import yaml

from load_tests.bench.environments import python_of
from load_tests.bench.mixes import Request
from load_tests.bench.peers import ADAPTERS, OURS, ROOT, SPEECHES, THREADS, Peer, Start, shared_environment
from serve_app.environment import free_ports

READY_S = 300.0
END_S = 20.0
CONFIG = ROOT / "configs" / "local.yaml"


class NotReady(Exception):
    """A peer ended, refused the question, or gave no answer in time. The message says so."""


@contextmanager
def running(peer: Peer, model: str, cache: Path, question: Request) -> Iterator[str]:
    """The URL of ``peer`` once it has answered ``question``. Raises NotReady."""
    start = started(peer, model, cache)
    log = cache / "logs" / f"{peer.name}-{model}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **shared_environment(start.model, start.port), **peer.environment}
    environment["PYTHONPATH"] = str(ADAPTERS if peer.own else ROOT)
    with log.open("wb") as file:
        process = subprocess.Popen(
            peer.command(start), cwd=cache if peer.own else ROOT, env=environment, start_new_session=True,
            stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{start.port}"
        _await_answer(process, url, peer, question, log)
        yield url
    finally:
        end(process)


def started(peer: Peer, model: str, cache: Path) -> Start:
    """What the peer's command is made of."""
    python = python_of(peer.name, cache) if peer.own else Path()
    directory = cache / "models" / model
    return Start(python, directory, config_for(model, directory, cache), free_ports(1)[0])


def end(process: "subprocess.Popen[bytes]") -> None:
    """Politely, then all that it started."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    with suppress(ProcessLookupError):
        process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(END_S)
    for one in [*family, *_group(process.pid)]:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    with suppress(ProcessLookupError):
        process.kill()
    process.wait()


def _group(leader: int) -> list[psutil.Process]:
    """Whoever is left of the session that a process led."""
    left = []
    for one in psutil.process_iter():
        with suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getsid(one.pid) == leader:
                left.append(one)
    return left


def config_for(model: str, directory: Path, cache: Path) -> Path:
    """This server's config: the one for a laptop, as it is but for the model; a larger one is worth all
    threads."""
    if model == "demo":
        return CONFIG
    content = yaml.safe_load(CONFIG.read_text())
    content["applications"][0]["args"]["model"] |= {"source": str(directory), "threads": THREADS}
    path = cache / f"{OURS}-{model}.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def _await_answer(
    process: "subprocess.Popen[bytes]", url: str, peer: Peer, question: Request, log: Path
) -> None:
    assert peer.speech is not None
    speech = SPEECHES[peer.speech]
    body, kind = speech.body(question, stream=False)
    began = time.monotonic()
    while time.monotonic() - began < READY_S:
        if process.poll() is not None:
            raise NotReady(f"{peer.name} ended with {process.returncode}; see {log}")
        with suppress(httpx.HTTPError):
            reply = httpx.post(url + speech.path, content=body, headers={"content-type": kind}, timeout=60)
            if reply.status_code == 200:
                speech.read(reply.content)
                return
            if reply.status_code in (400, 422):
                raise NotReady(f"{peer.name} refuses what it is asked: {reply.text[:300]}")
        time.sleep(0.2)
    raise NotReady(f"{peer.name} gave no answer within {READY_S:.0f} s; see {log}")

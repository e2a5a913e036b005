"""Several models in a real server: what fits, what is swapped, and what is loaded when it is asked for."""

import json
import re
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from arr_coc.engine.config import EngineConfig
from arr_coc.model.config import ModelConfig
from arr_coc.model.source import DEMO
from arr_coc.sizing import resident_bytes
from tests.system.container.questions import NUMBERS, ask
from tests.system.server import Running, free_port, serving, wait_ready, write_config

pytestmark = pytest.mark.system

CLIENTS = 8
TURNS = 6
ENGINE: dict[str, Any] = {"slots": 8, "max_length": 2048, "shared_mib": 16}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two models, of which one fits. They answer alike, but look at pictures in different ways."""
    directory, port = tmp_path_factory.mktemp("models"), free_port()
    native = directory / "native"
    shutil.copytree(DEMO, native)
    profile = json.loads((native / "arr_coc.json").read_text())
    (native / "arr_coc.json").write_text(json.dumps(profile | {"direct_max_tokens": 1024}))
    one = resident_bytes(DEMO, ModelConfig(device="cpu"), EngineConfig(**ENGINE))
    models = {
        "closer": {"source": "demo", "device": "cpu"},
        "native": {"source": str(native), "device": "cpu"},
    }
    args = {"models": models, "engine": ENGINE, "generation": {"models_gib": 1.5 * one / 2**30}}
    with serving(write_config(directory, args, port), port, "serve_app") as server:
        wait_ready(server)
        yield server


def _metrics(url: str) -> dict[str, float]:
    text = httpx.get(f"{url}/metrics", timeout=30).text
    return {name: float(value) for name, value in re.findall(r"(?m)^(arr_coc_model\w+) (\S+)$", text)}


def test_what_is_served_is_listed_and_the_first_is_the_default_one(running: Running) -> None:
    listed = httpx.get(f"{running.url}/v1/models", timeout=10).json()["data"]
    assert [model["id"] for model in listed] == ["closer", "native"]
    health = httpx.get(f"{running.url}/health", timeout=10).json()
    assert (health["model"], health["models"]) == ("closer", {"closer": "loaded", "native": "absent"})
    reply = ask(running.url, "red cross").json()
    assert (reply["model"], reply["answer"], reply["route"]) == ("closer", NUMBERS["red cross"], "zoom")
    unknown = ask(running.url, "red cross", model="none")
    assert (unknown.status_code, unknown.json()["error"]["param"]) == (404, "model")


def test_eight_clients_that_alternate_are_all_answered_by_the_right_model_and_one_is_in_memory(
    running: Running,
) -> None:
    before, over = _metrics(running.url), threading.Event()
    most = [0.0]

    def watch() -> None:
        while not over.wait(0.2):
            most.append(_metrics(running.url)["arr_coc_models_loaded"])

    def client(number: int) -> list[tuple[str, str, str, str]]:
        told = []
        for turn in range(TURNS):
            name, thing = ("closer", "native")[(number + turn) % 2], sorted(NUMBERS)[turn % 3]
            reply = ask(running.url, thing, model=name)
            assert reply.status_code == 200, reply.text
            body = reply.json()
            told.append((name, NUMBERS[thing], body["model"], body["answer"]))
            assert body["route"] == ("zoom" if name == "closer" else "direct")
        return told

    watching = threading.Thread(target=watch)
    watching.start()
    with ThreadPoolExecutor(CLIENTS) as pool:
        told = [each for answers in pool.map(client, range(CLIENTS)) for each in answers]
    over.set()
    watching.join()
    assert len(told) == CLIENTS * TURNS
    assert all((name, right) == (model, answer) for name, right, model, answer in told)
    after = _metrics(running.url)
    swaps = after["arr_coc_model_swaps_total"] - before["arr_coc_model_swaps_total"]
    loads = after["arr_coc_model_load_seconds_count"] - before["arr_coc_model_load_seconds_count"]
    assert swaps >= 2
    assert swaps == loads
    assert max(most) == 1
    assert running.process.poll() is None
    assert "could not be loaded" not in running.log.read_text()


def test_one_that_is_loaded_when_asked_for_keeps_nobody_from_starting(tmp_path: Path) -> None:
    port = free_port()
    args = {"model": {"source": "demo", "device": "cpu", "when": "first_request"}, "engine": ENGINE}
    with serving(write_config(tmp_path, args, port), port, "serve_app") as server:
        wait_ready(server)
        assert httpx.get(f"{server.url}/health", timeout=10).json()["models"] == {"demo": "absent"}
        with ThreadPoolExecutor(4) as pool:
            replies = [pool.submit(ask, server.url, thing) for thing in NUMBERS]
            said = _until_loading(server.url)
            assert [reply.result().json()["answer"] for reply in replies] == list(NUMBERS.values())
        assert (said["status"], said["models"]) == ("loading", {"demo": "loading"})
        deadline = time.monotonic() + 10  # what is told of a stage is half a second old
        while (health := httpx.get(f"{server.url}/health", timeout=10).json())["status"] != "ok":
            assert time.monotonic() < deadline, health
        assert health["models"] == {"demo": "loaded"}


def _until_loading(url: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        said: dict[str, Any] = httpx.get(f"{url}/health", timeout=10).json()
        if said["status"] == "loading":
            return said
        time.sleep(0.05)
    raise AssertionError("no model is being loaded")

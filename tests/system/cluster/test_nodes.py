"""Several nodes, each with an engine: counted as one, and none lost when one of them is, or is replaced.

The tests share one cluster and run in this order.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from load_tests.cluster import Cluster, started
from tests.serve_app.fakes import PNG
from tests.serve_app.site import events_of
from tests.system.fake import write_model
from tests.system.server import free_port, write_config

pytestmark = pytest.mark.system

SLOTS = 8
WAIT_S = 120.0  # a shared machine may be slow


@dataclass
class Nodes:
    """A cluster that serves on two nodes, and the numbers of these."""

    cluster: Cluster
    args: dict[str, Any]
    numbers: list[int]

    @property
    def url(self) -> str:
        return self.cluster.url

    def ask(self, query: str, route: str = "vqa") -> httpx.Response:
        return httpx.post(f"{self.url}/{route}", data={"query": query}, files={"image": PNG}, timeout=WAIT_S)

    def health(self) -> dict[str, Any]:
        """What /health says; nothing while it cannot."""
        with suppress(httpx.TransportError):
            reply = httpx.get(f"{self.url}/health", timeout=10)
            if reply.status_code == 200:
                return dict(reply.json())
        return {}

    def metrics(self) -> str:
        """What /metrics says."""
        return httpx.get(f"{self.url}/metrics", timeout=30).text

    def until(self, condition: Callable[[dict[str, Any]], bool]) -> None:
        """Waits until ``condition`` is true of /health."""
        ends = time.monotonic() + WAIT_S
        while time.monotonic() < ends:
            if condition(self.health()):
                return
            time.sleep(0.1)
        raise AssertionError(f"it never came to that: {self.health()}\n{self.cluster.log.read_text()}")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    directory, port = tmp_path_factory.mktemp("cluster"), free_port()
    args = {
        "model": {"source": str(write_model(directory))},
        "engine": {"slots": SLOTS, "max_queue": SLOTS},
        "texture": {"node_labels": {"stage": "texture"}},
        "generation": {"replicas": 2, "num_cpus": 1, "node_labels": {"stage": "generation"}},
    }
    with started(write_config(directory, args, port), "tests.system.fake:build") as cluster:
        numbers = [cluster.add_node(1, stage="generation") for _ in range(2)]
        found = Nodes(cluster, args, numbers)
        found.until(lambda health: health.get("slots") == 2 * SLOTS)
        yield found


def sample(text: str, name: str) -> float:
    """The sum of a metric's samples in a scrape."""
    lines = [line for line in text.splitlines() if line.partition("{")[0].partition(" ")[0] == name]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def test_what_all_nodes_count_is_told_as_one(nodes: Nodes) -> None:
    with ThreadPoolExecutor(12) as pool:
        replies = list(pool.map(nodes.ask, ["slow 10"] * 12))
    assert {reply.status_code for reply in replies} == {200}
    text = nodes.metrics()
    assert sample(text, "arr_coc_slots") == 2 * SLOTS  # so both have answered
    assert sample(text, "arr_coc_request_success_total") == 12
    assert sample(text, "arr_coc_texture_time_seconds_count") == 12


def test_the_door_lets_in_what_all_engines_take(nodes: Nodes) -> None:
    capacity = 2 * 2 * SLOTS
    with ThreadPoolExecutor(capacity + 4) as pool:
        replies = list(pool.map(nodes.ask, ["slow 60"] * (capacity + 4)))
    refused = [reply for reply in replies if reply.status_code == 429]
    assert len(refused) == 4
    assert all(int(reply.headers["retry-after"]) >= 1 for reply in refused)
    assert {reply.status_code for reply in replies} == {200, 429}


def test_a_lost_node_loses_nothing_that_had_not_begun_and_nothing_silently(nodes: Nodes) -> None:
    asked = [("slow 100", "vqa", 6), ("late 100", "stream_generate", 6), ("slow 100", "stream_generate", 12)]
    with ThreadPoolExecutor(24) as pool:
        whole, late, begun = (
            [pool.submit(nodes.ask, query, route) for _ in range(count)] for query, route, count in asked
        )
        nodes.until(lambda health: health.get("running", 0) + health.get("waiting", 0) == 24)
        answered = sample(nodes.metrics(), "arr_coc_request_success_total")
        nodes.cluster.kill_node(nodes.numbers.pop())
        assert [reply.result().status_code for reply in whole] == [200] * 6
        assert [_ending(reply) for reply in late] == ["[DONE]"] * 6
        endings = [_ending(reply) for reply in begun]
    assert set(endings) == {"[DONE]", "stage_unavailable"}  # some were on either node
    assert "asking another" in nodes.cluster.log.read_text()
    ended = 12 + endings.count("[DONE]")
    assert sample(nodes.metrics(), "arr_coc_request_success_total") >= answered + ended
    assert nodes.ask("and now?").status_code == 200
    nodes.numbers.append(nodes.cluster.add_node(1, stage="generation"))
    nodes.until(lambda health: health.get("slots") == 2 * SLOTS)


def _ending(reply: "Future[httpx.Response]") -> str:
    """How a stream ended: with ``[DONE]`` or the code of its error."""
    events = events_of(reply.result().text)
    names = [name for name, _ in events]
    assert names.count("error") + [data for _, data in events].count("[DONE]") == 1
    name, data = events[-1]
    return str(data["error"]["code"]) if name == "error" else str(data)


@contextmanager
def asking(nodes: Nodes, clients: int) -> Iterator[list[httpx.Response | Exception]]:
    """So many clients ask one question after another; gives their replies, or what came instead."""
    replies: list[httpx.Response | Exception] = []
    enough = threading.Event()

    def ask_on() -> None:
        while not enough.is_set():
            try:
                replies.append(nodes.ask("slow 10"))
            except httpx.HTTPError as error:
                replies.append(error)

    threads = [threading.Thread(target=ask_on) for _ in range(clients)]
    for each in threads:
        each.start()
    try:
        yield replies
    finally:
        enough.set()
        for each in threads:
            each.join()


def test_a_change_of_the_config_loses_no_request(nodes: Nodes) -> None:
    changed = {**nodes.args, "engine": {"slots": SLOTS - 2, "max_queue": SLOTS}}
    with asking(nodes, clients=6) as replies:
        nodes.cluster.deploy(changed)
        nodes.until(lambda health: health.get("slots") == 2 * (SLOTS - 2))
        after = len(replies)
        while len(replies) < after + 24:
            time.sleep(0.1)
    lost = [reply for reply in replies if not isinstance(reply, httpx.Response) or reply.status_code != 200]
    told = [reply.text if isinstance(reply, httpx.Response) else repr(reply) for reply in lost]
    assert told == []


def test_tokens_that_wait_bring_another_engine_and_without_them_it_goes(nodes: Nodes) -> None:
    scaling = {
        "min_replicas": 1, "max_replicas": 2, "backlog_tokens_each": 1500,
        "upscale_delay_s": 0, "downscale_delay_s": 0, "look_back_s": 11,
    }  # fmt: skip
    generation = {**nodes.args["generation"], "replicas": 1}
    nodes.cluster.deploy({**nodes.args, "engine": {"slots": 4, "max_queue": 60}, "generation": generation})
    nodes.until(lambda health: health.get("slots") == 4)  # the autoscaler begins with what there is: one
    generation["autoscaling"] = scaling
    nodes.cluster.deploy({**nodes.args, "engine": {"slots": 3, "max_queue": 60}, "generation": generation})
    nodes.until(lambda health: health.get("slots") == 3)
    with asking(nodes, clients=12):
        nodes.until(lambda health: health.get("slots") == 6)
    nodes.until(lambda health: health.get("slots") == 3)

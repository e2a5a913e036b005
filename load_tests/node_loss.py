"""What a node that is lost under load costs: who is answered, who is told otherwise, and for how long.

    python -m load_tests.node_loss [--clients 16]

A cluster of a head and two nodes with an engine each runs on this machine, see ``load_tests.cluster``, and
serves the demo model. Half of the clients ask for whole answers, half for streams, one after another. All
processes of one node are killed, and a new one is added, as a machine pool would. Printed are the outcomes
of everything that was asked, with those that ended without a word as ``lost``, and the seconds after the
kill until the last failure and until both engines are there again.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from load_tests.closed_loop import pictures
from load_tests.cluster import started
from load_tests.scaling_out import SLOTS, await_engines, settings
from serve_app.environment import free_ports

BEFORE_S = 5.0
AFTER_S = 5.0
FORM = {"query": "describe the picture.", "max_tokens": "64", "ignore_eos": "true"}


@dataclass
class Clients:
    """Threads that ask until they are told to stop, and what became of each question."""

    url: str
    images: list[bytes]
    ended: list[tuple[float, str]] = field(default_factory=list)
    enough: threading.Event = field(default_factory=threading.Event)

    def run(self, number: int) -> None:
        """Ask one question after another; even clients for streams."""
        ask = self._stream if number % 2 == 0 else self._whole
        with httpx.Client(base_url=self.url, timeout=60) as client:
            while not self.enough.is_set():
                try:
                    outcome = ask(client, self.images[number % len(self.images)])
                except httpx.HTTPError as error:
                    outcome = f"lost ({type(error).__name__})"
                self.ended.append((time.monotonic(), outcome))

    def _whole(self, client: httpx.Client, image: bytes) -> str:
        reply = client.post("/vqa", data=FORM, files={"image": image})
        return "whole" if reply.status_code == 200 else f"whole, {reply.status_code} {_code(reply)}"

    def _stream(self, client: httpx.Client, image: bytes) -> str:
        reply = client.post("/stream_generate", data=FORM, files={"image": image})
        if reply.status_code != 200:
            return f"stream, {reply.status_code} {_code(reply)}"
        if "[DONE]" in reply.text:
            return "stream"
        return "stream, error event" if "event: error" in reply.text else "lost (stream without an end)"


def _code(reply: httpx.Response) -> str:
    return str(reply.json()["error"]["code"])


def measured(directory: Path, clients: int) -> None:
    """Start, kill, add, and print."""
    (port,) = free_ports(1)
    args: dict[str, Any] = settings(Path("demo"), "demo", 2)
    http = {"host": "127.0.0.1", "port": port}
    application = {"name": "arr-coc", "import_path": "serve_app.app:build", "args": args}
    config = directory / "config.yaml"
    config.write_text(yaml.safe_dump({"http_options": http, "applications": [application]}))
    with started(config, "serve_app.app:build") as cluster:
        _, lost = (cluster.add_node(1, stage="generation") for _ in range(2))
        await_engines(cluster, "demo", 2)
        load = Clients(cluster.url, pictures(clients))
        threads = [threading.Thread(target=load.run, args=(number,)) for number in range(clients)]
        for each in threads:
            each.start()
        time.sleep(BEFORE_S)
        killed = time.monotonic()
        cluster.kill_node(lost)
        cluster.add_node(1, stage="generation")
        _await_one_more(cluster.url)
        whole_again = time.monotonic() - killed
        time.sleep(AFTER_S)
        load.enough.set()
        for each in threads:
            each.join()
    for outcome, count in sorted(Counter(outcome for _, outcome in load.ended).items()):
        sys.stdout.write(f"{count:6d} {outcome}\n")
    failed = [moment - killed for moment, outcome in load.ended if outcome not in ("whole", "stream")]
    sys.stdout.write(f"last failure {max(failed, default=0):.1f} s after the kill; ")
    sys.stdout.write(f"both engines there again after {whole_again:.1f} s\n")


def _await_one_more(url: str) -> None:
    """Until one engine fewer, and then as many again as before, is told."""
    for slots in (SLOTS, 2 * SLOTS):
        while httpx.get(f"{url}/health", timeout=10).json().get("slots") != slots:
            time.sleep(0.05)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.node_loss", description=__doc__)
    parser.add_argument("--clients", type=int, default=16)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        measured(Path(directory), args.clients)


if __name__ == "__main__":
    main()

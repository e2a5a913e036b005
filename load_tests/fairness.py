"""What one key's flood does to another key: the other's p95 under it over its p95 alone, and its refusals.

    python -m load_tests.fairness [--clients 16 4 1] [--rounds 3] [--answers 25]

Starts ``configs/local.yaml`` with two keys. The share of each is half of the slots. One floods with ten
times that many clients, which ask again at once, or after a second where they are refused. The other has
``--clients`` that ask again when they are answered. Every answer is 32 forced tokens about a picture of
256 px. Clients and server share the machine.
"""

import argparse
import asyncio
import os
import secrets
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

import httpx

from arr_coc.engine.config import EngineConfig
from load_tests.closed_loop import QUERY, TOKENS, pictures
from load_tests.cold_start import started
from serve_app.access.keys import VARIABLE
from serve_app.config_file import read_config
from serve_app.environment import free_ports

CONFIG = Path("configs/local.yaml")
TIMES_ITS_SHARE = 10
HEAD_START_S = 2.0  # of the flood
PAUSE_S = 1.0  # of a refused client: the shortest that a refusal asks for
FORM = {"query": QUERY, "max_tokens": str(TOKENS), "ignore_eos": "true"}


@dataclass
class Key:
    """Who asks with it, and what came of that."""

    url: str
    key: str
    seconds: list[float] = field(default_factory=list)  # of answers
    statuses: Counter[int] = field(default_factory=Counter)

    async def ask(self, clients: int, images: Iterable[bytes]) -> None:
        """Ask about all ``images``, each client again as soon as it is answered; a refused one goes on.

        Each has a connection of its own: a pool of them would take more of the cores than the server does.
        """
        left = iter(images)
        async with AsyncExitStack() as stack:
            connected = [await stack.enter_async_context(self._connected()) for _ in range(clients)]
            async with asyncio.TaskGroup() as group:
                for client in connected:
                    group.create_task(self._go_on(client, left))

    async def _go_on(self, client: httpx.AsyncClient, left: Iterator[bytes]) -> None:
        for image in left:
            began = time.perf_counter()
            response = await client.post("/vqa", data=FORM, files={"image": image})
            self.statuses[response.status_code] += 1
            if response.status_code == 200:
                self.seconds.append(time.perf_counter() - began)
            else:
                await asyncio.sleep(PAUSE_S)

    def _connected(self) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {self.key}"}
        return httpx.AsyncClient(base_url=self.url, timeout=120, headers=headers, verify=False)

    @property
    def p95(self) -> float:
        """In seconds."""
        return statistics.quantiles(self.seconds, n=20)[-1]

    @property
    def median(self) -> float:
        """In seconds."""
        return statistics.median(self.seconds)


async def compare(url: str, keys: dict[str, str], clients: int, flooding: int, answers: int) -> float:
    """The other's p95 under the flood over its p95 alone; tells what else there was to see."""
    alone, under, rest = (Key(url, keys[label]) for label in ("other", "other", "flood"))
    images = list(islice(cycle(pictures(64)), clients * answers))  # the first wave is a small part of them
    await alone.ask(clients, images)
    flooded = asyncio.create_task(rest.ask(flooding, cycle(images)))
    await asyncio.sleep(HEAD_START_S)
    await under.ask(clients, images)
    assert not flooded.done(), flooded
    flooded.cancel()
    await asyncio.wait([flooded])
    await asyncio.sleep(1.0)  # what was cancelled leaves
    ratio = under.p95 / alone.p95
    sys.stdout.write(
        f"{clients} clients: p95 {alone.p95:.2f} s alone, {under.p95:.2f} s under the flood: {ratio:.2f}; "
        f"median {alone.median:.2f} s, {under.median:.2f} s: {under.median / alone.median:.2f}; "
        f"by status {dict(under.statuses)}, of the flood {dict(rest.statuses)}\n"
    )
    sys.stdout.flush()
    return ratio


async def measure(url: str, keys: dict[str, str], counts: list[int], rounds: int, answers: int) -> None:
    """All rounds, alternating, against a server that is ready."""
    engine: EngineConfig = read_config(CONFIG).app.engine
    flooding = TIMES_ITS_SHARE * engine.slots // len(keys)
    ratios: dict[int, list[float]] = {count: [] for count in counts}
    for _ in range(rounds):
        for count in counts:
            ratios[count].append(await compare(url, keys, count, flooding, answers))
    for count, found in ratios.items():
        sys.stdout.write(f"{count} clients against {flooding}: median ratio {statistics.median(found):.2f}\n")


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.fairness", description=__doc__)
    parser.add_argument("--clients", type=int, nargs="+", default=[16, 4, 1])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--answers", type=int, default=25, help="for each of the other's clients")
    args = parser.parse_args()
    keys = {label: secrets.token_urlsafe(24) for label in ("flood", "other")}
    (port,) = free_ports(1)
    os.environ[VARIABLE] = ", ".join(f"{label} {key}" for label, key in keys.items())
    command = [sys.executable, "-m", "serve_app", str(CONFIG)]
    with started(command, port, lambda url: httpx.get(f"{url}/health", timeout=5).status_code == 200) as (
        url,
        _,
    ):
        asyncio.run(measure(url, keys, args.clients, args.rounds, args.answers))


if __name__ == "__main__":
    main()

"""What a second engine on a second node is worth: answers a second of two over those of one.

    python -m load_tests.scaling_out [--rounds 3]

A cluster of a head and two nodes of one core each runs on this machine, see ``load_tests.cluster``. The
model has about 60 million random weights and one thread, so that it is the load: an answer takes it a third
of a second, everything else some hundredths. Each round serves the same questions with one engine, then
with two, each full. Needs two cores that nothing else uses.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import yaml

from load_tests.closed_loop import over_http, pictures, rate
from load_tests.cluster import Cluster, started
from load_tests.random_model import write_random_model
from serve_app.environment import free_ports

LAYERS, HIDDEN_SIZE = 9, 768
SLOTS = 16
ANSWERS_EACH = 5  # of each client of the smaller deployment, in a round
READY_S = 180.0


def settings(model: Path, name: str, engines: int) -> dict[str, Any]:
    """The application with so many engines of one thread, under a name by which it is known when it is up."""
    return {
        "model": {"source": str(model), "name": name, "threads": 1},
        "engine": {"slots": SLOTS, "max_length": 1024, "max_queue": 4 * SLOTS},
        "texture": {"threads": 1, "node_labels": {"stage": "texture"}},
        "generation": {"replicas": engines, "num_cpus": 1, "node_labels": {"stage": "generation"}},
    }


def await_engines(cluster: Cluster, name: str, engines: int) -> None:
    """Until ``name`` is served by so many engines. Raises TimeoutError."""
    ends = time.monotonic() + READY_S
    while time.monotonic() < ends:
        with suppress(httpx.TransportError, KeyError):
            told = httpx.get(f"{cluster.url}/health", timeout=5).json()
            if (told["model"], told["slots"]) == (name, engines * SLOTS):
                return
        time.sleep(0.2)
    raise TimeoutError(f"{name} was not ready within {READY_S:.0f} s, see {cluster.log}")


def measured(cluster: Cluster, ask: Callable[[bytes], None], name: str, engines: int, model: Path) -> float:
    """Answers a second with all slots of so many engines taken."""
    cluster.deploy(settings(model, name, engines))
    await_engines(cluster, name, engines)
    clients = engines * SLOTS
    work = pictures(clients * (1 + ANSWERS_EACH))
    rate(ask, work[:clients], clients)  # warm
    return rate(ask, work[clients:], clients)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.scaling_out", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        model = directory / "model"
        parameters = write_random_model(model, layers=LAYERS, hidden_size=HIDDEN_SIZE)
        sys.stdout.write(f"{parameters / 1e6:.1f} million parameters\n")
        (port,) = free_ports(1)
        application = {
            "name": "arr-coc", "import_path": "serve_app.app:build", "args": settings(model, "start", 1),
        }  # fmt: skip
        config = directory / "config.yaml"
        http = {"host": "127.0.0.1", "port": port}
        config.write_text(yaml.safe_dump({"http_options": http, "applications": [application]}))
        with started(config, "serve_app.app:build") as cluster:
            for _ in range(2):
                cluster.add_node(1, stage="generation")
            with httpx.Client(
                base_url=cluster.url, timeout=120, limits=httpx.Limits(max_connections=None)
            ) as client:
                ask, ratios = over_http(client), []
                for number in range(args.rounds):
                    one = measured(cluster, ask, f"one-{number}", 1, model)
                    two = measured(cluster, ask, f"two-{number}", 2, model)
                    ratios.append(two / one)
                    sys.stdout.write(f"one engine {one:.2f}/s, two engines {two:.2f}/s: {two / one:.2f}\n")
                    sys.stdout.flush()
    sys.stdout.write(f"median ratio {statistics.median(ratios):.2f}\n")


if __name__ == "__main__":
    main()

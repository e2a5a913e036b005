"""The port before anything else is there: who asks what, when, and who takes it over."""

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from arr_coc.errors import ConfigError
from serve_app.config_file import HttpOptions
from serve_app.early import SOCKET, EarlyPort, response
from serve_app.environment import free_ports


@pytest.fixture
def port() -> int:
    return free_ports(1)[0]


@pytest.fixture
def early(port: int) -> Iterator[EarlyPort]:
    each = EarlyPort(HttpOptions(host="127.0.0.1", port=port))
    yield each
    each.hand_over()


def _get(port: int, path: str = "/health", method: str = "GET", body: bytes | None = None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body)
    reply = connection.getresponse()
    return reply, json.loads(reply.read())


def test_health_tells_the_phase_and_everything_else_to_come_back(early: EarlyPort, port: int) -> None:
    early.tell(lambda: "ray")
    reply, body = _get(port, "/health?x=1")
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert body == {"status": "unavailable", "reason": "starting", "phase": "ray", "loading": None}
    for path in ("/vqa", "/live", "/"):
        reply, body = _get(port, path)
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert body["error"]["code"] == "not_ready"


def test_a_body_that_nobody_reads_does_not_cost_its_sender_the_answer(early: EarlyPort, port: int) -> None:
    reply, body = _get(port, "/vqa", "POST", b"x" * 3_000_000)
    assert (reply.status, body["error"]["code"]) == (503, "not_ready")


def test_what_is_no_http_is_answered_too(early: EarlyPort, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"\xff\xfe\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 503")


def test_it_answers_on_a_socket_file_after_the_port_is_handed_over(
    early: EarlyPort, port: int, tmp_path: Path
) -> None:
    early.answer_at(tmp_path)
    successor = socket.socket()
    successor.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    successor.bind(("127.0.0.1", port))
    successor.listen()
    early.hand_over()
    accepted = threading.Event()

    def accept() -> None:
        for _ in range(20):
            successor.accept()[0].close()
        accepted.set()

    threading.Thread(target=accept, daemon=True).start()
    tries = 0
    while not accepted.is_set():  # a few of the first may still have come to the other
        tries += 1
        assert tries < 200
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.settimeout(0.2)
            with contextlib.suppress(OSError):
                client.recv(1)
    successor.close()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / SOCKET))
        client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 503")


def test_a_port_that_somebody_listens_on_is_not_shared(early: EarlyPort, port: int) -> None:
    """Though this one would let itself be shared."""
    with pytest.raises(ConfigError, match="cannot listen on"):
        EarlyPort(HttpOptions(host="127.0.0.1", port=port))


def test_once_the_start_is_over_it_tells_that_a_process_has_ended() -> None:
    assert b'"stage_unavailable"' in response("/vqa", None)
    assert b"has ended" in response("/health", None)

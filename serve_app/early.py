"""The public port from the process's first moments on: every request is told that the server is starting.

``/health`` also tells the phase; everything else gets the error that any client of a starting server gets. The
port is HAProxy's as soon as that listens too; it then asks here, on a socket file, whenever no ingress is
there. One thread, nothing of Ray's: it answers while other threads import and wait.
"""

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from serve_app import edge
from serve_app.checks import cannot_listen, family_of, require_free
from serve_app.config_file import HttpOptions

SOCKET = "early.sock"
_HEAD_BYTES = 16 * 2**10
_HEAD_S = 2.0  # for a request's headers; who is slower gets the answer without
_LINGER_S = 1.0  # for a client to send what it wants to say before it reads
_MOST = 256  # connections at once; beyond, they are closed at once


class EarlyPort:
    """Listens from its making on, and answers once it is started."""

    def __init__(self, http: HttpOptions) -> None:
        """Raises ConfigError where somebody else listens already, or nobody may."""
        self._public = _listening(http)
        self._loop = asyncio.new_event_loop()
        self._open = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None
        self._phase: Callable[[], str | None] = lambda: "config"
        threading.Thread(target=self._run, name="early", daemon=True).start()

    def tell(self, phase: Callable[[], str | None]) -> None:
        """From now on ``phase`` is asked what is being done; None where the start is over."""
        self._phase = phase

    def answer_at(self, directory: Path) -> None:
        """Answer on a socket file in ``directory``, too."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(directory / SOCKET))
        listener.listen(128)
        listener.setblocking(False)
        self._loop.call_soon_threadsafe(self._accept_from, listener)

    def hand_over(self) -> None:
        """Leave the public port to whoever listens there by now; who has connected here is still answered."""
        self._loop.call_soon_threadsafe(self._leave)

    def _run(self) -> None:
        self._loop.call_soon(self._begin)
        self._loop.run_forever()

    def _begin(self) -> None:
        self._accepting = self._accept_from(self._public)

    def _leave(self) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
        with suppress(OSError):  # until nobody is left in the queue
            while True:
                self._take(self._public.accept()[0])
        self._public.close()

    def _accept_from(self, listener: socket.socket) -> asyncio.Task[None]:
        task = self._loop.create_task(self._accept(listener))
        self._keep(task)
        return task

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = await self._loop.sock_accept(listener)
            except OSError:  # one that has gone again, or no descriptor left
                await asyncio.sleep(0.05)
            else:
                self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        if self._open >= _MOST:
            connection.close()
            return
        self._open += 1
        connection.setblocking(False)
        self._keep(self._loop.create_task(self._answer(connection)))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, connection: socket.socket) -> None:
        try:
            with connection, suppress(OSError, TimeoutError):
                path = await self._path(connection)
                async with asyncio.timeout(_LINGER_S):
                    await self._loop.sock_sendall(connection, response(path, self._phase()))
                    connection.shutdown(socket.SHUT_WR)
                    while await self._loop.sock_recv(connection, 2**16):  # closing at once could reset it
                        pass
        finally:
            self._open -= 1

    async def _path(self, connection: socket.socket) -> str:
        """What is asked for, once all headers are here; "" where they are not."""
        head = bytearray()
        with suppress(TimeoutError):
            async with asyncio.timeout(_HEAD_S):
                while b"\r\n\r\n" not in head and len(head) < _HEAD_BYTES:
                    data = await self._loop.sock_recv(connection, 4096)
                    if not data:
                        break
                    head += data
        words = bytes(head).partition(b"\r\n")[0].split(b" ")
        return words[1].partition(b"?")[0].decode("latin-1") if len(words) == 3 else ""


def response(path: str, phase: str | None) -> bytes:
    """The whole HTTP response while there is nobody else to answer."""
    if path == "/health":
        reason = "starting" if phase else "the process that takes requests has ended; another is started"
        body = {"status": "unavailable", "reason": reason, "phase": phase, "loading": None}
        return edge.response("503 Service Unavailable", json.dumps(body))
    return edge.error(503 if phase else 502)


def _listening(http: HttpOptions) -> socket.socket:
    """On the public port, so that HAProxy can listen there beside it. The port must be free before: sockets
    that share it would share its connections, too."""
    require_free(http)
    try:
        public = socket.socket(family_of(http.host))
        public.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        public.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        public.bind((http.host, http.port))
        public.listen(128)
    except OSError as error:
        raise cannot_listen(http, error) from error
    public.setblocking(False)
    return public

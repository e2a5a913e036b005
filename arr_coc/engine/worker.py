"""A thread that alone owns its state: others hand it commands, and nothing of it needs a lock.

What it does in a step, and what becomes of those who wait when it ends, is the subclass's.
"""

import logging
import os
import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from arr_coc.engine.isolation import STICKY

log = logging.getLogger(__name__)
Command = Callable[[], None]
FOR_EVER_S = 3600.0


class Worker(ABC):
    """Makes steps until it is closed. Whatever begins with ``_`` belongs to its thread, ``_command`` aside."""

    def __init__(self, name: str) -> None:
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._closed = self._ended = False
        self._step_started: float | None = None
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)

    # What other threads may call

    def start(self) -> None:
        """Begin to make steps."""
        self._thread.start()

    def close(self) -> None:
        """Fail whatever is left with EngineClosed and end the thread."""
        self._command(self._close)
        if self._thread.is_alive():
            self._thread.join()
        self._ended = True
        self._refuse()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def step_age_s(self) -> float:
        """Seconds the current step has been running; 0 while idle."""
        started = self._step_started
        return 0.0 if started is None else time.monotonic() - started

    def _command(self, command: Command) -> None:
        """Have ``command`` run between two steps; what comes after the last one is refused at once."""
        self._commands.put(command)
        if self._ended:
            self._refuse()

    # What a subclass does, in the thread

    @abstractmethod
    def step(self) -> None:
        """Take commands, plan, run, hand out."""

    @abstractmethod
    def _fail_all(self) -> None:
        """A step went wrong in itself: nobody must wait for ever."""

    @abstractmethod
    def _close(self) -> None:
        """Set ``_closed``, and end all who wait."""

    @abstractmethod
    def _hand_out(self) -> None:
        """Tell everybody what has become of them."""

    # The thread

    def _loop(self) -> None:
        while not self._closed:
            try:
                self.step()
            except STICKY:
                log.critical("the accelerator failed for good; ending the process", exc_info=True)
                os._exit(70)
            except Exception:  # nothing that it holds can be trusted
                log.exception("a step of %s failed", self._thread.name)
                self._fail_all()
                self._hand_out()
        self._ended = True
        self._refuse()

    def _begin(self) -> float:
        """What a step begins with: commands are taken. The time, which its age counts from."""
        self._take_commands(wait=None)
        self._step_started = now = time.monotonic()
        return now

    def _idle(self, seconds: float | None) -> None:
        """Nothing to do for ``seconds``, or until there is a command where None."""
        self._step_started = None
        self._hand_out()
        if not self._closed:
            self._take_commands(wait=seconds or FOR_EVER_S)

    def _take_commands(self, wait: float | None) -> None:
        try:
            command = self._commands.get(timeout=wait) if wait else self._commands.get_nowait()
            while True:
                command()
                command = self._commands.get_nowait()
        except queue.Empty:
            return

    def _refuse(self) -> None:
        """Answer what came too late, in the thread's place."""
        self._take_commands(wait=None)
        self._hand_out()

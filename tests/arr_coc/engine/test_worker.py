"""A worker's thread: commands in their order, faults told, and nobody forgotten after its end."""

import threading

import pytest

from arr_coc.engine.worker import Worker


class Counting(Worker):
    """Does what it is told, and fails where that is to fail."""

    def __init__(self) -> None:
        super().__init__("counting")
        self.done: list[int] = []
        self.handed_out: list[int] = []
        self.faulted = threading.Event()
        self.threads: set[str] = set()
        self._broken = False

    def ask(self, number: int) -> None:
        self._command(lambda: self._accept(number))

    def break_next(self) -> None:
        self._command(lambda: setattr(self, "_broken", True))

    def step(self) -> None:
        self._begin()
        if self._broken:
            self._broken = False
            raise ValueError("a fault of the step")
        self._idle(None)

    def _accept(self, number: int) -> None:
        self.threads.add(threading.current_thread().name)
        self.done.append(-number if self._closed else number)

    def _fail_all(self) -> None:
        self.faulted.set()

    def _close(self) -> None:
        self._closed = True

    def _hand_out(self) -> None:
        self.handed_out = self.done.copy()


@pytest.fixture
def worker() -> Counting:
    worker = Counting()
    worker.start()
    return worker


def test_commands_run_in_their_order_in_one_thread(worker: Counting) -> None:
    for number in range(1, 100):
        worker.ask(number)
    worker.close()
    assert worker.handed_out == list(range(1, 100))
    assert worker.threads == {"counting"}
    assert not worker.alive


def test_a_step_that_fails_is_told_and_the_next_one_runs(worker: Counting) -> None:
    worker.break_next()
    assert worker.faulted.wait(10)
    worker.ask(1)
    worker.close()
    assert worker.handed_out == [1]


def test_what_comes_after_the_end_is_refused_at_once(worker: Counting) -> None:
    worker.close()
    worker.ask(7)
    assert worker.handed_out == [-7]


def test_one_that_never_began_can_be_closed() -> None:
    worker = Counting()
    worker.ask(3)
    worker.close()
    assert worker.handed_out == [3]

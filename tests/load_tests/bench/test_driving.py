import asyncio
from collections.abc import Sequence

import pytest

from load_tests.bench.driving import WARM_UP_CLIENTS, Driver, Reply
from load_tests.bench.loads import Load
from load_tests.bench.mixes import Request
from load_tests.bench.outcome import LOST


class Numbered:
    """Requests whose picture is their number."""

    def __getitem__(self, index: int) -> Request:
        return Request(str(index).encode(), "what?", f"answer {index}", max_tokens=4, forced=True)


class Server:
    """Answers what it is told to, and knows how many asked at once."""

    def __init__(self, *, tokens: int = 4, status: int = 200, seconds: float = 0.001) -> None:
        self.asked: list[int] = []
        self.most = self.running = 0
        self.reply = (status, tokens)
        self.seconds = seconds

    async def ask(self, request: Request) -> Reply:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.running -= 1
        number = int(request.picture)
        self.asked.append(number)
        return Reply(self.reply[0], f"answer {number - number % 2}", self.reply[1])


def driver(server: Server, first: int = 0) -> Driver:
    return Driver(server.ask, Numbered(), first, lambda answer, expected: answer == expected)  # type: ignore[arg-type]


async def test_clients_ask_again_when_they_are_answered_and_never_more_at_once() -> None:
    server = Server()
    cell = await driver(server, first=7).run(Load.parse("closed-3"), 0.05, (), 0.0)
    assert server.most == 3
    assert sorted(server.asked) == list(range(7, 7 + len(cell.outcomes)))
    assert len(cell.outcomes) > 3


async def test_each_arrival_is_asked_once_at_its_time() -> None:
    server, times = Server(), [0.0, 0.01, 0.03]
    cell = await driver(server).run(Load.parse("abs-30"), 0.04, times, 30.0)
    assert sorted(server.asked) == [0, 1, 2]
    assert all(outcome.sent_s >= time for outcome, time in zip(sent(cell.outcomes), times, strict=True))


async def test_a_batch_is_asked_all_at_once() -> None:
    server = Server()
    cell = await driver(server).run(Load.parse("batch-20"), 1.0, (), 0.0)
    assert server.most == len(cell.outcomes) == 20


async def test_answers_are_graded_by_their_own_question() -> None:
    cell = await driver(Server()).run(Load.parse("batch-10"), 1.0, (), 0.0)
    assert sum(outcome.right for outcome in cell.outcomes) == 5


async def test_a_forced_answer_of_another_length_is_none() -> None:
    cell = await driver(Server(tokens=3)).run(Load.parse("batch-2"), 1.0, (), 0.0)
    assert cell.statuses == {LOST: 2}
    assert not any(outcome.right for outcome in cell.outcomes)


async def test_a_refusal_is_told_as_it_is() -> None:
    cell = await driver(Server(status=429, tokens=0)).run(Load.parse("batch-2"), 1.0, (), 0.0)
    assert cell.statuses == {429: 2}


async def test_what_is_not_answered_in_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("load_tests.bench.driving.OPEN_DRAIN_S", 0.02)
    server = Server(seconds=60.0)
    cell = await driver(server).run(Load.parse("own-3"), 0.01, [0.0, 0.001], 200.0)
    assert cell.statuses == {LOST: 2}
    assert server.running == 0


async def test_warming_up_counts_for_nothing_and_asks_other_questions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("load_tests.bench.driving.WARM_UP_S", 0.01)
    server = Server()
    driven = driver(server)
    await driven.warm_up()
    assert max(server.asked) == -1
    assert server.most == WARM_UP_CLIENTS
    cell = await driven.run(Load.parse("batch-4"), 1.0, (), 0.0)
    assert len(cell.outcomes) == 4
    assert sorted(server.asked[-4:]) == [0, 1, 2, 3]


async def test_what_breaks_in_the_load_generator_is_not_the_servers_fault() -> None:
    async def ask(request: Request) -> Reply:
        raise RuntimeError("a mistake of ours")

    broken = Driver(ask, Numbered(), 0, lambda answer, expected: True)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError):
        await broken.run(Load.parse("batch-1"), 1.0, (), 0.0)


def sent(outcomes: Sequence[object]) -> list:
    return sorted(outcomes, key=lambda outcome: outcome.sent_s)  # type: ignore[attr-defined]

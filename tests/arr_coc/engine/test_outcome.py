"""How results come to those who wait for them."""

import asyncio

import pytest

from arr_coc.answers import Delta, Usage
from arr_coc.engine.outcome import Finish, Item, Outbox, Outcome
from arr_coc.errors import ModelFault

FINISH = Finish("stop", "ab", Usage(1, 2, 0))


def _told(streamed: bool, items: list[Item]) -> tuple[list[object], int]:
    """What is read of ``items``, one of which each step produces, and how often the loop was woken."""

    async def read() -> tuple[list[object], int]:
        outcome, outbox, wakes = Outcome(streamed=streamed), Outbox(), 0
        deliver = outcome.deliver

        def counted(given: list[Item]) -> None:
            nonlocal wakes
            wakes += 1
            deliver(given)

        outcome.deliver = counted  # type: ignore[method-assign, assignment]

        def run() -> None:
            for item in items:
                outbox.put(outcome, item)
                outbox.flush()

        await asyncio.to_thread(run)
        return [item async for item in outcome], wakes

    return asyncio.run(read())


@pytest.mark.parametrize(("streamed", "wakes"), [(True, 3), (False, 1)])
def test_a_whole_answer_wakes_its_reader_once(streamed: bool, wakes: int) -> None:
    assert _told(streamed, [Delta("a"), Delta("b"), FINISH]) == ([Delta("a"), Delta("b"), FINISH], wakes)


@pytest.mark.parametrize("streamed", [True, False])
def test_an_error_ends_it(streamed: bool) -> None:
    with pytest.raises(ModelFault):
        _told(streamed, [Delta("a"), ModelFault("broken")])


@pytest.mark.parametrize("streamed", [True, False])
def test_nothing_follows_the_end(streamed: bool) -> None:
    told, _ = _told(streamed, [Delta("a"), FINISH])
    late, wakes = _told(streamed, [Delta("a"), FINISH, Delta("late"), FINISH, ModelFault("late")])
    assert (late, wakes) == (told, 2 if streamed else 1)

"""Order, bounds and endings of work done side by side."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.cli.batch.ordering import AHEAD, in_order


@given(order=st.permutations(range(12)), concurrency=st.integers(1, 5))
def test_results_come_in_order_however_the_work_ends(order: list[int], concurrency: int) -> None:
    """``order`` tells how many turns of the loop each item takes."""
    running, most, taken, given_out = 0, 0, 0, 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(len(order)):
            taken += 1
            yield item

    async def work(item: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(order[item]):
            await asyncio.sleep(0)
        running -= 1
        return item

    async def collect() -> list[int]:
        nonlocal given_out
        results = []
        async for result in in_order(items(), work, concurrency):
            results.append(result)
            given_out += 1
            assert taken - given_out <= AHEAD * concurrency
        return results

    assert asyncio.run(collect()) == list(range(len(order)))
    assert most <= concurrency


async def test_a_slow_first_item_does_not_stop_the_others() -> None:
    others = asyncio.Event()

    async def work(item: int) -> int:
        if item == 0:
            await asyncio.wait_for(others.wait(), 5)
        if item == 6:
            others.set()
        return item

    assert [result async for result in in_order(iter(range(9)), work, 2)] == list(range(9))


async def test_an_error_comes_in_its_turn_and_ends_the_rest() -> None:
    cancelled = []

    async def work(item: int) -> int:
        if item == 1:
            raise LookupError
        try:
            await asyncio.sleep(0 if item == 0 else 60)
        except asyncio.CancelledError:
            cancelled.append(item)
            raise
        return item

    results = in_order(iter(range(9)), work, 3)
    assert await anext(results) == 0
    with pytest.raises(LookupError):
        await anext(results)
    assert set(cancelled) <= {2, 3}
    assert 2 in cancelled

"""Work done side by side, its results in order. It does not know what the work is."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 4  # results that wait for a slow one, in multiples of the concurrency


async def in_order(
    items: Iterator[Item], work: Callable[[Item], Awaitable[Result]], concurrency: int
) -> AsyncGenerator[Result, None]:
    """``work(item)`` of every item, in the order of ``items``.

    At most ``concurrency`` are under way, and an item is taken only when its work begins. Where one
    raises, the results before it still come, then its error; the rest is cancelled.
    """
    begun: deque[asyncio.Future[Result]] = deque()
    try:
        while True:
            under_way = [each for each in begun if not each.done()]
            while len(under_way) < concurrency and len(begun) < AHEAD * concurrency:
                try:
                    item = next(items)
                except StopIteration:
                    break
                under_way.append(asyncio.ensure_future(work(item)))
                begun.append(under_way[-1])
            if not begun:
                return
            if under_way:
                await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            while begun and begun[0].done():
                yield begun.popleft().result()
    finally:
        for each in begun:
            each.cancel()
        await asyncio.gather(*begun, return_exceptions=True)

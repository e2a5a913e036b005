"""Room for decoded pictures: how many bytes of pixels may be under way at once.

A file of kilobytes can decode to tens of megabytes, so that counting bodies bounds nothing. Who finds
no room waits for it, first come first served. It does not know what a picture is.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Room:
    """``capacity`` bytes, shared by all requests of one event loop."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._turnstile = asyncio.Lock()  # fair: a large picture is not overtaken for ever
        self._changed = asyncio.Event()
        self.free = capacity

    @asynccontextmanager
    async def hold(self, size: int) -> AsyncIterator[None]:
        """Waits until ``size`` bytes are free and holds them; more than there is counts as all of it."""
        size = min(size, self._capacity)
        async with self._turnstile:
            while self.free < size:
                self._changed.clear()
                await self._changed.wait()
            self.free -= size
        try:
            yield
        finally:
            self.free += size
            self._changed.set()

"""How one request's results travel from the engine's thread to an event loop.

Owns the hand-over: whatever a step produced reaches a loop in one wake-up. Does not know what the
items mean.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from arr_coc.answers import Delta, Usage
from arr_coc.errors import ArrCocError, Cancelled, DeadlineExceeded
from arr_coc.types import FinishReason


@dataclass(frozen=True, slots=True)
class Finish:
    """The good end of a sequence. ``text`` is the whole answer."""

    reason: FinishReason
    text: str
    usage: Usage
    timings_ms: dict[str, float] = field(default_factory=dict)


Item = Delta | Finish | BaseException


class Outcome:
    """What comes out for one request: deltas, then a Finish or an error, exactly once.

    Made and read on one event loop; written through an Outbox from any thread. One that is not
    ``streamed`` gets all of them with the last, so that nobody is woken for each token.
    """

    def __init__(self, *, streamed: bool = True) -> None:
        self.loop = asyncio.get_running_loop()
        self.ended = False  # owned by the Outbox's thread, as is
        self.held: list[Item] | None = None if streamed else []
        self._items: deque[Item] = deque()
        self._ready = asyncio.Event()

    @property
    def streamed(self) -> bool:
        return self.held is None

    def deliver(self, items: Iterable[Item]) -> None:
        """Called on the event loop."""
        self._items.extend(items)
        self._ready.set()

    async def __aiter__(self) -> AsyncIterator[Delta | Finish]:
        while True:
            await self._ready.wait()
            self._ready.clear()
            while self._items:
                item = self._items.popleft()
                if isinstance(item, BaseException):
                    raise item
                yield item
                if isinstance(item, Finish):
                    return


class Outbox:
    """Gathers what a step produced and wakes each event loop once."""

    def __init__(self) -> None:
        self._pending: dict[asyncio.AbstractEventLoop, dict[Outcome, list[Item]]] = {}

    def put(self, outcome: Outcome, item: Item) -> None:
        """Queue an item; an outcome's first Finish or error is its last item."""
        if outcome.ended:
            return
        outcome.ended = not isinstance(item, Delta)
        items = [item]
        if outcome.held is not None:
            outcome.held.append(item)
            items = outcome.held if outcome.ended else []
        if items:
            self._pending.setdefault(outcome.loop, {}).setdefault(outcome, []).extend(items)

    def flush(self) -> None:
        """Deliver everything that was put since the last flush."""
        pending, self._pending = self._pending, {}
        for loop, items in pending.items():
            with contextlib.suppress(RuntimeError):  # a closed loop has no readers left
                loop.call_soon_threadsafe(_deliver, items)


def _deliver(pending: dict[Outcome, list[Item]]) -> None:
    for outcome, items in pending.items():
        outcome.deliver(items)


def outcome_name(item: Finish | ArrCocError) -> str:
    """What metrics call an end: ``ok``, ``cancelled``, ``deadline`` or ``error``."""
    match item:
        case Finish():
            return "ok"
        case Cancelled():
            return "cancelled"
        case DeadlineExceeded():
            return "deadline"
        case _:
            return "error"

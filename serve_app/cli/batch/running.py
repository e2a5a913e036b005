"""A batch from the first line that has no result to the last. It knows neither HTTP nor the terminal."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from serve_app.cli.batch.journal import Journal
from serve_app.cli.batch.lines import Line, UnfitLine
from serve_app.cli.batch.ordering import in_order
from serve_app.cli.client import Fields

Send = Callable[[bytes], Awaitable[Fields]]


@dataclass
class Tally:
    """What has come of the lines so far. Tokens are visual ones, of answers alone."""

    answered: int = 0
    failed: int = 0
    spent_tokens: int = 0
    native_tokens: int = 0

    @property
    def lines(self) -> int:
        return self.answered + self.failed

    def add(self, result: Fields) -> None:
        if "error" in result:
            self.failed += 1
            return
        self.answered += 1
        self.spent_tokens += result.get("total_visual_tokens", 0)
        self.native_tokens += result.get("native_visual_tokens", 0)


def resume(lines: Iterator[Line], journal: Journal) -> tuple[Tally, int]:
    """Pass over the lines that have a result; their tally, and the input's offset behind them.

    Raises Failure where the journal is not of these lines.
    """
    tally, end = Tally(), 0
    for result in journal.finished():
        line = next(lines, None)
        if line is None or line.id != result["id"]:
            raise journal.foreign()
        tally.add(result)
        end = line.end
    return tally, end


async def run(
    lines: Iterator[Line], journal: Journal, send: Send, directory: Path, concurrency: int
) -> AsyncGenerator[tuple[Line, Fields], None]:
    """Send ``lines``, ``concurrency`` at a time; each with its result once that is in the journal."""

    async def work(line: Line) -> tuple[Line, Fields]:
        try:
            answer = await send(line.body(directory))
        except UnfitLine as unfit:
            answer = {"error": unfit.error}
        return line, {"id": line.id, **answer}

    async with aclosing(in_order(lines, work, concurrency)) as results:
        async for line, result in results:
            journal.append(result)
            yield line, result

"""How far a batch is, on a terminal: by the bytes of the input, so that no line is counted beforehand."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from serve_app.cli.batch.running import Tally


class Meter:
    """A progress bar on standard error; nothing where that is not a terminal."""

    def __init__(self, total_bytes: int, done_bytes: int, done_lines: int) -> None:
        console = Console(stderr=True)
        self._done_lines = done_lines
        self._bar = Progress(
            TextColumn("{task.fields[lines]:,} lines"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rate]:.1f} a second"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[failed]:,} failed"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(
            "", total=total_bytes, completed=done_bytes, lines=done_lines, rate=0.0, failed=0
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def advance(self, done_bytes: int, tally: Tally) -> None:
        """Show ``tally`` at ``done_bytes`` of the input."""
        elapsed = self._bar.tasks[0].elapsed or 0.0
        rate = (tally.lines - self._done_lines) / elapsed if elapsed else 0.0
        self._bar.update(self._task, completed=done_bytes, lines=tally.lines, rate=rate, failed=tally.failed)

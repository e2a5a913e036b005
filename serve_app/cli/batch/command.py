"""The subcommand: its options, and what it says at the end."""

from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from serve_app.cli.failure import FAILED, UNTRIED, Failure, told

if TYPE_CHECKING:
    from serve_app.cli.batch.running import Tally


def batch(
    source: Annotated[Path, typer.Argument(metavar="IN.jsonl", show_default=False)],
    out: Annotated[Path, typer.Argument(metavar="OUT.jsonl", show_default=False)],
    url: Annotated[
        str, typer.Option(envvar="ARR_COC_URL", help="The server to ask.")
    ] = "http://localhost:8000",
    api_key: Annotated[
        str | None, typer.Option(envvar="ARR_COC_API_KEY", help="Where the server asks for one.")
    ] = None,
    concurrency: Annotated[
        int,
        typer.Option(min=1, max=1024, help="Requests at once: above the slots, so that none stays empty."),
    ] = 64,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds that a line waits for a busy or absent server.")
    ] = 120.0,
    as_json: Annotated[bool, typer.Option("--json", help="Tell the end as a JSON object.")] = False,
) -> None:
    """Ask the questions in IN.jsonl, one JSON object a line, and write a line of OUT.jsonl for each.

    A line has "image", a path relative to IN.jsonl or a data URL, "query", and what else POST /vqa takes.
    Its result is the reply or {"error": ...}, led by the line's "id", or its number where it has none.
    Results are in the order of the lines. Run again, it goes on where it was ended.
    """
    import time

    began = time.monotonic()
    with told():
        tally, earlier = _run(source, out, url, api_key, concurrency, patience)
    seconds = time.monotonic() - began
    typer.echo(_as_json(tally, earlier, seconds) if as_json else _summary(tally, earlier, seconds))
    if tally.failed:
        raise typer.Exit(FAILED)


def _run(
    source: Path, out: Path, url: str, api_key: str | None, concurrency: int, patience: float
) -> "tuple[Tally, int]":
    """All lines' tally, and how many of them earlier runs had done."""
    import asyncio

    from serve_app.cli.batch.journal import Journal
    from serve_app.cli.batch.lines import read_lines
    from serve_app.cli.batch.progress import Meter
    from serve_app.cli.batch.running import resume, run
    from serve_app.cli.batch.sending import Sender
    from serve_app.cli.client import connected

    with _opened(source, out) as file, Journal(out) as journal:
        lines = read_lines(file)
        tally, end = resume(lines, journal)
        earlier = tally.lines

        async def send_all(meter: Meter) -> None:
            async with AsyncExitStack() as stack:
                clients = [connected(url, api_key) for _ in range(concurrency)]
                for client in clients:
                    await stack.enter_async_context(client)
                sender = Sender(clients, patience)
                results = run(lines, journal, sender.send, source.parent, concurrency)
                await stack.enter_async_context(aclosing(results))
                async for line, result in results:
                    tally.add(result)
                    meter.advance(line.end, tally)

        with Meter(source.stat().st_size, end, earlier) as meter:
            asyncio.run(send_all(meter))
    return tally, earlier


def _opened(source: Path, out: Path) -> BinaryIO:
    try:
        file = source.open("rb")
    except OSError as error:
        raise Failure(f"{source} cannot be read: {error.strerror}", UNTRIED) from error
    if out.exists() and out.samefile(source):
        file.close()
        raise Failure("IN.jsonl and OUT.jsonl are the same file", UNTRIED)
    return file


def _summary(tally: "Tally", earlier: int, seconds: float) -> str:
    parts = [f"{tally.lines} lines: {tally.answered} answered, {tally.failed} failed"]
    if earlier:
        parts.append(f"{earlier} of them by an earlier run")
    if tally.answered:
        spent, native = (round(each / tally.answered) for each in (tally.spent_tokens, tally.native_tokens))
        parts.append(f"{spent} visual tokens an answer, {native} at native resolution")
    parts.append(f"{seconds:.1f} s, {(tally.lines - earlier) / seconds:.1f} lines a second")
    return "; ".join(parts)


def _as_json(tally: "Tally", earlier: int, seconds: float) -> str:
    import json
    from dataclasses import asdict

    told = {"lines": tally.lines, **asdict(tally), "earlier": earlier, "seconds": round(seconds, 3)}
    return json.dumps(told, indent=1)

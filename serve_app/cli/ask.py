"""``arr-coc ask``: one question about one picture, answered in the terminal."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serve_app.cli.failure import UNTRIED, Failure, told

if TYPE_CHECKING:
    from serve_app.cli.asking import Answer

TERMINAL = Path("-")
_UNPRINTABLE = {
    code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"
}


def ask(
    image: Annotated[
        Path, typer.Argument(metavar="IMAGE", help="JPEG, PNG, WebP or GIF.", show_default=False)
    ],
    question: Annotated[str, typer.Argument(metavar="QUESTION", show_default=False)],
    url: Annotated[
        str, typer.Option(envvar="ARR_COC_URL", help="The server to ask.")
    ] = "http://localhost:8000",
    api_key: Annotated[
        str | None, typer.Option(envvar="ARR_COC_API_KEY", help="Where the server asks for one.")
    ] = None,
    local: Annotated[bool, typer.Option("--local", help="Load the model in this process instead.")] = False,
    model: Annotated[
        str | None, typer.Option(help="With --local: a model directory instead of the demo model.")
    ] = None,
    budget: Annotated[int | None, typer.Option(help="Visual tokens to spend at most.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Tokens of the answer at most.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole reply instead.")] = False,
    show: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png", help="Draw what was looked at over the picture; - draws on the terminal."
        ),
    ] = None,
) -> None:
    """Ask about a picture; the answer is printed as it is written."""
    import asyncio

    from serve_app.cli.asking import in_process, over_http

    if model is not None and not local:
        raise typer.BadParameter("--model is for --local; a server has its own")
    with told():
        picture = _read(image)
        _require_png(show)
        optional: dict[str, Any] = {"visual_token_budget": budget, "max_tokens": max_tokens}
        fields = {name: value for name, value in optional.items() if value is not None}
        fields |= {"query": question, "explain": as_json or show is not None}
        answer = (
            in_process(model or "demo", picture, fields)
            if local
            else over_http(url, api_key, picture, fields)
        )
        reply = asyncio.run(_follow(answer, quiet=as_json))
        _tell(reply, as_json)
        if show is not None:
            _show(picture, question, reply, show)


def _read(image: Path) -> bytes:
    try:
        return image.read_bytes()
    except OSError as error:
        raise Failure(f"{image} cannot be read: {error.strerror}", UNTRIED) from error


def _require_png(show: Path | None) -> None:
    if show not in (None, TERMINAL) and (
        show.suffix.lower() != ".png" or not show.absolute().parent.is_dir()
    ):
        raise Failure("--show needs the name of a .png file in a directory that exists, or -", UNTRIED)


def _show(picture: bytes, question: str, reply: dict[str, Any], show: Path) -> None:
    from serve_app.cli.showing import draw_reply, on_terminal

    if show != TERMINAL:
        draw_reply(picture, question, reply, show)
    else:  # beside the reply, which may go into a file
        typer.echo(on_terminal(picture, reply, shutil.get_terminal_size().columns), err=True, color=True)


async def _follow(answer: "Answer", quiet: bool) -> dict[str, Any]:
    """The reply at the end of ``answer``, whose text is printed as it comes unless ``quiet``."""
    from contextlib import aclosing

    reply: dict[str, Any] = {}
    printed = False
    try:
        async with aclosing(answer):
            async for item in answer:
                if isinstance(item, dict):
                    reply = item
                elif not quiet:
                    typer.echo(item.translate(_UNPRINTABLE), nl=False)  # no model may steer the terminal
                    printed = True
    finally:
        if printed:
            typer.echo()
    return reply


def _tell(reply: dict[str, Any], as_json: bool) -> None:
    if as_json:
        import json

        typer.echo(json.dumps(reply, indent=1))
        return
    spent, native = reply["total_visual_tokens"], reply["native_visual_tokens"]
    seconds = reply["timings_ms"].get("total", 0.0) / 1e3
    typer.echo(f"{spent} visual tokens, {native} at native resolution; {seconds:.2f} s", err=True)

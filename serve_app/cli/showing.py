"""A reply drawn over its picture, into a file or on the terminal."""

from pathlib import Path

import numpy as np

from arr_coc.decoding import PictureLimits, decode
from arr_coc.figure import Sight, draw, overlaid
from arr_coc.types import Box, Grid
from serve_app.cli.client import Fields
from serve_app.cli.failure import Failure

LONGER_SIDE = 2048  # pixels of the drawing, at most
COLUMNS = 100  # of a terminal, at most
_UPPER_HALF = "\N{UPPER HALF BLOCK}"


def draw_reply(image: bytes, question: str, reply: Fields, file: Path) -> None:
    """Write ``reply``, made with ``explain``, over the encoded picture ``image`` as a PNG to ``file``.

    Raises InvalidImage, and Failure where ``file`` cannot be written.
    """
    drawing = draw(decode(image, PictureLimits(), LONGER_SIDE), question, sight_of(reply))
    try:
        drawing.save(file, "PNG")
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror or 'no picture'}") from error


def on_terminal(image: bytes, reply: Fields, columns: int) -> str:
    """``reply``, made with ``explain``, over the encoded picture ``image``, in lines of at most ``columns``
    coloured half blocks, and a line for each patch. Raises InvalidImage."""
    picture, sight = decode(image, PictureLimits(), LONGER_SIDE), sight_of(reply)
    width = min(columns, COLUMNS, 2 * picture.width)
    rows = max(1, round(width * picture.height / picture.width / 2))
    shown = np.asarray(overlaid(picture.resize((width, 2 * rows)), sight))
    lines = [
        "".join(map(_half_blocks, upper.tolist(), lower.tolist())) + "\x1b[0m"
        for upper, lower in zip(shown[::2], shown[1::2], strict=True)
    ]
    patches = [f"{tokens} tokens at {b.x0},{b.y0} to {b.x1},{b.y1}" for b, tokens in sight.patches]
    return "\n".join([*lines, *patches])


def _half_blocks(upper: list[int], lower: list[int]) -> str:
    """One character whose upper half has one RGB colour and whose lower half another."""
    ink, paper = (";".join(map(str, colour)) for colour in (upper, lower))
    return f"\x1b[38;2;{ink};48;2;{paper}m{_UPPER_HALF}"


def sight_of(reply: Fields) -> Sight:
    """What of a reply can be drawn."""
    relevance = reply.get("relevance")
    return Sight(
        width=reply["image"]["width"],
        height=reply["image"]["height"],
        grid=Grid(reply["overview"]["rows"], reply["overview"]["cols"]),
        relevance=None if relevance is None else np.array(relevance["relevance"], np.float32),
        patches=[(Box(*patch["box"]), patch["tokens"]) for patch in reply["patches"]],
        answer=reply["answer"],
        visual_tokens=reply["total_visual_tokens"],
        native_tokens=reply["native_visual_tokens"],
    )

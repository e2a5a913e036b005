"""A reply drawn over its picture."""

from pathlib import Path

import numpy as np

from arr_coc.decoding import PictureLimits, decode
from arr_coc.figure import Sight, draw
from arr_coc.types import Box, Grid
from serve_app.cli.client import Fields
from serve_app.cli.failure import Failure

LONGER_SIDE = 2048  # pixels of the drawing, at most


def draw_reply(image: bytes, question: str, reply: Fields, file: Path) -> None:
    """Write ``reply``, made with ``explain``, over the encoded picture ``image`` as a PNG to ``file``.

    Raises InvalidImage, and Failure where ``file`` cannot be written.
    """
    drawing = draw(decode(image, PictureLimits(), LONGER_SIDE), question, sight_of(reply))
    try:
        drawing.save(file, "PNG")
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror or 'no picture'}") from error


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

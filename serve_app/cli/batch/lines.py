"""The lines of a batch: what is asked by each, and by which id its result is known.

Every line that is not blank is one request. Whether the server takes it is the server's to say; what
never gets there is told in the same shape. It does not know how requests are sent.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from serve_app.cli.client import Fields, data_url

MAX_LINE_BYTES = 64 * 2**20  # twice what a server takes by default
MAX_PICTURE_BYTES = 48 * 2**20  # as much, once in base64


class UnfitLine(Exception):
    """A line that cannot be sent."""

    def __init__(self, message: str, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.error: Fields = {
            "message": message,
            "type": "invalid_request_error",
            "param": param,
            "code": code,
        }


@dataclass(frozen=True, slots=True)
class Line:
    """One request. ``end`` is the offset in the file behind its line, in bytes."""

    id: str | int
    fields: Fields | UnfitLine
    end: int

    def body(self, directory: Path) -> bytes:
        """The JSON to send; a picture's path is relative to ``directory``. Raises UnfitLine."""
        if isinstance(self.fields, UnfitLine):
            raise self.fields
        fields = dict(self.fields)
        image = fields.get("image")
        if isinstance(image, str) and not image.startswith("data:") and "://" not in image:
            fields["image"] = data_url(_read_picture(directory / image))
        try:
            return json.dumps(fields, allow_nan=False).encode()
        except ValueError as error:  # a number beyond all bounds
            raise UnfitLine("the line holds a number that JSON cannot", "invalid_json") from error


def read_lines(file: BinaryIO) -> Iterator[Line]:
    """The requests in ``file``, from its beginning; one line at a time is in memory."""
    number = end = 0
    while text := file.readline(MAX_LINE_BYTES):
        number += 1
        end += len(text)
        if not text.endswith(b"\n") and len(text) == MAX_LINE_BYTES:
            end += _skip_line(file)
            message = f"the line is longer than {MAX_LINE_BYTES // 2**20} MiB"
            yield Line(number, UnfitLine(message, "line_too_long"), end)
        elif text.strip():
            yield _line(text, number, end)


def _skip_line(file: BinaryIO) -> int:
    skipped = 0
    while text := file.readline(2**20):
        skipped += len(text)
        if text.endswith(b"\n"):
            break
    return skipped


def _line(text: bytes, number: int, end: int) -> Line:
    try:
        fields: Any = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return Line(number, UnfitLine("the line is not JSON", "invalid_json"), end)
    if not isinstance(fields, dict):
        return Line(number, UnfitLine("the line must be a JSON object", "invalid_type"), end)
    known_by = fields.pop("id", number)
    if isinstance(known_by, bool) or not isinstance(known_by, str | int):
        return Line(number, UnfitLine("id must be text or a whole number", "invalid_value", "id"), end)
    return Line(known_by, fields, end)


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _read_picture(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            picture = file.read(MAX_PICTURE_BYTES + 1)
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "not a path"
        raise UnfitLine(f"the picture cannot be read: {why}", "image_unreadable", "image") from error
    if len(picture) > MAX_PICTURE_BYTES:
        message = f"the picture is larger than {MAX_PICTURE_BYTES // 2**20} MiB"
        raise UnfitLine(message, "image_too_large", "image")
    return picture

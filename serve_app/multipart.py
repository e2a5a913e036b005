"""A ``multipart/form-data`` body, already in memory, taken apart into named parts.

python-multipart parses; here it is bounded (the number of parts, their headers; the body's size by whoever
read it) and held to completeness. It does not know which fields there are.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from arr_coc.errors import InvalidRequest

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_PARTS = 160  # the labels of a picture are one each
MAX_PART_HEADER_BYTES = 4096
_MAX_BOUNDARY_CHARS = 70  # RFC 2046, 5.1.1


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a form; a file and a field look alike here."""

    name: str
    content: bytes


def parse_multipart(content_type: str, body: bytearray) -> list[Part]:
    """The parts in order. Raises InvalidRequest (``invalid_multipart``) for anything malformed, a
    missing closing boundary included: a body cut short is never taken for a whole one."""
    form = _Form()
    try:
        parser = MultipartParser(
            _boundary(content_type), form.callbacks(), max_header_size=MAX_PART_HEADER_BYTES
        )
        parser.write(bytes(body))
    except FormParserError:
        raise _invalid("the form is malformed") from None
    if not form.complete:
        raise _invalid("the form ends before its closing boundary")
    return form.parts


@dataclass
class _Form:
    """What the parser has told so far."""

    parts: list[Part] = field(default_factory=list)
    complete: bool = False
    _header: bytes = b""
    _value: bytes = b""
    _name: str | None = None
    _content: list[bytes] = field(default_factory=list)

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._all,
        }

    def _begin(self) -> None:
        if len(self.parts) == MAX_PARTS:
            raise _invalid(f"the form has more than {MAX_PARTS} parts")
        self._name, self._content = None, []

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._name = _name(self._value)
        self._header = self._value = b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._content.append(data[start:end])

    def _end(self) -> None:
        if self._name is None:
            raise _invalid("a part of the form has no name")
        self.parts.append(Part(self._name, b"".join(self._content)))

    def _all(self) -> None:
        self.complete = True


def _name(disposition: bytes) -> str | None:
    kind, parameters = parse_options_header(disposition)
    name = parameters.get(b"name")
    if kind != b"form-data" or name is None:
        return None
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise _invalid("a part of the form has a name that is not UTF-8") from None


def _boundary(content_type: str) -> bytes:
    try:
        _, parameters = parse_options_header(content_type)
    except UnicodeEncodeError:  # the header is not Latin-1
        parameters = {}
    boundary = parameters.get(b"boundary", b"")
    if not boundary.isascii() or not 1 <= len(boundary) <= _MAX_BOUNDARY_CHARS:
        raise _invalid("the form's boundary must be 1 to 70 characters of ASCII")
    return boundary


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest(message, code="invalid_multipart")

"""A ``multipart/form-data`` body, already in memory, taken apart into named parts.

Bounded in everything: the body's size by whoever read it, the number of parts, their headers and
the boundary here. It does not know which fields there are.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from arr_coc.errors import InvalidRequest

MAX_PARTS = 24
MAX_PART_HEADER_BYTES = 4096
_MAX_BOUNDARY_CHARS = 70
_PARAMETER = re.compile(r';[ \t]*([!#$%&\'*+.^_`|~\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))', re.ASCII)
_DISPOSITION = re.compile(r"^content-disposition:[ \t]*form-data(.*)$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a form; a file and a field look alike here."""

    name: str
    content: bytes


def parse_multipart(content_type: str, body: bytearray) -> list[Part]:
    """The parts in order. Raises InvalidRequest (``invalid_multipart``) for anything malformed, a
    missing closing boundary included: a body cut short is never taken for a whole one."""
    delimiter = b"--" + _boundary(content_type)
    if not body.startswith(delimiter):
        raise _invalid("the form does not begin with its boundary")
    pieces = body.split(b"\r\n" + delimiter, MAX_PARTS + 1)
    pieces[0] = pieces[0][len(delimiter) :]
    return list(_parts(pieces))


def _parts(pieces: list[bytearray]) -> Iterator[Part]:
    for count, piece in enumerate(pieces):
        if piece.startswith(b"--"):
            return
        if count == MAX_PARTS:
            raise _invalid(f"the form has more than {MAX_PARTS} parts")
        yield _part(piece)
    raise _invalid("the form ends before its closing boundary")


def _part(piece: bytearray) -> Part:
    end = piece.find(b"\r\n\r\n", 0, MAX_PART_HEADER_BYTES)
    if not piece.startswith(b"\r\n") or end < 0:
        raise _invalid("a part of the form has no proper headers")
    try:
        headers = piece[2:end].decode()
    except UnicodeDecodeError:
        raise _invalid("a part of the form has headers that are not UTF-8") from None
    return Part(_name(headers.replace("\r\n", "\n")), bytes(piece[end + 4 :]))


def _name(headers: str) -> str:
    disposition = _DISPOSITION.search(headers)
    name = _parameter(disposition.group(1), "name") if disposition else None
    if name is None:
        raise _invalid("a part of the form has no name")
    return name


def _boundary(content_type: str) -> bytes:
    boundary = _parameter(content_type, "boundary") or ""
    if not boundary.isascii() or not 1 <= len(boundary) <= _MAX_BOUNDARY_CHARS:
        raise _invalid("the form's boundary must be 1 to 70 characters of ASCII")
    return boundary.encode()


def _parameter(header: str, name: str) -> str | None:
    for key, quoted, token in _PARAMETER.findall(header):
        if key.lower() == name:
            return re.sub(r"\\(.)", r"\1", quoted) or token
    return None


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest(message, code="invalid_multipart")

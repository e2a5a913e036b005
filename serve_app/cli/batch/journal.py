"""The file of results: one whole line each, in the order of the requests, and nothing twice.

A run that was killed leaves whole lines and at most a part of one more; the next run cuts that part off
and goes on behind it. A file that is not such a journal is refused and left as it is.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Self

from serve_app.cli.client import Fields
from serve_app.cli.failure import UNTRIED, Failure

_HEAD = b'{"id": '


class Journal:
    """Results on disk; one process at a time writes them. Use it as a context."""

    def __init__(self, path: Path) -> None:
        """Raises Failure where ``path`` cannot be written or another process does."""
        self._path = path
        try:
            self._file: BinaryIO = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        except OSError as error:
            raise Failure(f"{path} cannot be written: {error.strerror}", UNTRIED) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise Failure(f"{path} is being written by another process", UNTRIED) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # of what could not be written, which has been told
            self._file.close()

    def finished(self) -> Iterator[Fields]:
        """The results of earlier runs. Once they are read, what follows them is cut off and `append` goes on.

        Raises Failure where the file holds something else.
        """
        whole = 0
        self._file.seek(0)
        while (text := self._file.readline()).endswith(b"\n"):
            yield self._result(text)
            whole += len(text)
        if text[: len(_HEAD)] != _HEAD[: len(text)]:
            raise self.foreign()
        self._file.truncate(whole)
        self._file.seek(whole)

    def append(self, result: Fields) -> None:
        """Write one result; it is the operating system's when this returns. Raises Failure on a full disk."""
        try:
            self._file.write(json.dumps(result).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise Failure(f"{self._path} cannot be written: {error.strerror}") from error

    def foreign(self) -> Failure:
        """Says that the file belongs to something else."""
        return Failure(f"{self._path} holds something else than results of this input; name another", UNTRIED)

    def _result(self, text: bytes) -> Fields:
        try:
            result: Any = json.loads(text) if text.startswith(_HEAD) else None
        except (ValueError, RecursionError):
            result = None
        if not isinstance(result, dict):
            raise self.foreign()
        return result

"""The cells that have been measured, one line each, so that a run goes on where it was cut off.

Owns the file. Knows nothing of how a cell is measured.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from load_tests.bench.outcome import Cell
from load_tests.bench.spec import from_json, to_json


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """One cell: ``load`` by its name, ``round`` from 0."""

    peer: str
    mix: str
    load: str
    round: int


class Journal:
    """Cells by their keys. A half-written last line is measured again, and so is a cell whose peer failed."""

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        """Open or begin ``path``. Raises ValueError where it tells of cells with other ``settings``."""
        self._path = path
        self.cells: dict[Key, Cell] = {}
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"settings": settings}) + "\n")
        head, *lines = self._whole_lines()
        self.settings: dict[str, Any] = json.loads(head)["settings"]
        if settings and self.settings != settings:
            raise ValueError(
                f"{path} was measured with {self.settings}, not {settings}; name another --journal"
            )
        for line in lines:
            kept = json.loads(line)
            self.cells[Key(**kept["key"])] = from_json(kept)

    def __contains__(self, key: Key) -> bool:
        return key in self.cells

    def add(self, key: Key, cell: Cell, more: dict[str, Any]) -> None:
        """Write a cell down at once, with ``more`` about how it was measured."""
        line = {"key": {field: getattr(key, field) for field in key.__slots__}, **more, **to_json(cell)}
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        self.cells[key] = cell

    def _whole_lines(self) -> Iterator[str]:
        text = self._path.read_text()
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            self._path.write_text(whole)
        yield from whole.splitlines()

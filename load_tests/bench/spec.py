"""The order for one cell, as it is handed to a load generator's process; and the cell as it comes back."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Self

from load_tests.bench.driving import Driver
from load_tests.bench.loads import Load, arrivals
from load_tests.bench.mixes import MIXES, Requests
from load_tests.bench.outcome import Cell, Outcome


@dataclass(frozen=True, slots=True)
class Spec:
    """``target`` is a server's URL, or a model's directory where the engine is called directly.
    ``rate`` is that of an open load, 0 for others; ``seed`` that of its arrivals, of which there are at most
    ``count``."""

    target: str
    speech: str
    mix: str
    load: str
    seconds: float
    rate: float
    seed: str
    first: int
    warm_up: bool
    pictures: str
    count: int | None = None

    @classmethod
    def read(cls) -> Self:
        """The one on standard input."""
        return cls(**json.load(sys.stdin))

    def text(self) -> str:
        return json.dumps(asdict(self))

    def requests(self) -> Requests:
        return Requests(MIXES[self.mix], Path(self.pictures))

    def times(self) -> Iterable[float]:
        """Of the arrivals."""
        return islice(arrivals(self.rate, self.seconds, self.seed), self.count) if self.rate else ()

    async def drive(self, driver: Driver) -> Cell:
        return await driver.run(Load.parse(self.load), self.seconds, self.times(), self.rate)


def to_json(cell: Cell) -> dict[str, Any]:
    """A cell as it is kept."""
    return {
        "seconds": cell.seconds,
        "offered": cell.offered,
        "client_cpu": round(cell.client_cpu, 4),
        "outcomes": [outcome.row() for outcome in cell.outcomes],
    }


def from_json(kept: dict[str, Any]) -> Cell:
    outcomes = tuple(Outcome.of(row) for row in kept["outcomes"])
    return Cell(outcomes, kept["seconds"], kept["offered"], kept["client_cpu"])

"""How much is asked at once: a number of clients, or arrivals by chance.

Owns the names of loads and the schedules of arrivals. Knows neither servers nor clocks.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Self, cast

Kind = Literal["closed", "own", "abs", "batch"]
OVERLOAD = 1.25  # times a server's own capacity; from here on its queue needs time to fill


@dataclass(frozen=True, slots=True)
class Load:
    """``closed-8``: 8 clients that each ask again when they are answered. ``own-0.8``: Poisson arrivals at
    0.8 of the server's own capacity. ``abs-20``: 20 a second, whoever answers. ``batch-128``: so many at
    once. With ``-stream`` answers are asked for as streams where a server has them."""

    kind: Kind
    value: float
    stream: bool = False

    @classmethod
    def parse(cls, name: str) -> Self:
        """Raises ValueError where ``name`` is no load."""
        found = re.fullmatch(r"(closed|own|abs|batch)-(\d+(?:\.\d+)?)(-stream)?", name)
        if not found or not float(found[2]):
            raise ValueError(
                f"no load: {name}; there are closed-N, own-F, abs-RATE, batch-N, each with -stream"
            )
        kind = cast(Kind, found[1])  # of the expression's four
        if kind in ("closed", "batch") and "." in found[2]:
            raise ValueError(f"no load: {name}; a number of clients or requests is whole")
        return cls(kind, float(found[2]), bool(found[3]))

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.value:g}{'-stream' if self.stream else ''}"

    @property
    def open(self) -> bool:
        """Whether requests come without waiting for answers."""
        return self.kind in ("own", "abs")

    @property
    def overload(self) -> bool:
        return self.kind == "own" and self.value >= OVERLOAD

    def rate(self, capacity: float) -> float:
        """Arrivals a second at a server that answers ``capacity`` a second; 0 where the load is not open."""
        return {"own": self.value * capacity, "abs": self.value}.get(self.kind, 0.0)


def arrivals(rate: float, seconds: float, seed: str) -> Iterator[float]:
    """Times of a Poisson process, seconds from its start. Seeds that are equal give the same gaps at every
    rate, in its unit."""
    rng = random.Random(seed)
    now = rng.expovariate(1.0) / rate
    while now < seconds:
        yield now
        now += rng.expovariate(1.0) / rate

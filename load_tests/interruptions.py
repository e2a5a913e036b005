"""What dividing prefills buys those whose answers run, and what it costs those who wait.

    python -m load_tests.interruptions

The engine's own scheduler under the simulator's virtual clock and machines, for questions about large
pictures and small ones. Told are milliseconds between two tokens of an answer, to the first token and to
the last one, for several bounds on how long a prefill may keep those who decode waiting.
"""

import argparse
import sys
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from arr_coc.engine.config import EngineConfig
from load_tests.simulate import MACHINES, Job, Simulation, arrivals

BOUNDS_MS = (None, 200.0, 150.0, 100.0, 50.0)
LOADS = (0.5, 0.8, 0.95)
MIXES = {
    "large pictures": [[(1060, 1024)], [(100, 70)]],
    "conversations of several": [[(1900, 1840)], [(100, 70)], [(286, 256)]],
    "zoom": [[(174, 144), (546, 512)], [(100, 70)]],
}


class Told(NamedTuple):
    """Milliseconds."""

    gap_p50: float
    gap_p99: float
    gap_worst: float
    first_token: float  # mean
    last_token: float  # mean

    @classmethod
    def of(cls, jobs: list[Job]) -> "Told":
        gaps = [1e3 * (then - now) for job in jobs for now, then in pairwise(job.told)]
        first = np.mean([1e3 * (job.told[0] - job.arrived) for job in jobs])
        last = np.mean([1e3 * (job.ended - job.arrived) for job in jobs])
        return cls(*np.percentile(gaps, [50, 99, 100]), first, last)


def serve(machine: str, mix: str, rate: float, count: int, interrupt_ms: float | None) -> Told:
    """How those fare who arrive at ``rate`` a second."""
    jobs = arrivals(rate, count, MIXES[mix], seed=0)
    Simulation(EngineConfig(interrupt_ms=interrupt_ms), MACHINES[machine]).run(jobs)
    return Told.of(jobs)


def capacity(machine: str, mix: str, interrupt_ms: float | None) -> float:
    """Answers a second when all arrive at once."""
    jobs = arrivals(float("inf"), 300, MIXES[mix], seed=0)
    Simulation(EngineConfig(interrupt_ms=interrupt_ms), MACHINES[machine]).run(jobs)
    return len(jobs) / max(job.ended for job in jobs)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.interruptions", description=__doc__)
    parser.add_argument("--count", type=int, default=600, help="questions of each run")
    args = parser.parse_args()
    columns = ("bound ms", "load", "gap p50", "p99", "worst", "first token", "last token", "capacity")
    for machine in MACHINES:
        for mix in MIXES:
            rows = [columns]
            whole = capacity(machine, mix, None)
            for load in LOADS:
                for bound in BOUNDS_MS:
                    told = serve(machine, mix, load * whole, args.count, bound)
                    share = capacity(machine, mix, bound) / whole
                    rows.append(
                        (
                            "none" if bound is None else f"{bound:.0f}",
                            f"{load:.2f}",
                            *(f"{ms:.0f}" for ms in told),
                            f"{share:.3f}",
                        )
                    )
            sys.stdout.write(f"\n{machine}, {mix}\n\n")
            sys.stdout.write("\n".join("| " + " | ".join(row) + " |" for row in _ruled(rows)) + "\n")


def _ruled(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return [rows[0], ("---",) * len(rows[0]), *rows[1:]]


if __name__ == "__main__":
    main()

"""What all replicas count, gathered into one scrape.

Each replica writes into memory-mapped files of one directory that all replicas of a start share
(prometheus_client's multiprocess mode), and whoever is asked renders the sum: counters of replaced
replicas are kept, gauges are those of the living. Knows no metric by name.
"""

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector

DIRECTORY = "ARR_COC_METRICS_DIR"  # environment: this node's directory, in place of the application's


def open_directory(directory: str) -> str:
    """Let every metric made in this process from now on live in ``directory``, or in this node's own
    where it has one; gives the one taken."""
    directory = os.environ.get(DIRECTORY) or directory
    Path(directory).mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
    values.ValueClass = values.MultiProcessValue()
    return directory


def scrape(directory: str) -> bytes:
    """All stages' metrics in Prometheus' text format."""
    forget_the_dead(directory)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=directory)
    return generate_latest(registry)


def forget_the_dead(directory: str) -> None:
    """Gauges tell of living processes alone."""
    for file in Path(directory).glob("gauge_live*_*.db"):
        if not Path("/proc", file.stem.rpartition("_")[2]).exists():
            file.unlink(missing_ok=True)

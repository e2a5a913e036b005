"""What the replicas of several nodes count, gathered into one scrape.

Replicas of several nodes tell each other their nodes' sums, see ``deployments.scraping``, and these are
added up. Knows no metric by name; all of them must be such that adding up is right.
"""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector


@dataclass(frozen=True, slots=True)
class Counted:
    """What the replicas of one node have counted; ``place`` is a name for where they did."""

    place: str
    metrics: tuple[Metric, ...]


def counted(directory: str) -> Counted:
    """What the replicas that share ``directory`` have counted."""
    _forget_the_dead(Path(directory))
    collector = MultiProcessCollector(None, path=directory)
    return Counted(f"{socket.gethostname()}:{directory}", tuple(collector.collect()))


def scrape_all(directory: str, others: Iterable[Counted]) -> bytes:
    """All stages' metrics in Prometheus' text format, those of ``others`` that share not ``directory``
    added. Several of one place count once."""
    places = {each.place: each for each in (*others, counted(directory))}
    registry = CollectorRegistry()
    registry.register(_Sum(places.values()))
    return generate_latest(registry)


class Places:
    """What each place has counted, those included that say nothing any more: a sum that fell would look like
    a server that began anew, and rates would count all of the rest once more."""

    def __init__(self) -> None:
        self._counters: dict[str, Counted] = {}

    def told(self, parts: Iterable[Counted]) -> list[Counted]:
        """``parts``, and the counters of those who have told something before and did not now."""
        now = {each.place: each for each in parts}
        silent = [counters for place, counters in self._counters.items() if place not in now]
        for place, each in now.items():
            counters = tuple(metric for metric in each.metrics if metric.type != "gauge")
            self._counters[place] = Counted(place, counters)
        return [*now.values(), *silent]


class _Sum:
    """A collector of the sums of what was counted in several places."""

    def __init__(self, parts: Iterable[Counted]) -> None:
        self._parts = parts

    def collect(self) -> Iterable[Metric]:
        """One metric of each name; of samples that agree in name and labels the sum."""
        metrics: dict[str, Metric] = {}
        sums: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
        for part in self._parts:
            for metric in part.metrics:
                metrics.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
                seen = sums.setdefault(metric.name, {})
                for sample in metric.samples:
                    key = sample.name, tuple(sorted(sample.labels.items()))
                    seen[key] = seen.get(key, 0.0) + sample.value
        for name, metric in metrics.items():
            for (each, labels), value in sums[name].items():
                metric.add_sample(each, dict(labels), value)
        return metrics.values()


def _forget_the_dead(directory: Path) -> None:
    """Gauges tell of living processes alone."""
    for file in directory.glob("gauge_live*_*.db"):
        if not Path("/proc", file.stem.rpartition("_")[2]).exists():
            file.unlink(missing_ok=True)

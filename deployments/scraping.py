"""What all replicas count, gathered into one scrape.

Each replica writes into memory-mapped files of one directory that all replicas of a start share
(prometheus_client's multiprocess mode), and whoever is asked renders the sum: counters of replaced
replicas are kept, gauges are those of the living. Its own collector takes everything apart anew for each
scrape, tens of milliseconds under load; here only what is new since the last one is, and the values of
the rest are read where they are known to lie. Knows no metric by name.
"""

import json
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from prometheus_client import values
from prometheus_client.utils import floatToGoString

Kind = Literal["counter", "gauge", "histogram"]
_FILES: dict[str, Kind] = {
    "counter_*.db": "counter",
    "histogram_*.db": "histogram",
    "gauge_livesum_*.db": "gauge",
}
_LIVING = "gauge_livesum_*.db"
_HEADER_BYTES = 8
_LENGTH = struct.Struct("i")
_ESCAPED = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


def open_directory(directory: str) -> None:
    """Let every metric made in this process from now on live in ``directory``."""
    Path(directory).mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
    values.ValueClass = values.MultiProcessValue()


@dataclass(slots=True)
class _File:
    """What is known of one file; entries are only ever added to it, and keep their place."""

    used: int = _HEADER_BYTES  # bytes that have been taken apart
    places: list[int] = field(default_factory=list)  # of values, in doubles from the beginning
    series: list[int] = field(default_factory=list)  # of which each is one value


@dataclass(slots=True)
class _Family:
    """One metric: its heading, and its lines in groups of equal labels."""

    heading: str
    lines: dict[str, int] = field(default_factory=dict)  # name and labels -> series
    buckets: dict[str, list[tuple[float, int]]] = field(default_factory=dict)  # labels -> (le, series)


class Scraper:
    """Reads one directory, again and again. Not for several threads at once."""

    def __init__(self, directory: str) -> None:
        self._directory = Path(directory)
        self._files: dict[Path, _File] = {}
        self._series: dict[tuple[str, str], int] = {}  # name and labels -> its number
        self._families: dict[str, _Family] = {}

    def scrape(self) -> bytes:
        """All stages' metrics in Prometheus' text format."""
        self._forget_the_dead()
        contents = [
            self._read(path, kind) for pattern, kind in _FILES.items() for path in self._found(pattern)
        ]
        totals = np.zeros(len(self._series))
        for file, found in contents:
            np.add.at(totals, file.series, found)
        return "".join(self._lines(totals)).encode()

    def _forget_the_dead(self) -> None:
        """Gauges tell of living processes alone."""
        for file in self._found(_LIVING):
            if not Path("/proc", file.stem.rpartition("_")[2]).exists():
                file.unlink(missing_ok=True)
                self._files.pop(file, None)

    def _found(self, pattern: str) -> list[Path]:
        return sorted(self._directory.glob(pattern))

    def _read(self, path: Path, kind: Kind) -> tuple[_File, NDArray[np.float64]]:
        """The file at ``path``, and its values by now."""
        known = self._files.setdefault(path, _File())
        try:
            content = path.read_bytes()
        except FileNotFoundError:  # another replica has forgotten it
            content = b""
        used = _LENGTH.unpack_from(content)[0] if content else 0
        if used < known.used:  # nothing in it yet, or gone
            return _File(), np.zeros(0)
        if used > known.used:
            self._take_apart(content[:used], known, kind)
        doubles = np.frombuffer(content, np.float64, used // 8)
        return known, doubles[known.places]

    def _take_apart(self, content: bytes, known: _File, kind: Kind) -> None:
        """Learn the entries of ``content`` that are new: a length, a key, padding up to eight bytes, two
        doubles, the value first."""
        at = known.used
        while at < len(content):
            length = _LENGTH.unpack_from(content, at)[0]
            key = content[at + _LENGTH.size : at + _LENGTH.size + length]
            at += ((_LENGTH.size + length) // 8 + 1) * 8  # there is a byte of padding at least
            known.places.append(at // 8)
            known.series.append(self._number(json.loads(key), kind))
            at += 16
        known.used = at

    def _number(self, key: tuple[str, str, dict[str, str], str], kind: Kind) -> int:
        """Of the series that ``key`` names, which has a place among the lines from now on."""
        metric, name, labels, text = key
        spelled = _spelled(labels)
        number = self._series.setdefault((name, spelled), len(self._series))
        family = self._families.get(metric)
        if family is None:
            family = self._families[metric] = _Family(_heading(metric, kind, text))
        if kind == "histogram" and "le" in labels:
            bucket = (float(labels["le"]), number)
            alike = family.buckets.setdefault(_spelled({k: v for k, v in labels.items() if k != "le"}), [])
            if bucket not in alike:
                alike.append(bucket)
                alike.sort()
        else:
            family.lines[name + _braced(spelled)] = number
        return number

    def _lines(self, totals: NDArray[np.float64]) -> Iterator[str]:
        for metric, family in sorted(self._families.items()):
            yield family.heading
            for labels, buckets in family.buckets.items():
                counts = np.cumsum(totals[[number for _, number in buckets]]).tolist()
                before = f"{labels}," if labels else ""
                for (le, _), count in zip(buckets, counts, strict=True):
                    yield f'{metric}_bucket{{{before}le="{floatToGoString(le)}"}} {floatToGoString(count)}\n'
                yield f"{metric}_count{_braced(labels)} {floatToGoString(counts[-1])}\n"
            for line, number in family.lines.items():
                yield f"{line} {floatToGoString(totals[number])}\n"


def _heading(metric: str, kind: Kind, text: str) -> str:
    name = f"{metric}_total" if kind == "counter" else metric
    told = text.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {name} {told}\n# TYPE {name} {kind}\n"


def _spelled(labels: dict[str, str]) -> str:
    return ",".join(f'{name}="{value.translate(_ESCAPED)}"' for name, value in sorted(labels.items()))


def _braced(labels: str) -> str:
    return f"{{{labels}}}" if labels else ""

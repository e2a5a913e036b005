"""A scrape says what prometheus_client's own collector says, however the files have grown since the last."""

import os
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.parser import text_string_to_metric_families

from deployments.scraping import Scraper

Sample = tuple[str, str, str, tuple[tuple[str, str], ...]]
BOUNDS = (0.005, 0.5, 1.0, 2.5, 1e7, float("inf"))
DEAD, REPLACED = 2**22 + 1, 2**22 + 2  # no process has such an id
NUMBERS = st.floats(0, 1e9, allow_nan=False)
WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), include_characters='\n\\"'), max_size=9
)
WRITES = st.lists(
    st.tuples(st.sampled_from(("counter", "gauge", "histogram")), st.sampled_from("abc"), WORDS, NUMBERS),
    max_size=12,
)


def told(text: bytes) -> dict[Sample, float]:
    """The value of every sample: kind, help, name and labels of each."""
    return {
        (family.type, family.documentation, sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def by_the_library(directory: str) -> bytes:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=directory)
    return generate_latest(registry)


class Process:
    """Writes what a process with some metrics would write."""

    def __init__(self, directory: str, pid: int) -> None:
        self._files = {
            kind: MmapedDict(str(Path(directory, f"{kind}{'_livesum' if kind == 'gauge' else ''}_{pid}.db")))
            for kind in ("counter", "gauge", "histogram")
        }

    def write(self, kind: str, metric: str, label: str, value: float) -> None:
        name, text = f"{kind}_{metric}", f"About\n{metric}\\."
        if kind == "histogram":
            self._set(kind, mmap_key(name, f"{name}_sum", ["word"], [label], text), value)
            for bound in BOUNDS:
                le = "+Inf" if bound == float("inf") else str(bound)
                self._set(
                    kind, mmap_key(name, f"{name}_bucket", ["word", "le"], [label, le], text), value // 3
                )
        else:
            ending = "_total" if kind == "counter" else ""
            self._set(kind, mmap_key(name, name + ending, ["word"], [label], text), value)

    def _set(self, kind: str, key: str, value: float) -> None:
        self._files[kind].write_value(key, value, 0.0)

    def close(self) -> None:
        for file in self._files.values():
            file.close()


@settings(max_examples=25)
@given(st.lists(st.tuples(WRITES, WRITES), min_size=1, max_size=3))
def test_it_says_what_the_library_says(rounds: list[tuple[list[tuple[str, str, str, float]], ...]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        scraper = Scraper(directory)
        assert scraper.scrape() == b""
        processes = [Process(directory, os.getpid()), Process(directory, os.getppid())]
        for writes in rounds:
            for process, each in zip(processes, writes, strict=True):
                for write in each:
                    process.write(*write)
            assert told(scraper.scrape()) == told(by_the_library(directory))
        for process in processes:
            process.close()


def test_counts_of_the_replaced_are_kept_and_gauges_of_the_dead_are_gone(tmp_path: Path) -> None:
    scraper = Scraper(str(tmp_path))
    for pid in (os.getpid(), DEAD, REPLACED):
        process = Process(str(tmp_path), pid)
        for kind in ("counter", "gauge", "histogram"):
            process.write(kind, "a", "x", 6.0)
        process.close()
    for _ in range(2):
        lines = scraper.scrape().decode().splitlines()
        assert 'counter_a_total{word="x"} 18.0' in lines
        assert 'gauge_a{word="x"} 6.0' in lines
        assert 'histogram_a_count{word="x"} 36.0' in lines
        assert not list(tmp_path.glob(f"gauge*{DEAD}.db"))


def test_more_than_a_first_file_holds_is_read(tmp_path: Path) -> None:
    process, scraper = Process(str(tmp_path), os.getpid()), Scraper(str(tmp_path))
    for number in range(3000):
        process.write("counter", "a", f"label {number}", number)
        if number % 999 == 0:
            scraper.scrape()
    assert told(scraper.scrape()) == told(by_the_library(str(tmp_path)))
    process.close()

"""One scrape of what several processes counted."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from prometheus_client import Metric

from deployments.gathering import Places, counted, scrape_all
from deployments.metrics import RequestMetrics
from deployments.model_metrics import StartMetrics
from deployments.scraping import Scraper, open_directory

COUNTS = """
import sys
from deployments.embedding_metrics import EmbeddingMetrics
from deployments.metrics import EngineMetrics, RequestMetrics
from deployments.scraping import open_directory
open_directory(sys.argv[1])
requests, engine = RequestMetrics(), EngineMetrics()
requests.finished("vqa", "ok", None, 0.1)
requests.ready(True)
engine.finished("ok", {"queue": 5.0, "first_token": 20.0, "total": 60.0}, {})
engine.batch("prefill", 3, 200, 240, 0.02)
engine.occupancy(2, 1, 32, 300)
engine.looked_up("prefix_tokens", 160, 80)
embedding = EmbeddingMetrics()
embedding.batch("picture", 4, 200, 200, 0.04)
embedding.ended("picture", "ok", 0.03)
embedding.looked_up(5, 1)
embedding.waiting(3)
"""


def test_counts_of_processes_add_up_and_gauges_of_the_dead_are_gone(tmp_path: Path) -> None:
    for _ in range(2):
        subprocess.run([sys.executable, "-c", COUNTS, str(tmp_path)], check=True)
    text = Scraper(str(tmp_path)).scrape().decode()
    assert 'arr_coc_requests_total{endpoint="vqa",outcome="ok"} 2.0' in text
    assert 'arr_coc_batch_padding_tokens_total{kind="prefill"} 80.0' in text
    assert "arr_coc_time_to_first_token_seconds_sum 0.04" in text
    assert "arr_coc_prefix_cache_queries_total 320.0" in text
    assert "arr_coc_prefix_cache_hits_total 160.0" in text
    assert 'arr_coc_batch_rows_sum{kind="prefill"} 6.0' in text
    assert 'arr_coc_batch_rows_sum{kind="picture"} 8.0' in text
    assert 'arr_coc_embedding_inputs_total{kind="picture",outcome="ok"} 2.0' in text
    assert 'arr_coc_embedding_inputs_total{kind="text",outcome="deadline"} 0.0' in text
    assert "arr_coc_embedding_cache_hits_total 2.0" in text
    assert "arr_coc_embedding_inputs_waiting 6" not in text
    assert "arr_coc_slots 64" not in text
    assert "arr_coc_ready 2" not in text


def test_nodes_add_up_and_each_counts_once(tmp_path: Path) -> None:
    here, there = str(tmp_path / "here"), str(tmp_path / "there")
    for directory in (here, there, there):
        subprocess.run([sys.executable, "-c", COUNTS, directory], check=True)
    other = counted(there)
    told = scrape_all(here, [other, counted(here), other]).decode().splitlines()
    assert 'arr_coc_requests_total{endpoint="vqa",outcome="ok"} 3.0' in told
    assert 'arr_coc_http_request_duration_seconds_count{endpoint="vqa"} 3.0' in told
    names = [line.rpartition(" ")[0] for line in told]
    assert len(names) == len(set(names))
    assert set(names) == {line.rpartition(" ")[0] for line in scrape_all(here, []).decode().splitlines()}


def test_what_a_lost_node_had_counted_stays_counted_and_its_gauges_go(tmp_path: Path) -> None:
    here, there = str(tmp_path / "here"), str(tmp_path / "there")
    for directory in (here, there):
        subprocess.run([sys.executable, "-c", COUNTS, directory], check=True)
    places, other = Places(), counted(there)
    gauge = Metric("arr_coc_slots", "Slots.", "gauge")
    gauge.add_sample("arr_coc_slots", {}, 7)
    other = replace(other, metrics=(*other.metrics, gauge))
    before = scrape_all(here, places.told([other])).decode().splitlines()
    after = scrape_all(here, places.told([])).decode().splitlines()
    again = scrape_all(here, places.told([other])).decode().splitlines()
    assert "arr_coc_slots 7.0" in before
    assert not any(line.startswith("arr_coc_slots ") for line in after)
    for text in (before, after, again):
        assert 'arr_coc_requests_total{endpoint="vqa",outcome="ok"} 2.0' in text


def test_the_start_is_told_by_phase_in_a_scrape(tmp_path: Path) -> None:
    open_directory(str(tmp_path))
    StartMetrics().started({"ray": 1.5, "ready": 4.0})
    text = Scraper(str(tmp_path)).scrape().decode()
    assert 'arr_coc_startup_seconds{phase="ray"} 1.5' in text


def test_a_process_at_the_edge_is_ready_or_not(tmp_path: Path) -> None:
    open_directory(str(tmp_path))
    told = []
    metrics = RequestMetrics()
    for ready in (None, True, False):
        if ready is not None:
            metrics.ready(ready)
        lines = Scraper(str(tmp_path)).scrape().decode().splitlines()
        told += [line for line in lines if line.startswith("arr_coc_ready ")]
    assert told == ["arr_coc_ready 0.0", "arr_coc_ready 1.0", "arr_coc_ready 0.0"]

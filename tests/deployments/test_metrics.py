"""One scrape of what several processes counted."""

import subprocess
import sys
from pathlib import Path

from deployments.scraping import Scraper

COUNTS = """
import sys
from deployments.embedding_metrics import EmbeddingMetrics
from deployments.metrics import EngineMetrics, RequestMetrics
from deployments.scraping import open_directory
open_directory(sys.argv[1])
requests, engine = RequestMetrics(), EngineMetrics()
requests.finished("vqa", "ok", None, 0.1)
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

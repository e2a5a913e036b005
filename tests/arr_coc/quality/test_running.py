"""A whole run over a tiny model: asked once, gone on with, drawn and written."""

import asyncio
import io
import json
import string
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from arr_coc.profile import Gate, ModelProfile, Tier
from arr_coc.quality.__main__ import main
from arr_coc.quality.asking import Asker
from arr_coc.quality.figures import figures
from arr_coc.quality.journal import Journal
from arr_coc.quality.plotting import draw
from arr_coc.quality.report import write_json, write_markdown
from arr_coc.quality.running import plan, run
from arr_coc.quality.scenes import MIXES, scenes_exam
from tests.arr_coc import tiny

PROFILE = ModelProfile(
    direct_max_tokens=100,
    native_max_tokens=1100,
    max_budget=200,
    tiers=(Tier(from_native_tokens=0, overview_tokens=64, total_tokens=144),),
    crop_price=0.0,
)
ROOMY = Tier(from_native_tokens=0, overview_tokens=64, total_tokens=64 + 144)
EXAM = replace(scenes_exam(2, ["256-1024 px"], first_seed=900_001), max_new_tokens=2)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Journal:
    """A run that was cut off at once, then went on to its end, and one after it that finds nothing to ask."""
    path = tmp_path_factory.mktemp("quality") / "journal.jsonl"
    asker = Asker(tiny.adapter("qwen3_vl", torch.float32), PROFILE)
    asked = plan(asker, [128], ["ours", "oracle"], ["auto", "native"])
    told: list[str] = []
    try:
        with Journal(path, "tiny") as first:
            assert not asyncio.run(run(asker, EXAM, asked, first, time.monotonic() - 1, told.append))
            assert first.records == []
            assert asyncio.run(run(asker, EXAM, asked, first, float("inf"), told.append))
        size = path.stat().st_size
        with Journal(path, "tiny") as second:
            assert asyncio.run(run(asker, EXAM, asked, second, float("inf"), told.append))
        assert path.stat().st_size == size
    finally:
        asker.close()
    assert len(told) == 2
    return second


def test_records_say_what_was_spent(journal: Journal) -> None:
    questions = sum(len(paper.items) for paper in EXAM.papers())
    zoomed = [record for record in journal.records if record.way == "ours"]
    assert len(zoomed) == questions
    assert {record.route for record in zoomed} <= {"zoom", "direct"}
    for record in journal.records:
        assert 0 < record.tokens <= max(record.native, 64, record.budget or 144)
        assert record.ms > 0
        assert record.score in (0, 1)
        if record.way == "native":
            assert record.route == "direct"
            assert record.tokens == max(record.native, 64)


def test_what_is_left_out_is_not_spent() -> None:
    """A model that doubts everything and points nowhere, asked with each of its parts missing."""
    gate = Gate(certain=1.0, doubts=tuple(string.printable), looks=3, pointing=1.0)
    profile = PROFILE.model_copy(update={"heads": ((1, 0),), "gate": gate, "tiers": (ROOMY,)})
    asker = Asker(tiny.adapter("qwen3_vl", torch.float32), profile)
    (paper,) = scenes_exam(1, ["1024 px"]).papers()
    try:
        image, spent = paper.load(), {}
        for way in ("auto", "without the whole", "one look"):
            report = asyncio.run(asker.ask(asker.look(way, image, None), paper.items[0], 2))
            assert report.allocation is not None
            spent[way] = [patch.tokens for patch in report.allocation.patches]
    finally:
        asker.close()
    assert spent["auto"] == spent["one look"] == [144]
    assert len(spent["without the whole"]) > 1
    assert 144 not in spent["without the whole"]


def test_figures_are_written_and_drawn(journal: Journal, tmp_path: Path) -> None:
    found = figures(journal.records)
    write_json(tmp_path / "q.json", {"Model": "tiny"}, found)
    write_markdown(tmp_path / "q.md", {"Model": "tiny"}, found, ["q.png"])
    draw(tmp_path / "q.png", "tiny", found.curves["256-1024 px"])
    content = json.loads((tmp_path / "q.json").read_text())
    ways = {(point["way"], point["budget"]) for point in content["curves"]["256-1024 px"]["all"]}
    assert ways == {("ours", 128), ("oracle", 128), ("oracle", None), ("auto", None), ("native", None)}
    text = (tmp_path / "q.md").read_text()
    assert "| ours | 128 |" in text
    assert "![q.png](q.png)" in text
    first = (tmp_path / "q.png").read_bytes()
    draw(tmp_path / "q.png", "tiny", found.curves["256-1024 px"])
    assert (tmp_path / "q.png").read_bytes() == first


def test_scenes_of_all_mixes_come_in_turn() -> None:
    papers = list(scenes_exam(2, ["256-1024 px", "1024 px"]).papers())
    assert [paper.mix for paper in papers] == ["256-1024 px", "1024 px"] * 2
    for paper in papers[1::2]:
        width, height = Image.open(io.BytesIO(paper.load())).size
        assert width == height == 1024
    ids = [item.id for paper in papers for item in paper.items]
    assert len(set(ids)) == len(ids)
    assert all(item.print_height > 0 for p in papers for item in p.items if item.kind in ("number", "word"))
    assert set(MIXES) >= {paper.mix for paper in papers}


def test_a_benchmark_needs_its_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--benchmark", "docvqa"]) == 2
    assert "--data" in capsys.readouterr().err

"""`arr-coc cost` and `arr-coc scale`, as a user runs them."""

import json
import sys
from pathlib import Path
from typing import get_args

import pytest
from PIL import Image

from serve_app.capacity import figures
from serve_app.capacity.architectures import MODELS
from serve_app.capacity.roofline import GPUS
from serve_app.capacity.traffic import SHAPES
from serve_app.cli import planning
from tests.serve_app.capacity.test_report import REPORT
from tests.serve_app.cli.command import invoke

CONFIG = Path(__file__).parents[3] / "configs/cloud_run.yaml"
LITTLE = ("--requests", 3000)
SCALE = ("scale", "--p95", 60, "--max-instances", 1)


def test_the_choices_are_those_that_there_are() -> None:
    for option, known in ((planning.ModelName, MODELS), (planning.GpuName, GPUS), (planning.Shape, SHAPES)):
        assert set(get_args(get_args(option)[0])) == set(known)


def test_cost_compares_tokens_and_ways_and_tells_its_sources() -> None:
    told = invoke("cost", CONFIG, *LITTLE)
    assert told.exit_code == 0, told.output
    table, rest = told.stdout.split("The figures that the design began with:")
    for row in ("native (4096 tokens)", "this server (768 tokens)"):
        assert table.count(row) == 3
    for way in ("scale to zero", "one kept warm", "always on"):
        assert table.count(way) == 2
    assert rest.count("corrected: ") == 3
    known = [figure for figure in vars(figures).values() if isinstance(figure, figures.Figure)]
    assert len(known) > 10
    assert all(f"({figure.source}, {figure.date})" in rest for figure in known)


def test_cost_tells_all_of_it_as_json() -> None:
    told = json.loads(invoke("cost", CONFIG, *LITTLE, "--json").stdout)
    assert [bill["instances"] for bill in told["bills"]] == 2 * [
        "scale to zero", "one kept warm", "always on"
    ]  # fmt: skip
    assert all(bill["dollars_a_month"] > 0 and 0 <= bill["refused"] <= 1 for bill in told["bills"])
    assert len(told["constants"]) > 10
    assert len(told["began_with"]) >= 3


def test_scale_tells_the_cheapest_as_json() -> None:
    told = json.loads(invoke(*SCALE, CONFIG, *LITTLE, "--trace", "steady", "--json").stdout)
    assert told["cheapest"] == told["best"][0]
    nothing = invoke("scale", CONFIG, *LITTLE, "--p95", 0.001, "--max-instances", 1, "--json")
    assert nothing.exit_code == 1
    assert json.loads(nothing.stdout)["cheapest"] is None


def test_cost_takes_a_load_report(tmp_path: Path) -> None:
    report = tmp_path / "load.json"
    report.write_text(json.dumps(REPORT))
    told = invoke("cost", CONFIG, *LITTLE, "--report", report, "--trace", "spike")
    assert told.exit_code == 0, told.output
    assert told.stdout.count("demo, measured 2026-11-24 (64 tokens)") == 3


def test_scale_finds_the_cheapest() -> None:
    told = invoke(*SCALE, CONFIG, *LITTLE, "--trace", "steady")
    assert told.exit_code == 0, told.output
    assert "cheapest: concurrency " in told.stdout


def test_scale_says_where_nothing_will_do() -> None:
    told = invoke("scale", CONFIG, *LITTLE, "--p95", 0.001, "--max-instances", 1)
    assert told.exit_code == 1
    assert "none of these settings meets the objective" in told.stdout


@pytest.mark.parametrize("command", [("cost",), SCALE])
def test_both_draw(command: tuple[object, ...], tmp_path: Path) -> None:
    file = tmp_path / "plot.png"
    told = invoke(*command, CONFIG, *LITTLE, "--plot", file)
    assert told.exit_code == 0, told.output
    with Image.open(file) as plot:
        assert plot.format == "PNG"
        assert len(plot.convert("RGB").getcolors(1_000_000) or []) > 4


@pytest.mark.parametrize("command", [("cost",), SCALE])
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("configs/nothing.yaml",), "No such file"),
        ((CONFIG, "--report", "nothing.json"), "nothing.json: No such file"),
        ((CONFIG.with_name("local.yaml"),), "cloud_run.gpu is not nvidia-l4"),
        ((CONFIG, "--native-tokens", 90_000), "do not fit into the GPU's memory"),
    ],
)
def test_what_cannot_be_planned_is_told(
    command: tuple[object, ...], arguments: tuple[object, ...], says: str
) -> None:
    told = invoke(*command, *arguments)
    assert told.exit_code == 2
    assert says in told.stderr


def test_without_matplotlib_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "serve_app.capacity.drawing", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    told = invoke(*SCALE, CONFIG, *LITTLE, "--plot", tmp_path / "plot.png")
    assert told.exit_code == 2
    assert "arr-coc-serve[plot]" in told.stderr


def test_a_plot_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    told = invoke(*SCALE, CONFIG, *LITTLE, "--plot", tmp_path / "no" / "plot.png")
    assert told.exit_code == 1
    assert "cannot be written" in told.stderr

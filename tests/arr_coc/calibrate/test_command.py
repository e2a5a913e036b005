"""The command itself, on a tiny random model's directory."""

import json
import sys
from pathlib import Path

import pytest
import torch

from arr_coc.calibrate import __main__ as command
from arr_coc.calibrate import spending, trying
from arr_coc.profile import PROFILE_FILE, ModelProfile
from arr_coc.published import PublishedHeads
from tests.arr_coc import tiny

SETTINGS = {
    "direct_max_tokens": 64,
    "tiers": [{"from_native_tokens": 0, "overview_tokens": 64, "total_tokens": 128}],
    "crop_price": 0.0,
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("model")
    tiny.model("qwen3_vl", torch.float32).save_pretrained(str(directory))
    tiny.tokenizer().save_pretrained(str(directory))
    return directory


@pytest.fixture
def directory(weights: Path) -> Path:
    (weights / PROFILE_FILE).write_text(json.dumps(SETTINGS))
    return weights


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["calibrate", *map(str, arguments)])
    return command.main()


def test_it_writes_what_it_fitted_and_keeps_all_else(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, directory, "--scenes", 6, "--size", 640, "--spending", "keep") == 0
    written = json.loads((directory / PROFILE_FILE).read_text())
    assert {name: written[name] for name in SETTINGS} == SETTINGS
    profile = ModelProfile.load(directory)
    assert [list(head) for head in profile.heads] == written["heads"]
    told, progress = capsys.readouterr()
    assert "6 of 6 scenes" in progress
    assert "salience and information alone" in told
    assert str(directory / PROFILE_FILE) in told


def test_it_fits_what_is_spent(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """This model is never right, so that nothing beyond the overview is worth a token to it."""
    monkeypatch.setattr(trying, "MAX_NEW_TOKENS", 2)  # it never ends an answer
    monkeypatch.setattr(spending, "PRICES", (0.5,))
    assert run(monkeypatch, directory, "--scenes", 6, "--size", 512) == 0
    written = json.loads((directory / PROFILE_FILE).read_text())
    assert "as it was | no gate" in capsys.readouterr().out
    profile = ModelProfile.load(directory)
    assert profile.gate is not None
    assert written["gate"] == profile.gate.model_dump(mode="json")
    assert profile.token_price == 0.5
    assert {name: written[name] for name in SETTINGS} == SETTINGS


def test_a_dry_run_writes_nothing_and_tells_all(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run(monkeypatch, directory, "--scenes", 6, "--size", 640, "--spending", "keep", "--dry-run", "--json")
        == 0
    )
    assert json.loads((directory / PROFILE_FILE).read_text()) == SETTINGS
    told = json.loads(capsys.readouterr().out)
    assert told["written"] is None
    assert told["settings"]["heads"] == told["heads"]
    assert told["fitted_on"] + told["judged_on"] > 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--scenes", 2, "--size", 640, "--spending", "keep"], "--scenes"),
        (["--scenes", 4, "--size", 256], "--size"),
        (["--scenes", 4, "--size", 100], "size must be at least"),
        (["--scenes", 6, "--size", 640, "--heads", "published"], "--heads measured"),
    ],
)
def test_what_is_wrong_is_told_with_what_to_do(
    directory: Path,
    arguments: list[object],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, directory, *arguments) == 2
    assert told in capsys.readouterr().err
    assert json.loads((directory / PROFILE_FILE).read_text()) == SETTINGS


def test_a_directory_without_a_model_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, tmp_path) == 2
    assert "no config.json" in capsys.readouterr().err


@pytest.mark.parametrize(("choice", "taken"), [("auto", True), ("published", True), ("measured", False)])
def test_a_known_checkpoint_keeps_its_published_heads_unless_told_to_measure(
    directory: Path, choice: str, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoints themselves are gigabytes; here the tiny model passes for one."""
    known = PublishedHeads("Tiny-VL", ((2, 3), (0, 1)), ((1, 1),))
    monkeypatch.setattr(command, "published_heads", lambda config: known)
    assert (
        run(monkeypatch, directory, "--scenes", 6, "--size", 640, "--spending", "keep", "--heads", choice)
        == 0
    )
    written = json.loads((directory / PROFILE_FILE).read_text())
    assert (written["heads"] == [[2, 3], [0, 1]] and written.get("sink_heads") == [[1, 1]]) is taken


@pytest.mark.parametrize("family", ["llava", "blip-2"])
def test_a_model_that_is_never_asked_where_to_look_is_not_calibrated(
    tmp_path: Path, family: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny.model(family, torch.float32).save_pretrained(str(tmp_path))
    tiny.tokenizer().save_pretrained(str(tmp_path))
    assert run(monkeypatch, tmp_path) == 2
    assert "nothing to calibrate" in capsys.readouterr().err

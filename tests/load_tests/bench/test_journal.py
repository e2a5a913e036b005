import json
from pathlib import Path

import pytest

from load_tests.bench.journal import Journal, Key
from load_tests.bench.outcome import Cell, Outcome

SETTINGS = {"seconds": 6.0, "cpus": 2}
CELL = Cell((Outcome(0.0, 0.5, 0.25, 200, 32, True), Outcome(0.1, 0.0, 0.0, 429, 0, False)), 6.0, 20.0, 0.05)
KEY = Key("mosec", "unique", "closed-32", 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "journal.jsonl"


def test_a_cell_is_there_when_the_journal_is_opened_again(path: Path) -> None:
    Journal(path, SETTINGS).add(KEY, CELL, {"seed": "s"})
    again = Journal(path, SETTINGS)
    assert again.cells == {KEY: CELL}
    assert KEY in again
    assert Key("mosec", "unique", "closed-32", 2) not in again


def test_how_it_was_measured_is_kept_beside_it(path: Path) -> None:
    Journal(path, SETTINGS).add(KEY, CELL, {"seed": "unique own-0.8 1"})
    assert json.loads(path.read_text().splitlines()[1])["seed"] == "unique own-0.8 1"


@pytest.mark.parametrize("cut", [1, 30, 100])
def test_a_line_that_was_cut_off_is_measured_again(path: Path, cut: int) -> None:
    journal = Journal(path, SETTINGS)
    journal.add(KEY, CELL, {})
    whole = path.read_text()
    other = Key("mosec", "unique", "closed-32", 2)
    journal.add(other, CELL, {})
    path.write_text(path.read_text()[: len(whole) + cut])
    again = Journal(path, SETTINGS)
    assert set(again.cells) == {KEY}
    again.add(other, CELL, {})
    assert set(Journal(path, SETTINGS).cells) == {KEY, other}


def test_cells_of_other_settings_are_not_mixed_in(path: Path) -> None:
    Journal(path, SETTINGS).add(KEY, CELL, {})
    with pytest.raises(ValueError, match="was measured with"):
        Journal(path, {**SETTINGS, "seconds": 9.0})


def test_a_report_takes_the_settings_as_they_are(path: Path) -> None:
    Journal(path, SETTINGS)
    assert Journal(path, {}).settings == SETTINGS

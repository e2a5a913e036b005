"""How far a download is, as others read it."""

from pathlib import Path

from arr_coc.model.sources.progress import Meter, read
from arr_coc.status import Loading


def test_speed_counts_what_has_arrived_and_not_what_was_here(tmp_path: Path) -> None:
    path, now = tmp_path / "progress.json", [0.0]
    meter = Meter(path, 1000, lambda: now[0])
    meter.found(400)
    meter.add(50)
    assert read(path) is None  # too soon to tell a speed
    now[0] = 2.0
    meter.add(150)
    assert read(path) == Loading(600, 1000, 4.0)
    now[0] = 2.1
    meter.add(100)
    assert read(path) == Loading(600, 1000, 4.0)


def test_what_cannot_be_read_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "progress.json").write_text("{")
    assert read(tmp_path / "progress.json") is None

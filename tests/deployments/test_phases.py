"""Phases of a start, as another process reads them."""

from pathlib import Path

from deployments.phases import Phases, Span, read_phases


def test_each_ends_with_the_next_and_what_comes_twice_adds_up(tmp_path: Path) -> None:
    now = 100.0
    phases = Phases(tmp_path, lambda: now)
    phases.begin("imports")
    assert read_phases(tmp_path) == {"imports": Span(100.0, None)}
    now = 103.0
    phases.begin("weights")
    now = 104.0
    phases.begin("imports")
    now = 104.5
    phases.end()
    assert read_phases(tmp_path) == {"imports": Span(100.0, 3.5), "weights": Span(103.0, 1.0)}


def test_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    assert read_phases(tmp_path / "gone") == {}
    Phases(tmp_path / "gone").begin("imports")

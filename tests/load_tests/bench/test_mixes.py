import io
import json
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from load_tests.bench import mixes
from load_tests.bench.mixes import MIXES, MOST_TOKENS, TIMES, TOGETHER, Requests, draw


@given(index=st.integers(0, 10**6))
def test_lengths_are_within_their_bounds_and_the_same_every_time(index: int) -> None:
    lengths = MIXES["lengths"].max_tokens(index)
    assert 1 <= lengths <= MOST_TOKENS
    assert MIXES["lengths-60m"].max_tokens(index) == lengths
    assert MIXES["unique"].max_tokens(index) == 32


@given(block=st.integers(0, 1000))
def test_a_repeated_mix_asks_four_times_about_each_of_a_few_pictures(block: int) -> None:
    size = TIMES * TOGETHER
    seen = Counter(MIXES["repeated"].picture(index) for index in range(block * size, (block + 1) * size))
    assert set(seen) == set(range(block * TOGETHER, (block + 1) * TOGETHER))
    assert set(seen.values()) == {TIMES}


def test_other_mixes_ask_about_each_picture_once() -> None:
    assert [MIXES["unique"].picture(index) for index in range(5)] == [0, 1, 2, 3, 4]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixes, "SCENES", {"small": 2, "mixed": 2, "large": 1})


@pytest.mark.usefixtures("few")
def test_pictures_are_all_different_and_know_their_answers(tmp_path: Path) -> None:
    draw(tmp_path, "small")
    with zipfile.ZipFile(tmp_path / "small.zip") as file:
        lines = [json.loads(line) for line in file.read("index.jsonl").splitlines()]
        pictures = [Image.open(io.BytesIO(file.read(line["file"]))).tobytes() for line in lines]
    assert len(set(pictures)) == len(pictures) == 2 * mixes.VARIANTS
    assert all(line["expected"] for line in lines)


@pytest.mark.usefixtures("few")
def test_requests_begin_anew_after_the_last_picture(tmp_path: Path) -> None:
    draw(tmp_path, "small")
    requests = Requests(MIXES["unique"], tmp_path)
    assert requests[2 * mixes.VARIANTS] == requests[0]
    assert requests[0].picture != requests[1].picture
    assert requests[0].forced


@pytest.mark.usefixtures("few")
def test_real_questions_end_where_the_model_ends_them(tmp_path: Path) -> None:
    draw(tmp_path, "mixed")
    request = Requests(MIXES["questions"], tmp_path)[0]
    assert not request.forced
    assert request.expected


@pytest.mark.usefixtures("few")
def test_what_lies_there_is_not_drawn_again(tmp_path: Path) -> None:
    (tmp_path / "small.zip").write_text("as it was")
    draw(tmp_path, "small")
    assert (tmp_path / "small.zip").read_text() == "as it was"

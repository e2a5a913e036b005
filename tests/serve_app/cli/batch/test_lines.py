"""What the lines of a batch ask, and what is said of those that cannot be sent."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.cli.batch import lines as module
from serve_app.cli.batch.lines import Line, UnfitLine, read_lines
from tests.serve_app.fakes import PNG, data_url


def read(text: bytes) -> list[Line]:
    return list(read_lines(io.BytesIO(text)))


def only(value: object) -> Line:
    (line,) = read(json.dumps(value).encode())
    return line


def unfit(line: Line, directory: Path) -> dict[str, Any]:
    with pytest.raises(UnfitLine) as raised:
        line.body(directory)
    return raised.value.error


def test_a_line_is_known_by_its_id_or_its_number() -> None:
    told = read(b'{"id": "a", "query": "x"}\n\n{"query": "y"}\r\n  \n{"id": 0}')
    assert [line.id for line in told] == ["a", 3, 0]
    assert [line.fields for line in told] == [{"query": "x"}, {"query": "y"}, {}]


def test_offsets_lead_behind_each_line() -> None:
    text = b'{"id": "a"}\n\n{}\nnonsense\n{}'
    assert [text[: line.end].count(b"\n") for line in read(text)] == [1, 3, 4, 4]
    assert read(text)[-1].end == len(text)


def test_all_but_the_id_is_sent_as_it_stands(tmp_path: Path) -> None:
    fields = {"query": "\u2028", "image": data_url(), "max_tokens": "seven", "unknown": [1.5, None]}
    assert json.loads(only({"id": 7, **fields}).body(tmp_path)) == fields


def test_a_path_is_relative_to_the_directory_and_becomes_the_picture(tmp_path: Path) -> None:
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "picture.png").write_bytes(PNG)
    for path in ("some/picture.png", str(tmp_path / "some" / "picture.png")):
        image = json.loads(only({"image": path}).body(tmp_path))["image"]
        assert base64.b64decode(image.partition(";base64,")[2]) == PNG


@pytest.mark.parametrize("image", [7, None, "https://host/picture.png", "data:text/plain,x"])
def test_what_is_neither_a_path_is_the_servers_to_judge(tmp_path: Path, image: object) -> None:
    assert json.loads(only({"image": image}).body(tmp_path)) == {"image": image}


@pytest.mark.parametrize("path", ["nothing.png", ".", "", "nul\0l", "x" * 5000])
def test_a_picture_that_cannot_be_read_is_told(tmp_path: Path, path: str) -> None:
    error = unfit(only({"image": path}), tmp_path)
    assert (error["code"], error["param"]) == ("image_unreadable", "image")


def test_a_picture_that_no_server_takes_is_not_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_PICTURE_BYTES", 10)
    (tmp_path / "large.png").write_bytes(bytes(11))
    assert unfit(only({"image": "large.png"}), tmp_path)["code"] == "image_too_large"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"{", "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        (b'{"temperature": NaN}', "invalid_json"),
        (b'{"temperature": 1e999}', "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b'{"id": ' + b"9" * 5000 + b"}", "invalid_json"),
        (b"[]", "invalid_type"),
        (b"null", "invalid_type"),
        (b'{"id": null}', "invalid_value"),
        (b'{"id": true}', "invalid_value"),
        (b'{"id": 1.5}', "invalid_value"),
        (b'{"id": {}}', "invalid_value"),
    ],
)
def test_a_line_that_is_no_request_is_told_by_its_number(tmp_path: Path, text: bytes, code: str) -> None:
    _, line = read(b"{}\n" + text)
    assert line.id == 2
    assert unfit(line, tmp_path)["code"] == code


def test_an_endless_line_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LINE_BYTES", 16)
    text = b'{"query": "' + b"x" * 100 + b'"}\n{"id": "next"}\n'
    first, second = read(text)
    assert unfit(first, tmp_path)["code"] == "line_too_long"
    assert (second.id, second.end) == ("next", len(text))


@given(st.binary())
def test_any_bytes_give_one_request_for_each_line_that_is_not_blank(text: bytes) -> None:
    told = read(text)
    assert len(told) == sum(bool(line.strip()) for line in text.split(b"\n"))
    assert [line.end for line in told] == sorted({line.end for line in told})

"""``/predict`` tells which labels a picture shows, as JSON and as a form."""

from typing import Any

import pytest

from arr_coc.errors import ModelFault
from tests.serve_app.fakes import PNG, data_url
from tests.serve_app.site import Site, assert_error

BODY = {"image": data_url(), "labels": ["cat", "dog", "mat"]}


async def test_labels_come_likeliest_first(site: Site) -> None:
    reply = await site.client.post("/predict", json={**BODY, "template": "a {}, seen"})
    assert reply.json() == {
        "predictions": [
            {"label": "mat", "probability": 3 / 6},
            {"label": "dog", "probability": 2 / 6},
            {"label": "cat", "probability": 1 / 6},
        ],
        "independent": False,
        "usage": {"prompt_tokens": 9, "total_tokens": 9},
        "timings_ms": {"total": 2.0},
        "model": "fake-clip",
        "request_id": reply.headers["x-request-id"],
    }
    (ask,) = site.embedding.asks
    assert ask.inputs == (PNG, "a cat, seen", "a dog, seen", "a mat, seen")
    assert ask.names == ("image", "labels[0]", "labels[1]", "labels[2]")
    assert site.ledger.entries[-1] == ("predict", "ok")


async def test_a_form_repeats_its_labels(site: Site) -> None:
    form = {"labels": ["cat", "a dog, or two"], "template": "{}!"}
    reply = await site.client.post("/predict", data=form, files={"image": PNG})
    assert {each["label"] for each in reply.json()["predictions"]} == {"cat", "a dog, or two"}
    assert site.embedding.asks[0].inputs == (PNG, "cat!", "a dog, or two!")
    alone = await site.client.post("/predict", data={"labels": "cat"}, files={"image": PNG})
    assert alone.json()["predictions"] == [{"label": "cat", "probability": 1.0}]


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"image": ...}, "missing_field", "image"),
        ({"image": 7}, "invalid_data_url", "image"),
        ({"labels": ...}, "missing_field", "labels"),
        ({"labels": []}, "invalid_value", "labels"),
        ({"labels": "cat"}, "invalid_value", "labels"),
        ({"labels": ["cat", ""]}, "invalid_value", "labels[1]"),
        ({"labels": ["cat", 7]}, "invalid_value", "labels[1]"),
        ({"labels": ["cat"] * 9}, "invalid_value", "labels"),
        ({"labels": ["cat", "b" * 1001]}, "context_length_exceeded", "labels[1]"),
        ({"template": "no place"}, "invalid_value", "template"),
        ({"template": "{} and {}"}, "invalid_value", "template"),
        ({"template": "x" * 1001 + "{}"}, "context_length_exceeded", "template"),
        ({"surprise": 1}, "unknown_field", None),
    ],
)
async def test_what_cannot_be_predicted_is_refused_by_name(
    site: Site, fields: dict[str, Any], code: str, param: str | None
) -> None:
    body = {name: value for name, value in {**BODY, **fields}.items() if value is not ...}
    assert assert_error(await site.client.post("/predict", json=body), 400, code)["param"] == param
    assert site.embedding.asks == []


async def test_other_bodies_and_faults_are_told_as_everywhere(site: Site) -> None:
    assert_error(await site.client.post("/predict", json=["cat"]), 400, "invalid_type")
    assert_error(await site.client.post("/predict", content=b"cat"), 415, "unsupported_media_type")
    site.embedding.error = ModelFault("nan")
    assert_error(await site.client.post("/predict", json=BODY), 500, "model_fault")

"""Batches: a list in, a list out, in order, each item on its own."""

import asyncio
from typing import Any

import pytest

from arr_coc.answers import Report
from arr_coc.errors import ModelFault
from arr_coc.types import Ask, TexturedPicture
from serve_app.admission import AdmissionConfig
from tests.serve_app.fakes import FakeGeneration, question, report
from tests.serve_app.site import Site, assert_error, in_process


async def test_results_come_in_order_each_an_answer_or_its_own_error(site: Site) -> None:
    batch: list[Any] = [
        question(query="a b"),
        question(max_tokens=0),
        7,
        question(image="x"),
        question(query="c"),
    ]
    response = await site.client.post("/batch_predict", json=batch, headers={"x-request-id": "id"})
    assert response.status_code == 200
    first, *bad, last = response.json()
    assert (first["answer"], first["request_id"]) == ("a b", "id-0")
    assert (last["answer"], last["request_id"]) == ("c", "id-4")
    assert [item["error"]["code"] for item in bad] == ["invalid_value", "invalid_type", "invalid_data_url"]
    outcomes = [outcome for endpoint, outcome in site.ledger.entries if endpoint == "batch_item"]
    assert sorted(outcomes) == ["invalid"] * 3 + ["ok"] * 2
    assert site.ledger.entries[-1] == ("batch_predict", "ok")


async def test_items_run_side_by_side_and_fail_alone(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    together = asyncio.Barrier(64)

    async def answer(self: FakeGeneration, ask: Ask, *pictures: TexturedPicture) -> Report:
        await together.wait()
        if ask.query == "7":
            raise RuntimeError("secret")
        if ask.query == "8":
            raise ModelFault("the model failed")
        return report(ask.query)

    monkeypatch.setattr(FakeGeneration, "answer", answer)
    response = await site.client.post("/batch_predict", json=[question(query=str(n)) for n in range(64)])
    results = response.json()
    assert [result.get("answer") for result in results[9:]] == [str(n) for n in range(9, 64)]
    assert results[7]["error"]["code"] == "internal_error"
    assert results[8]["error"]["code"] == "model_fault"
    assert "secret" not in response.text


async def test_every_item_takes_a_place() -> None:
    async with in_process(admission=AdmissionConfig(max_in_flight=2)) as site:
        site.generation.before = lambda: asyncio.sleep(0)
        results = (await site.client.post("/batch_predict", json=[question()] * 3)).json()
        assert ["answer" in result for result in results] == [True, True, False]
        assert results[2]["error"]["code"] == "overloaded"
        assert site.pipeline.in_flight == 0


@pytest.mark.parametrize("batch", [[], {}, "x", 7, [1] * 65])
async def test_what_is_no_batch_is_refused_as_a_whole(site: Site, batch: Any) -> None:
    assert_error(await site.client.post("/batch_predict", json=batch), 400, "invalid_batch")


async def test_a_batch_is_json(site: Site) -> None:
    response = await site.client.post("/batch_predict", files={"image": b"x"})
    assert_error(response, 415, "unsupported_media_type")

"""The routes: what a client gets for a good request, and what every response carries."""

import asyncio
import json
import logging
from dataclasses import replace

import pytest

from arr_coc.errors import (
    ContextLengthExceeded,
    DeadlineExceeded,
    EngineClosed,
    InvalidImage,
    InvalidRequest,
    ModelFault,
    Overloaded,
)
from arr_coc.status import EngineStatus, Loading
from deployments.logs import JsonLines
from serve_app.admission import AdmissionConfig
from serve_app.errors import StageCrashed
from tests.serve_app.fakes import ALLOCATION, PNG, READY, question
from tests.serve_app.site import Site, assert_error, in_process, until, until_healthy


async def test_json_and_form_ask_the_same(site: Site) -> None:
    options = {"max_tokens": 7, "temperature": 0.5, "top_p": 0.9, "seed": 3, "visual_token_budget": 99}
    await site.vqa(query="was ist das? \N{SNOWMAN}", ignore_eos=True, **options)
    form = {name: str(value) for name, value in options.items()}
    await site.client.post(
        "/vqa",
        data={"query": "was ist das? \N{SNOWMAN}", "ignore_eos": "true", **form},
        files={"image": ("a.txt", PNG, "text/plain")},
    )
    first, second = site.texture.asks
    assert replace(first, request_id="", remaining_s=0) == replace(second, request_id="", remaining_s=0)
    assert first.sampling.max_new_tokens == 7
    assert first.sampling.ignore_eos
    assert site.texture.images == [PNG, PNG]


async def test_the_reply_tells_everything(site: Site) -> None:
    response = await site.vqa(query="what is it")
    assert response.status_code == 200
    reply = response.json()
    assert reply.pop("request_id") == response.headers["x-request-id"]
    scores = {"propositional": 0.1, "perspectival": 0.2, "participatory": 0.3, "relevance": 0.4}
    assert reply == {
        "answer": "what is it",
        "total_visual_tokens": 142,
        "avg_tokens_per_patch": 68.0,
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 150, "completion_tokens": 3, "total_tokens": 153},
        "route": "zoom",
        "image": {"width": 96, "height": 64},
        "overview": {"rows": 2, "cols": 3, "tokens": 6},
        "native_visual_tokens": 600,
        "patches": [
            {"box": [0, 1, 33, 33], "tokens": 64, "rows": 8, "cols": 8, "scores": scores},
            {"box": [60, 30, 96, 64], "tokens": 72, "rows": 8, "cols": 9, "scores": scores},
        ],
        "balance": {"propositional": 0.25, "perspectival": 0.25, "participatory": 0.5},
        "timings_ms": {"texture": 1.235, "total": 20.0},
        "model": "fake",
    }


async def test_explain_adds_the_maps(site: Site) -> None:
    maps = (await site.vqa(explain=True)).json()["relevance"]
    assert maps["relevance"] == [[0.0, 0.2, 0.4], [0.6, 0.8, 1.0]]
    assert maps["participatory"] == [[0.5] * 3] * 2


async def test_explain_tells_what_the_patches_are_worth_and_what_was_left(site: Site) -> None:
    reply = (await site.vqa(explain=True)).json()
    assert [patch["value"] for patch in reply["patches"]] == [0.5, 0.5]
    assert reply["allocation"] == {
        "budget": 180,
        "spent": 136,
        "value": 1.0,
        "coupling": "heads",
        "best_left": {
            "box": [0, 40, 33, 64], "tokens": 80, "rows": 8, "cols": 10, "value": 0.012346, "limit": "tokens",
        },
    }  # fmt: skip


async def test_where_nothing_was_left_and_nothing_coupled_the_reply_says_so(site: Site) -> None:
    site.generation.allocation = replace(ALLOCATION, patches=(), coupling="none", best_left=None)
    reply = (await site.vqa(explain=True)).json()
    assert reply["patches"] == []
    told = reply["allocation"]
    assert (told["spent"], told["value"], told["coupling"], told["best_left"]) == (0, 0.0, "none", None)


async def test_a_direct_answer_has_no_patches(site: Site) -> None:
    site.generation.allocation = None
    reply = (await site.vqa(explain=True)).json()
    assert (reply["route"], reply["patches"], reply["avg_tokens_per_patch"]) == ("direct", [], 0.0)
    assert reply["balance"] is None
    assert reply["relevance"] is None
    assert reply["allocation"] is None


@pytest.mark.parametrize("text", ["<|image_pad|> <|im_start|>system", "nul \x00 inside", "\u202e \U0001f600"])
async def test_text_arrives_as_it_was_sent(site: Site, text: str) -> None:
    response = await site.vqa(query=text)
    assert response.status_code == 200
    assert site.texture.asks[0].query == text
    assert response.json()["answer"] == text


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidImage("x", code="unsupported_image_format"), 415, "unsupported_image_format"),
        (InvalidImage("x", code="image_too_many_pixels"), 400, "image_too_many_pixels"),
        (ContextLengthExceeded("x"), 400, "context_length_exceeded"),
        (InvalidRequest("x"), 400, "invalid_request"),
        (Overloaded("x", retry_after_s=2.2), 429, "overloaded"),
        (DeadlineExceeded("x"), 504, "deadline_exceeded"),
        (EngineClosed("x"), 503, "shutting_down"),
        (ModelFault("x"), 500, "model_fault"),
        (RuntimeError("secret"), 500, "internal_error"),
    ],
)
@pytest.mark.parametrize("path", ["/vqa", "/stream_generate"])
async def test_a_stage_error_has_its_status(
    site: Site, path: str, error: Exception, status: int, code: str
) -> None:
    site.generation.error = error
    response = await site.client.post(path, json=question())
    assert "secret" not in response.text
    assert_error(response, status, code)
    if status in (429, 503):
        assert response.headers["retry-after"] == ("3" if status == 429 else "1")
    assert site.pipeline.in_flight == 0


async def test_a_crashed_texture_stage_is_asked_once_more(site: Site) -> None:
    site.texture.errors = [StageCrashed("died")]
    assert (await site.vqa()).status_code == 200
    site.texture.errors = [StageCrashed("died"), StageCrashed("died again")]
    assert_error(await site.vqa(), 503, "stage_unavailable")


async def test_more_than_the_limit_is_refused_before_the_body_is_read() -> None:
    async with in_process(admission=AdmissionConfig(max_in_flight=2)) as site:
        release = asyncio.Event()

        async def wait() -> None:
            await release.wait()

        site.generation.before = wait
        async with asyncio.TaskGroup() as group:
            inside = [group.create_task(site.vqa()) for _ in range(2)]
            await until(lambda: site.pipeline.in_flight == 2)
            refused = await site.client.post(
                "/vqa", content=b"not even read", headers={"content-type": "application/json"}
            )
            assert_error(refused, 429, "overloaded")
            assert int(refused.headers["retry-after"]) >= 1
            release.set()
        assert [task.result().status_code for task in inside] == [200, 200]
        assert (await site.vqa()).status_code == 200


async def test_a_request_is_over_at_its_deadline() -> None:
    async with in_process(admission=AdmissionConfig(deadline_s=0.02)) as site:
        site.generation.before = asyncio.Event().wait
        assert_error(await site.vqa(), 504, "deadline_exceeded")
        assert site.generation.cancelled.is_set()
        assert site.pipeline.in_flight == 0


async def test_a_client_that_waits_less_is_over_when_it_says() -> None:
    async with in_process() as site:
        site.generation.before = asyncio.Event().wait
        site.client.headers["x-request-timeout"] = "1"
        assert_error(await site.vqa(), 504, "deadline_exceeded")
        assert site.generation.cancelled.is_set()
        assert site.pipeline.in_flight == 0


@pytest.mark.parametrize("stated", ["soon", "0.9", "-1", "nan", "inf", ""])
async def test_no_time_to_wait_is_told(site: Site, stated: str) -> None:
    site.client.headers["x-request-timeout"] = stated
    error = assert_error(await site.vqa(), 400, "invalid_request")
    assert error["param"] == "x-request-timeout"


async def test_health_gives_device_model_and_versions(site: Site) -> None:
    health = (await site.client.get("/health")).json()
    assert health["status"] == "ok"
    assert (health["model"], health["device"]) == ("fake", "cpu")
    assert health["versions"] == {"arr-coc-serve": "0"}
    assert health["visual_tokens"] == {"smallest_budget": 64, "largest_budget": 1024, "side": 32}
    assert (await site.client.get("/live")).status_code == 200


async def test_health_does_not_wait_for_an_engine_that_does_not_answer(site: Site) -> None:
    looking = asyncio.Event()

    async def hang() -> EngineStatus:
        looking.set()
        await asyncio.Event().wait()
        raise AssertionError

    site.generation.look = hang
    await looking.wait()
    assert (await site.client.get("/health")).status_code == 200


async def test_while_the_model_loads_work_is_refused_with_the_reason(site: Site) -> None:
    site.generation.state = replace(READY, ready=False, detail="loading weights")
    health = await until_healthy(site, 503)
    assert health.json()["reason"] == "loading weights"
    assert_error(await site.vqa(), 503, "not_ready")
    assert (await site.client.get("/live")).status_code == 200


async def test_while_the_model_is_downloaded_health_tells_how_far(site: Site) -> None:
    loading = Loading(bytes_done=512, bytes_total=1024, seconds_left=3.5)
    site.generation.state = replace(
        READY, ready=False, detail="downloading the model", phase="download", loading=loading
    )
    health = await until_healthy(site, 503)
    assert health.json() == {
        "status": "loading",
        "reason": "downloading the model",
        "phase": "download",
        "loading": {"bytes_done": 512, "bytes_total": 1024, "seconds_left": 3.5},
    }


async def test_metrics_are_told_what_health_says(site: Site) -> None:
    await until(lambda: site.ledger.is_ready)
    site.generation.state = replace(READY, ready=False, detail="loading weights")
    await until_healthy(site, 503)
    await until(lambda: site.ledger.is_ready is False)
    site.generation.state = READY
    await until(lambda: site.ledger.is_ready)
    await site.pipeline.drain(timeout_s=0)
    await until(lambda: not site.ledger.is_ready)


async def test_draining_refuses_new_work_and_finishes_what_is_in_flight(site: Site) -> None:
    release = asyncio.Event()
    site.generation.before = release.wait
    inside = asyncio.create_task(site.vqa())
    await until(lambda: site.generation.asks)
    assert not await site.pipeline.drain(timeout_s=0)
    refused = await site.vqa()
    assert_error(refused, 429, "shutting_down")
    assert int(refused.headers["retry-after"]) >= 1
    assert (await site.client.get("/health")).status_code == 503
    release.set()
    assert (await inside).status_code == 200
    assert await site.pipeline.drain(timeout_s=5)


async def test_draining_is_told_before_a_missing_model(site: Site) -> None:
    site.generation.state = replace(READY, ready=False, detail="closed")
    await until_healthy(site, 503)
    await site.pipeline.drain(timeout_s=0)
    assert_error(await site.vqa(), 429, "shutting_down")


async def test_metrics_may_be_rendered_at_once_or_awaited(site: Site) -> None:
    async def later() -> bytes:
        return b"up 2\n"

    response = await site.client.get("/metrics")
    assert (response.status_code, response.content) == (200, b"up 1\n")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    async with in_process(metrics=later) as other:
        assert (await other.client.get("/metrics")).content == b"up 2\n"


@pytest.mark.parametrize(
    ("given", "kept"), [("a.B-c_9", True), ("", False), ("x" * 65, False), ("a b", False)]
)
async def test_request_ids_are_kept_when_sane(site: Site, given: str, kept: bool) -> None:
    response = await site.client.post("/vqa", json=question(), headers={"x-request-id": given})
    request_id = response.headers["x-request-id"]
    assert (request_id == given) == kept
    assert request_id
    assert site.texture.asks[0].request_id == request_id == response.json()["request_id"]


async def test_every_request_leaves_one_line_and_one_outcome(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "serve_app.request"):
        await site.client.post("/vqa", json=question(), headers={"x-request-id": "good"})
        await site.client.post("/vqa", json=question(top_p=2), headers={"x-request-id": "bad"})
        await site.client.get("/favicon.ico")
        await site.client.get("/health")
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records]
    told = [(line["request_id"], line["endpoint"], line["status"], line["outcome"]) for line in lines[:2]]
    assert told == [("good", "vqa", 200, "ok"), ("bad", "vqa", 400, "invalid")]
    assert (lines[0]["route"], lines[1]["code"]) == ("zoom", "invalid_value")
    assert [lines[0][f"{kind}_tokens"] for kind in ("prompt", "completion", "visual")] == [150, 3, 142]
    assert lines[0]["timings_ms"] == {"texture": 1.23456, "total": 20.0}
    assert "what is it" not in caplog.text
    assert len(lines) == 3
    assert site.ledger.entries == [("vqa", "ok"), ("vqa", "invalid"), ("other", "invalid")]
    assert site.ledger.codes == [None, "invalid_value", "not_found"]


async def test_other_paths_and_methods_have_the_same_error_shape(site: Site) -> None:
    assert_error(await site.client.get("/nowhere"), 404, "not_found")
    assert_error(await site.client.post("/vqa/", json=question()), 404, "not_found")
    refused = await site.client.get("/vqa")
    assert_error(refused, 405, "method_not_allowed")
    assert refused.headers["allow"] == "POST"
    assert_error(await site.client.post("/health"), 405, "method_not_allowed")

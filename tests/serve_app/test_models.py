"""Several models behind one server: who answers, what is listed, and what is told while one is loaded."""

import asyncio
from dataclasses import replace

import pytest

from arr_coc.status import Loading
from tests.serve_app.fakes import READY, question
from tests.serve_app.site import Site, assert_error, events_of, until_healthy

TWO = replace(READY, model="one", models={"one": "loaded", "two": "absent"})


async def _told(site: Site) -> None:
    """Waits until the site has looked again."""
    async with asyncio.timeout(5):
        while (await site.client.get("/health")).json().get("model") != site.generation.state.model:
            await asyncio.sleep(0.005)


@pytest.fixture
async def two(site: Site) -> Site:
    site.generation.state = TWO
    await _told(site)
    return site


async def test_a_request_chooses_its_model_and_without_a_choice_the_default_one_answers(two: Site) -> None:
    for chosen, asked, told in (
        ({}, "", "one"),
        ({"model": None}, "", "one"),
        ({"model": "two"}, "two", "two"),
    ):
        reply = await two.vqa(**chosen)
        assert (reply.status_code, reply.json()["model"]) == (200, told)
        assert two.texture.asks[-1].model == two.generation.asks[-1].model == asked


async def test_a_form_and_a_stream_choose_too(two: Site) -> None:
    form = {name: value for name, value in question(model="two").items() if name != "image"}
    reply = await two.client.post("/vqa", data=form, files={"image": b"x"})
    assert reply.json()["model"] == "two"
    stream = await two.client.post("/stream_generate", json=question(model="two"))
    assert events_of(stream.text)[-2][1]["model"] == "two"


async def test_openais_clients_see_all_of_them(two: Site) -> None:
    listed = (await two.client.get("/v1/models")).json()["data"]
    assert [model["id"] for model in listed] == ["one", "two", "fake-clip"]
    assert (await two.client.get("/v1/models/two")).json()["id"] == "two"
    body = {"model": "two", "messages": [{"role": "user", "content": "hello"}]}
    reply = await two.client.post("/v1/chat/completions", json=body)
    assert (reply.status_code, reply.json()["model"]) == (200, "two")
    assert two.generation.asks[-1].model == "two"


async def test_one_that_is_not_served_is_told_by_the_field(two: Site) -> None:
    assert assert_error(await two.vqa(model="three"), 404, "model_not_found")["param"] == "model"
    reply = await two.client.post("/batch_predict", json=[question(model="three"), question(model="two")])
    refused, answered = reply.json()
    assert refused["error"]["code"] == "model_not_found"
    assert answered["model"] == "two"


async def test_one_that_is_not_in_memory_is_announced_while_its_picture_is_prepared(two: Site) -> None:
    await two.vqa(model="two")
    await two.vqa(model="one")
    assert two.generation.expected == ["two"]


async def test_a_model_that_is_loaded_when_asked_for_does_not_make_the_server_unready(site: Site) -> None:
    site.generation.state = replace(
        READY, model="one", models={"one": "loading"}, phase="weights", loading=Loading(1, 4, 3.0)
    )
    await _told(site)
    health = await until_healthy(site, 200)
    told = health.json()
    assert (told["status"], told["models"]) == ("loading", {"one": "loading"})
    assert told["loading"] == {"bytes_done": 1, "bytes_total": 4, "seconds_left": 3.0}
    assert (await site.vqa()).status_code == 200

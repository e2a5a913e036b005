"""`arr-coc ask` against a server with fake stages, and against the bundled model in this process."""

import asyncio
import io
import itertools
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from arr_coc.demo.scenes import render, sample_scene
from arr_coc.errors import InvalidImage, ModelFault
from tests.serve_app.access.test_gate import KEY, KEYS
from tests.serve_app.cli.command import invoke, invoke_beside
from tests.serve_app.fakes import PNG, FakeGeneration
from tests.serve_app.site import Site, on_socket

QUESTION = "what is it \u2028 there"


@pytest.fixture
async def served() -> AsyncIterator[Site]:
    async with on_socket() as site:
        yield site


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    path.write_bytes(PNG)
    return path


def url(site: Site) -> str:
    return f"http://127.0.0.1:{site.port}"


async def test_the_answer_is_printed_and_what_it_cost_told_beside_it(served: Site, picture: Path) -> None:
    told = await invoke_beside("ask", picture, QUESTION, "--url", url(served))
    assert (told.exit_code, told.stdout) == (0, QUESTION + "\n")
    assert told.stderr == "142 visual tokens, 600 at native resolution; 0.02 s\n"
    assert served.texture.images == [PNG]


async def test_text_is_printed_before_the_answer_is_complete(
    picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed, loop, words = asyncio.Event(), asyncio.get_running_loop(), itertools.count()

    async def before_a_word() -> None:
        if next(words) == 1:
            await asyncio.wait_for(printed.wait(), 10)

    def echo(text: str = "", **options: object) -> None:
        if text == "one":
            loop.call_soon_threadsafe(printed.set)

    monkeypatch.setattr("serve_app.cli.ask.typer.echo", echo)
    async with on_socket(generation=FakeGeneration(before=before_a_word)) as site:
        told = await invoke_beside("ask", picture, "one two", "--url", url(site))
    assert told.exit_code == 0


async def test_options_reach_the_server(served: Site, picture: Path) -> None:
    options = ("--url", url(served), "--budget", 128, "--max-tokens", 7)
    assert (await invoke_beside("ask", picture, "what", *options)).exit_code == 0
    (ask,) = served.generation.asks
    assert (ask.visual_token_budget, ask.sampling.max_new_tokens) == (128, 7)


async def test_json_is_the_whole_reply(served: Site, picture: Path) -> None:
    told = await invoke_beside("ask", picture, QUESTION, "--url", url(served), "--json")
    whole = (await served.vqa(query=QUESTION, explain=True)).json()
    assert {**json.loads(told.stdout), "request_id": ""} == {**whole, "request_id": ""}
    assert told.stderr == ""


async def test_what_was_seen_is_drawn_on_the_terminal(served: Site, picture: Path) -> None:
    told = await invoke_beside("ask", picture, "what", "--url", url(served), "--show", "-", "--json")
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["patches"]
    assert "\x1b[38;2;" in told.stderr
    assert " tokens at " in told.stderr.splitlines()[-1]


async def test_what_was_looked_at_is_drawn_over_the_picture(
    served: Site, picture: Path, tmp_path: Path
) -> None:
    drawn = tmp_path / "drawn.png"
    told = await invoke_beside("ask", picture, "what", "--url", url(served), "--show", drawn)
    assert told.exit_code == 0, told.output
    with Image.open(drawn) as figure:
        assert (figure.format, figure.width) == ("PNG", 96)
        assert figure.height > 64


async def test_no_model_steers_the_terminal(served: Site, picture: Path) -> None:
    told = await invoke_beside("ask", picture, "red \x1b[31m\x9b \r bell\x07", "--url", url(served))
    assert told.stdout == "red \ufffd[31m\ufffd \ufffd bell\ufffd\n"


async def test_the_servers_own_message_is_told(served: Site, picture: Path) -> None:
    served.texture.errors = [InvalidImage("the picture is empty")]
    told = await invoke_beside("ask", picture, "what", "--url", url(served))
    assert (told.exit_code, told.stdout, told.stderr) == (1, "", "arr-coc: the picture is empty\n")


async def test_a_key_is_shown_where_one_is_asked_for(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_socket(keys=KEYS) as site:
        told = await invoke_beside("ask", picture, "what", "--url", url(site))
        assert (told.exit_code, "valid API key" in told.stderr) == (1, True)
        told = await invoke_beside("ask", picture, "what", "--url", url(site), "--api-key", KEY)
        assert told.exit_code == 0, told.output
        monkeypatch.setenv("ARR_COC_API_KEY", KEY)
        told = await invoke_beside("ask", picture, "what", "--url", url(site))
        assert told.exit_code == 0, told.output
    told = await invoke_beside("ask", picture, "what", "--api-key", "a\u00e9")
    assert (told.exit_code, "characters" in told.stderr) == (2, True)


async def test_an_error_on_the_way_is_told_too(served: Site, picture: Path) -> None:
    served.generation.error, served.generation.words_before_error = ModelFault("the model failed"), 1
    told = await invoke_beside("ask", picture, "one two", "--url", url(served))
    assert (told.exit_code, told.stdout, told.stderr) == (1, "one\n", "arr-coc: the model failed\n")


async def test_another_server_is_told_from_ours(served: Site, picture: Path) -> None:
    told = await invoke_beside("ask", picture, "what", "--url", url(served) + "/elsewhere")
    assert told.exit_code == 1


def test_nobody_there_says_how_to_start_one(picture: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    told = invoke("ask", picture, "what", "--url", address)
    assert told.exit_code == 2
    assert address in told.stderr
    assert "arr-coc serve" in told.stderr


@pytest.mark.parametrize("address", ["localhost:8000", "ftp://host", "http://", "http://host:port", ""])
def test_what_is_no_address_is_told(picture: Path, address: str) -> None:
    told = invoke("ask", picture, "what", "--url", address)
    assert told.exit_code == 2
    assert "not the address of a server" in told.stderr


def test_a_picture_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    for unreadable in (tmp_path / "nothing.png", tmp_path):
        told = invoke("ask", unreadable, "what")
        assert told.exit_code == 2
        assert "cannot be read" in told.stderr


def test_a_servers_model_is_not_to_be_chosen(picture: Path) -> None:
    assert invoke("ask", picture, "what", "--model", "other").exit_code == 2


@pytest.mark.parametrize("name", ["drawn.jpg", "nowhere/drawn.png"])
def test_where_nothing_can_be_drawn_nothing_is_asked(picture: Path, tmp_path: Path, name: str) -> None:
    assert invoke("ask", picture, "what", "--show", tmp_path / name).exit_code == 2


def test_the_model_in_this_process_answers_and_is_drawn(tmp_path: Path) -> None:
    file = io.BytesIO()
    render(sample_scene(900_003, size=1024)).save(file, "PNG")
    scene, drawn = tmp_path / "scene.png", tmp_path / "drawn.png"
    scene.write_bytes(file.getvalue())
    told = invoke("ask", scene, "what number is on the red circle?", "--local", "--show", drawn)
    assert told.exit_code == 0, told.output
    assert told.stdout.strip()
    assert "visual tokens" in told.stderr
    with Image.open(drawn) as figure:
        assert figure.width == 1024
        assert figure.height > 1024


def test_in_this_process_errors_are_the_servers(tmp_path: Path, picture: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    assert invoke("ask", broken, "what", "--local").exit_code == 1
    assert "must be" in invoke("ask", picture, "what", "--local", "--max-tokens", 0).stderr
    assert invoke("ask", picture, "what", "--local", "--model", tmp_path).exit_code == 2

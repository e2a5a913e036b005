"""The page's files: served with strict headers, kept by their content, and nothing else is."""

import asyncio
import json
import logging
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from arr_coc.demo.scenes import FIRST_HELD_OUT_SEED, questions, render, sample_scene
from serve_app.playground.assets import PREFIX, STATIC
from tests.serve_app.site import Site, assert_error, on_socket

ROOT = Path(__file__).parents[2]
FILES = sorted(file.relative_to(STATIC).as_posix() for file in STATIC.rglob("*") if file.is_file())
PATHS = ["/" if name == "index.html" else PREFIX + name for name in FILES]
SAMPLES = json.loads((STATIC / "samples.json").read_text())


@pytest.mark.parametrize("path", PATHS)
async def test_every_file_is_served_under_a_strict_policy(site: Site, path: str) -> None:
    response = await site.client.get(path)
    assert response.status_code == 200
    headers = response.headers
    policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert {policy[name] for name in ("script-src", "style-src", "connect-src")} == {"'self'"}
    assert (policy["frame-ancestors"], policy["base-uri"]) == ("'none'", "'none'")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/playground/main.js", "text/javascript; charset=utf-8"),
        ("/playground/style.css", "text/css; charset=utf-8"),
        ("/playground/icon.svg", "image/svg+xml"),
        ("/playground/samples.json", "application/json"),
        (f"/playground/samples/{SAMPLES[0]['file']}", "image/png"),
    ],
)
async def test_files_have_their_media_type(site: Site, path: str, media_type: str) -> None:
    assert (await site.client.get(path)).headers["content-type"] == media_type


def test_the_page_needs_nothing_that_the_policy_forbids() -> None:
    page = (STATIC / "index.html").read_text()
    assert not re.search(r"\s(style|on\w+)=", page)
    assert not re.search(r"<style|<script(?![^>]*\ssrc=)", page)
    named = re.findall(r'(?:src|href)="([^"#]+)"', page)
    named += [
        PREFIX + name
        for file in STATIC.glob("*.js")
        for name in re.findall(r'from "\./([^"]+)"', file.read_text())
    ]
    assert set(named) <= set(PATHS)
    scripts = {path for path in PATHS if path.endswith(".js")}
    assert set(named) >= scripts, "every module is named, so that all are fetched at once"


async def test_what_a_browser_has_is_not_sent_again(site: Site) -> None:
    first = await site.client.get("/playground/main.js")
    etag = first.headers["etag"]
    for known in (etag, f'"x", W/{etag}', "*"):
        again = await site.client.get("/playground/main.js", headers={"if-none-match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
        assert again.headers["content-security-policy"] == first.headers["content-security-policy"]
    other = await site.client.get("/playground/main.js", headers={"if-none-match": '"x"'})
    assert (other.status_code, other.content) == (200, first.content)


async def test_etags_tell_files_apart(site: Site) -> None:
    etags = {(await site.client.get(path)).headers["etag"] for path in PATHS}
    assert len(etags) == len(PATHS)


async def test_head_gives_the_headers_alone() -> None:
    async with on_socket() as site:
        whole = await site.client.get("/")
        head = await site.client.head("/")
        assert (head.status_code, head.content) == (200, b"")
        for name in ("content-length", "content-type", "etag"):
            assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize(
    "path",
    [
        "/playground",
        "/playground/",
        "/playground/index.html",
        "/playground/assets.py",
        "/playground/samples/",
        "/playground/../assets.py",
        "/playground/%2e%2e/assets.py",
        "/playground/..%2fassets.py",
        "/playground/samples/../main.js",
        "/playground//etc/passwd",
        "/playground/main.js%00",
        "/index.html",
    ],
)
async def test_what_is_not_a_file_of_the_page_is_not_found(path: str) -> None:
    async with on_socket() as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)  # sends dots as they are
        writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
        async with asyncio.timeout(5):
            response = await reader.read()
        writer.close()
        assert response.startswith(b"HTTP/1.1 404"), response[:80]


async def test_the_page_cannot_be_posted_to(site: Site) -> None:
    assert_error(await site.client.post("/"), 405, "method_not_allowed")


async def test_looking_at_the_page_is_not_work(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "serve_app.request"):
        for path in PATHS:
            await site.client.get(path)
    assert site.ledger.entries == []
    assert caplog.text == ""


def test_every_file_is_packaged() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    packaged = {file for pattern in settings["serve_app.playground"] for file in STATIC.parent.glob(pattern)}
    assert {STATIC / name for name in FILES} <= packaged


def test_the_page_shows_the_samples_before_any_script_has_run() -> None:
    page = (STATIC / "index.html").read_text()
    shown = re.findall(
        r'data-sample="([^"]+)"><img src="([^"]+)" width="\d+" height="\d+"\s+alt="([^"]+)"', page
    )
    assert shown == [
        (sample["file"], f"/playground/samples/{sample['file']}", sample["alt"]) for sample in SAMPLES
    ]


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample["file"] for sample in SAMPLES])
def test_samples_are_scenes_that_nothing_was_trained_on(sample: dict[str, object]) -> None:
    seed, size = sample["seed"], sample["size"]
    assert isinstance(seed, int)
    assert isinstance(size, int)
    assert seed >= FIRST_HELD_OUT_SEED
    assert 768 <= size <= 1024
    scene = sample_scene(seed, size=size)
    drawn = np.asarray(render(scene), np.int16)
    with Image.open(STATIC / "samples" / str(sample["file"])) as shipped:
        assert np.abs(np.asarray(shipped.convert("RGB"), np.int16) - drawn).mean() < 0.5  # another FreeType
    asked = {question.text for question in questions(scene, seed)}
    suggested = sample["questions"]
    assert isinstance(suggested, list)
    assert 2 <= len(suggested) <= 3
    assert set(suggested) <= asked
    assert sample["alt"]

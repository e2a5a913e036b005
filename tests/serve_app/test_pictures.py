"""The picture rows of the bad-input table over HTTP, with the real decoder behind the fake stage."""

import io
import struct
import zlib
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from arr_coc.decoding import PictureLimits
from arr_coc.profile import ModelProfile
from arr_coc.texture import TextureEncoder
from arr_coc.types import Ask, TexturedPicture
from tests.serve_app.fakes import data_url, png, question
from tests.serve_app.site import Site, assert_error, in_process


class RealTexture:
    """The texture stage in this process."""

    def __init__(self) -> None:
        self._encoder = TextureEncoder(ModelProfile(), PictureLimits())
        self.pictures: list[TexturedPicture] = []

    async def prepare(self, ask: Ask, image: bytes) -> TexturedPicture:
        self.pictures.append(self._encoder.encode(image, ask.visual_token_budget))
        return self.pictures[-1]


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """``picture`` as a file of ``kind``."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8))
GOOD = png(128, 96)
JPEG = saved(NOISE, "JPEG")
FRAMES = [Image.new("L", (64, 64), level) for level in range(0, 250, 25)]

REFUSED: dict[str, tuple[bytes, int, str]] = {
    "50k x 50k": (png_header(50_000, 50_000), 400, "image_too_many_pixels"),
    "100 MP": (png_header(10_000, 10_000), 400, "image_too_many_pixels"),
    "25 MP": (png_header(5_000, 5_000), 400, "image_too_many_pixels"),
    "TIFF": (saved(NOISE, "TIFF"), 415, "unsupported_image_format"),
    "EPS": (saved(NOISE, "EPS"), 415, "unsupported_image_format"),
    "PDF": (saved(NOISE, "PDF"), 415, "unsupported_image_format"),
    "BMP": (saved(NOISE, "BMP"), 415, "unsupported_image_format"),
    "PSD": (b"8BPS\x00\x01" + bytes(100), 415, "unsupported_image_format"),
    "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported_image_format"),
    "text": (b"hello", 415, "unsupported_image_format"),
    "empty": (b"", 400, "image_empty"),
    "cut JPEG": (JPEG[: len(JPEG) // 2], 400, "image_decode_failed"),
    "cut PNG": (saved(NOISE, "PNG")[:-2000], 400, "image_decode_failed"),
    "no pixels in it": (png_header(64, 64), 400, "image_decode_failed"),
    "0 x 0": (png_header(0, 0), 400, "image_decode_failed"),
    "1 x 1": (png(1, 1), 400, "image_too_small"),
    "1 x 6,500": (png(1, 6500), 400, "image_too_small"),
    "aspect over 200": (png(2000, 9), 400, "aspect_ratio"),
}

TAKEN: dict[str, bytes] = {
    "RGBA": png(64, 64, "RGBA"),
    "LA": png(64, 64, "LA"),
    "palette": png(64, 64, "P"),
    "1 bit": png(64, 64, "1"),
    "16 bit": saved(Image.fromarray(np.full((64, 64), 65_535, np.uint16)), "PNG"),
    "CMYK": saved(Image.new("CMYK", (64, 64)), "JPEG"),
    "animated GIF": saved(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:]),
    "animated WebP": saved(FRAMES[0], "WEBP", save_all=True, append_images=FRAMES[1:]),
    "with an archive behind": JPEG + b"PK\x03\x04" + bytes(200),
}


@pytest.fixture
def texture() -> RealTexture:
    """The stage, fresh."""
    return RealTexture()


async def both_ways(site: Site, image: bytes) -> list[httpx.Response]:
    """The picture as a file of the wrong kind, and as a data URL."""
    form = await site.client.post(
        "/vqa", data={"query": "what"}, files={"image": ("x.html", image, "text/html")}
    )
    return [form, await site.client.post("/vqa", json=question(image=data_url(image, "image/x-any")))]


@pytest.mark.parametrize("name", REFUSED)
async def test_pictures_that_are_refused(texture: RealTexture, name: str) -> None:
    image, status, code = REFUSED[name]
    async with in_process(texture) as site:
        for response in await both_ways(site, image):
            error = assert_error(response, status, code)
            assert error["param"] == "image"
        assert texture.pictures == []


@pytest.mark.parametrize("name", TAKEN)
async def test_pictures_that_are_taken(texture: RealTexture, name: str) -> None:
    async with in_process(texture) as site:
        assert [response.status_code for response in await both_ways(site, TAKEN[name])] == [200, 200]
    first, second = texture.pictures
    assert np.array_equal(first.view, second.view)


@pytest.mark.parametrize("budget", [0, -1, 63, 4097, 10**12])
async def test_budgets_that_no_view_fits(texture: RealTexture, budget: int) -> None:
    async with in_process(texture) as site:
        response = await site.client.post(
            "/vqa", json=question(image=data_url(GOOD), visual_token_budget=budget)
        )
        assert_error(response, 400, "invalid_visual_token_budget")


async def test_64_identical_at_once_get_64_identical_answers(texture: RealTexture) -> None:
    async with in_process(texture) as site:
        results = (
            await site.client.post("/batch_predict", json=[question(image=data_url(GOOD))] * 64)
        ).json()
        for result in results:
            del result["request_id"]
        assert results == [results[0]] * 64
        assert results[0]["answer"] == "what is it"

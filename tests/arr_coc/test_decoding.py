import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from arr_coc.decoding import PictureLimits, decode, read_header
from arr_coc.errors import InvalidImage

LIMITS = PictureLimits()
BIG = 4096


def encoded(picture: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, file_format, **options)
    return file.getvalue()


def noise(width: int = 40, height: int = 24, mode: str = "RGB") -> Image.Image:
    bands = {"L": (), "RGB": (3,), "RGBA": (4,), "LA": (2,), "CMYK": (4,)}[mode]
    pixels = np.random.default_rng(7).integers(0, 256, (height, width, *bands), np.uint8)
    return Image.fromarray(pixels, mode) if mode == "CMYK" else Image.fromarray(pixels)


def png_header(width: int, height: int, depth: int = 8, color: int = 2) -> bytes:
    """A PNG that ends after claiming its size."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    data = b"IDAT" + zlib.compress(b"")
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk
        + struct.pack(">I", len(data) - 4)
        + data
        + struct.pack(">I", zlib.crc32(data))
    )


def webp_header(width: int, height: int) -> bytes:
    bits = (width - 1) | (height - 1) << 14
    body = b"WEBPVP8L" + struct.pack("<I", 10) + b"\x2f" + struct.pack("<I", bits) + bytes(5)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def code_of(image: bytes, limits: PictureLimits = LIMITS, header_only: bool = True) -> str:
    with pytest.raises(InvalidImage) as caught:
        read_header(image, limits) if header_only else decode(image, limits, BIG)
    assert caught.value.param == "image"
    for leak in ("0x", "Pillow", "PIL", "BytesIO", "truncated", "cannot identify"):
        assert leak not in str(caught.value)
    return caught.value.code


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (b"", "image_empty"),
        (b"%PDF-1.7 ...", "unsupported_image_format"),
        (b"II*\x00" + bytes(64), "unsupported_image_format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported_image_format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "unsupported_image_format"),
        (b"8BPS\x00\x01" + bytes(64), "unsupported_image_format"),
        (b"BM" + bytes(64), "unsupported_image_format"),
        (b"\xff\xd8\xff\xe0 not a picture", "image_decode_failed"),
        (b"GIF89a", "image_decode_failed"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8L", "image_decode_failed"),
        (b"\x89PNG\r\n\x1a\n", "image_decode_failed"),
        (png_header(0, 0), "image_decode_failed"),
        (png_header(50_000, 50_000), "image_too_many_pixels"),
        (png_header(10_000, 10_000), "image_too_many_pixels"),
        (png_header(11_000, 8_000), "image_too_many_pixels"),
        (png_header(4_900, 4_900), "image_too_many_pixels"),
        (webp_header(16_383, 16_383), "image_too_many_pixels"),
        (png_header(1, 1), "image_too_small"),
        (png_header(1, 65_000), "image_too_small"),
        (png_header(8, 2_000), "aspect_ratio"),
    ],
)
def test_what_a_header_gives_away_is_refused_before_decoding(image: bytes, code: str) -> None:
    assert code_of(image) == code
    assert code_of(image, header_only=False) == code


def test_a_file_over_the_byte_limit_is_refused() -> None:
    image = encoded(noise())
    assert code_of(image, PictureLimits(max_bytes=len(image) - 1)) == "image_too_large"
    read_header(image, PictureLimits(max_bytes=len(image)))


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_truncated_picture_fails_to_decode(file_format: str, kept: float) -> None:
    image = encoded(noise(200, 150), file_format)
    assert code_of(image[: int(len(image) * kept)], header_only=False) == "image_decode_failed"


def test_a_broken_data_chunk_fails_to_decode() -> None:
    image = bytearray(encoded(noise()))
    start = image.index(b"IDAT") + 20
    image[start : start + 40] = bytes(40)
    assert code_of(bytes(image), header_only=False) == "image_decode_failed"


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF"])
def test_every_format_is_sniffed_and_decoded(file_format: str) -> None:
    image = encoded(noise(), file_format)
    header = read_header(image, LIMITS)
    assert (header.width, header.height, header.format) == (40, 24, file_format)
    picture = decode(image, LIMITS, BIG)
    assert (picture.mode, picture.size) == ("RGB", (40, 24))
    assert np.array_equal(picture, Image.open(io.BytesIO(image)).convert("RGB"))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_orientation_is_undone_pixel_for_pixel(orientation: int, file_format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = encoded(noise(), file_format, exif=exif)
    golden = ImageOps.exif_transpose(Image.open(io.BytesIO(image))).convert("RGB")
    header = read_header(image, LIMITS)
    assert (header.width, header.height) == golden.size
    assert np.array_equal(decode(image, LIMITS, BIG), golden)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_broken_exif_block_leaves_the_picture_as_it_lies() -> None:
    image = encoded(noise(), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    assert decode(image, LIMITS, BIG).size == (40, 24)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_composited_on_white(mode: str) -> None:
    source = noise(mode=mode)
    pixels = np.asarray(source).astype(float)
    alpha = pixels[..., -1:] / 255
    expected = np.broadcast_to(pixels[..., :-1] * alpha + 255 * (1 - alpha), (24, 40, 3))
    assert np.abs(np.asarray(decode(encoded(source), LIMITS, BIG)) - expected).max() <= 1


def test_a_transparent_palette_entry_is_white() -> None:
    picture = Image.new("P", (16, 16), 0)
    picture.putpalette([200, 0, 0, 0, 0, 200])
    picture.paste(1, (0, 0, 8, 16))
    pixels = np.asarray(decode(encoded(picture, transparency=0), LIMITS, BIG))
    assert (pixels[:, 8:] == 255).all()
    assert (pixels[:, :8] == (0, 0, 200)).all()


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65_535, 256).astype(np.uint16)
    picture = Image.fromarray(np.tile(ramp, (16, 1)))
    pixels = np.asarray(decode(encoded(picture), LIMITS, BIG))
    assert np.array_equal(pixels[0, :, 0], np.arange(256))


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_other_modes_become_rgb(mode: str) -> None:
    picture = noise(mode="RGB").convert(mode)
    assert np.array_equal(decode(encoded(picture), LIMITS, BIG), picture.convert("RGB"))


def test_cmyk_becomes_rgb() -> None:
    image = encoded(noise(mode="CMYK"), "JPEG")
    assert decode(image, LIMITS, BIG).mode == "RGB"


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pixel_types_without_a_range_are_refused(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "open", lambda *_, **__: Image.new(mode, (16, 16)))
    assert code_of(encoded(noise())) == "unsupported_image_mode"


@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP"])
def test_only_the_first_frame_of_an_animation_is_read(
    file_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [Image.new("RGB", (32, 32), color) for color in ("red", "lime", "blue")]
    image = encoded(frames[0], file_format, save_all=True, append_images=frames[1:], lossless=True)
    monkeypatch.setattr(Image.Image, "seek", lambda *_: pytest.fail("sought another frame"))
    assert (np.asarray(decode(image, LIMITS, BIG)) == (255, 0, 0)).all()


def test_what_follows_a_picture_is_ignored() -> None:
    image = encoded(noise(), "JPEG")
    assert np.array_equal(decode(image + b"PK\x03\x04" + bytes(99), LIMITS, BIG), decode(image, LIMITS, BIG))


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_long_side_is_brought_down_to_what_is_needed(file_format: str, orientation: int) -> None:
    smooth = noise(8, 4).resize((1600, 800), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = orientation
    reduced = decode(encoded(smooth, file_format, exif=exif), LIMITS, 300)
    expected = smooth.resize((300, 150), Image.Resampling.BOX)
    if orientation == 6:
        expected = expected.transpose(Image.Transpose.ROTATE_270)
    assert reduced.size == expected.size
    assert np.abs(np.asarray(reduced).astype(int) - np.asarray(expected)).mean() < 3

"""What the texture stage and the allocator cost on one core.

``python -m load_tests.texture_throughput`` prints, for a photograph-like picture of 1 and of 4 megapixels,
the milliseconds of decoding, of the first view, of the channels and of the whole stage, as JPEG and PNG,
with the megapixels a second of the whole; then the milliseconds from a probe's attention over 256 cells to
chosen patches, with as many candidates as such a picture has, and with as many as there may be. Processor
time of this process alone, the least of several runs, so that a busy machine does not show.
"""

import os

for _pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_pool] = "1"  # read once, when numpy is first imported

import io
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from PIL import Image

from arr_coc.attending import worth_of_cells
from arr_coc.candidates import candidates
from arr_coc.channels import measure, reduced
from arr_coc.decoding import PictureLimits, decode
from arr_coc.foveation import view
from arr_coc.profile import ModelProfile
from arr_coc.relevance import Relevance
from arr_coc.texture import TextureEncoder
from arr_coc.types import Floats, TexturedPicture

RUNS = 15


def milliseconds(work: Callable[[], object]) -> float:
    """Least processor time of several runs."""
    times = []
    for _ in range(RUNS):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times) * 1e3


def photograph(side: int) -> Image.Image:
    """A smooth picture with fine grain everywhere."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8))
    smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC)).astype(np.int16)
    return Image.fromarray(np.clip(smooth + rng.integers(-9, 10, smooth.shape), 0, 255).astype(np.uint8))


def texture(side: int, file_format: str) -> None:
    """Print one line for a square picture."""
    picture, limits = photograph(side), PictureLimits()
    file = io.BytesIO()
    picture.save(file, file_format)
    encoder = TextureEncoder(ModelProfile(), limits)
    plan = encoder.plan(file.getvalue(), None)
    seen = view(picture, plan.grid, encoder.profile.token_side)
    decoding = milliseconds(lambda: decode(file.getvalue(), limits, limits.max_source_side))
    viewing = milliseconds(lambda: view(picture, plan.grid, encoder.profile.token_side))
    measuring = milliseconds(lambda: measure(np.asarray(reduced(picture)), seen, plan.grid))
    whole = milliseconds(lambda: encoder.encode(file.getvalue(), None))
    megapixels = side * side / 1e6
    print(
        f"{side:5d} px {file_format:4s}  decode {decoding:6.1f} ms  view {viewing:5.1f} ms  "
        f"channels {measuring:5.1f} ms  whole {whole:6.1f} ms = {megapixels / whole * 1e3:5.1f} megapixels/s; "
        f"beyond decoding {(whole - decoding) / megapixels:5.1f} ms a megapixel"
    )


def allocation() -> None:
    """Print the cost of choosing patches where relevance is scattered, and where every place is as good."""
    file = io.BytesIO()
    photograph(2048).save(file, "JPEG")
    profile = ModelProfile()
    picture = TextureEncoder(profile, PictureLimits()).encode(file.getvalue(), None)
    shape = (picture.grid.rows, picture.grid.cols)
    scattered = np.random.default_rng(1).exponential(1, shape).astype(np.float32) ** 3
    nothing = np.full_like(picture.channels, 0.5)
    even = replace(picture, channels=nothing, lost_detail=np.ones(shape, np.float32))
    relevance = Relevance(profile)
    for shown, attention in ((picture, scattered), (even, np.ones(shape, np.float32))):
        count = number_of_candidates(shown, relevance.allocate(shown, attention).relevance, profile)
        spent = milliseconds(partial(relevance.allocate, shown, attention))
        print(f"allocation over {picture.grid.tokens} cells, {count} candidates: {spent:.2f} ms")


def number_of_candidates(picture: TexturedPicture, relevance: Floats, profile: ModelProfile) -> int:
    """How many boxes compete for tokens."""
    window = 8 * profile.token_side * picture.grid.rows / picture.height  # the smallest patch, in cells
    return len(candidates(worth_of_cells(relevance, picture.lost_detail), (window, window)))


if __name__ == "__main__":
    for size in (1024, 2048):
        for kind in ("JPEG", "PNG"):
            texture(size, kind)
    allocation()

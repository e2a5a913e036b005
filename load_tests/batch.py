"""Lines a second of ``arr-coc batch`` through a server, over those of the engine called offline.

    python -m load_tests.batch [--lines 2000] [--rounds 3] [--size 256]

Starts ``configs/local.yaml`` and loads the same model in this process. Each round asks the same questions
in both ways, in turn: the command in a process of its own, its start counted; and here without HTTP or
other processes, pictures decoded in as many threads as the server has, always as many requests under way
as the command sends at once. Every round has pictures of its own, of 256-1,024 px unless ``--size`` says
otherwise, each with one question. Answers must be the same. Client and server share the machine.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from arr_coc.demo.scenes import questions, render, sample_scene
from arr_coc.engine.observer import Silent
from arr_coc.model.source import resolve
from arr_coc.profile import ModelProfile
from arr_coc.texture import TextureEncoder
from arr_coc.types import Ask, Sampling
from arr_coc.vlm import VisionLanguageModel
from load_tests.cold_start import ROOT, started
from serve_app.config import AppConfig
from serve_app.config_file import read_config
from serve_app.environment import free_ports

CONFIG = Path("configs/local.yaml")
FIRST_SEED = 970_000
MAX_TOKENS = 64
SAME = 0.98  # of the answers: in float32 another batch may round a tie the other way


def write_lines(directory: Path, first_seed: int, count: int, size: int | None) -> Path:
    """``count`` questions, each about a picture of its own; the input of a batch, pictures beside it."""
    lines = []
    for seed in range(first_seed, first_seed + count):
        scene = sample_scene(seed, size=size)
        asked = questions(scene, seed)
        render(scene).save(directory / f"{seed}.png", compress_level=1)
        question = asked[seed % len(asked)].text
        lines.append({"id": seed, "image": f"{seed}.png", "query": question, "max_tokens": MAX_TOKENS})
    source = directory / f"{first_seed}.jsonl"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return source


def by_command(source: Path, url: str, concurrency: int) -> tuple[float, list[str]]:
    """Seconds that the command takes, and its answers."""
    out = source.with_suffix(".out")
    command = [sys.executable, "-m", "serve_app.cli", "batch", str(source), str(out), "--url", url]
    began = time.perf_counter()
    subprocess.run(
        [*command, "--concurrency", str(concurrency)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
    )
    seconds = time.perf_counter() - began
    return seconds, [json.loads(line)["answer"] for line in out.read_text().splitlines()]


class Offline:
    """The engine, called in this process."""

    def __init__(self, app: AppConfig) -> None:
        self._vlm = VisionLanguageModel.load(app.model, app.engine, Silent())
        self._encoder = TextureEncoder(ModelProfile.load(resolve(app.model.source)), app.pictures)
        self._threads = app.texture.replicas * app.texture.threads

    def ask_all(self, source: Path, concurrency: int) -> tuple[float, list[str]]:
        """Seconds from the file of lines to the last answer, and the answers."""
        began = time.perf_counter()
        lines = [json.loads(line) for line in source.read_text().splitlines()]
        answers = asyncio.run(self._answers(source.parent, lines, concurrency))
        return time.perf_counter() - began, answers

    async def _answers(self, directory: Path, lines: list[dict[str, str]], concurrency: int) -> list[str]:
        turnstile = asyncio.Semaphore(concurrency)
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(self._threads) as pool:

            async def answer(line: dict[str, str]) -> str:
                async with turnstile:
                    image = (directory / line["image"]).read_bytes()
                    picture = await loop.run_in_executor(pool, self._encoder.encode, image, None)
                    sampling = Sampling(max_new_tokens=MAX_TOKENS)
                    ask = Ask(str(line["id"]), line["query"], sampling, remaining_s=600.0)
                    return (await self._vlm.answer(ask, picture)).text

            return await asyncio.gather(*map(answer, lines))

    def close(self) -> None:
        """End the engine."""
        self._vlm.close()


def compare(source: Path, url: str, offline: Offline, concurrency: int) -> float:
    """Offline seconds over the command's; tells both."""
    command_s, told = by_command(source, url, concurrency)
    offline_s, right = offline.ask_all(source, concurrency)
    same = sum(map(str.__eq__, told, right)) / len(right)
    assert len(told) == len(right) and same >= SAME, f"only {same:.1%} of the answers are the same"
    sys.stdout.write(
        f"{len(right)} lines: batch {len(right) / command_s:.1f}/s, offline {len(right) / offline_s:.1f}/s: "
        f"{offline_s / command_s:.3f}; {same:.1%} of the answers the same\n"
    )
    sys.stdout.flush()
    return offline_s / command_s


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.batch", description=__doc__)
    parser.add_argument("--lines", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, help="pixels of each side, instead of 256-1,024")
    parser.add_argument("--concurrency", type=int, default=64)
    args = parser.parse_args()
    app = read_config(CONFIG).app
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "serve_app", str(CONFIG)]
    with (
        tempfile.TemporaryDirectory() as directory,
        started(command, port, lambda url: httpx.get(f"{url}/health", timeout=5).status_code == 200) as (
            url,
            _,
        ),
    ):
        offline = Offline(app)
        ratios = []
        for round_ in range(args.rounds + 1):
            first = FIRST_SEED + 10_000 * round_
            count = args.lines if round_ else 64  # the first is for warming up
            source = write_lines(Path(directory), first, count, args.size)
            ratio = compare(source, url, offline, args.concurrency)
            if round_:
                ratios.append(ratio)
        offline.close()
    sys.stdout.write(f"median of batch / offline {statistics.median(ratios):.3f}\n")


if __name__ == "__main__":
    main()

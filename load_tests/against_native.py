"""Answers a second of a running server as it serves, and forced to native resolution, in turns in one run.

    python -m load_tests.against_native --url http://127.0.0.1:8000

Questions about scenes of 1,024 px, square, so that native resolution is 1,024 visual tokens; each picture is
new to the server, as it keeps what it has seen. Forced is a request whose visual_token_budget pays for the native
picture. Both are marked against the scenes' truth: the ratio is worth what the right answers are. Client and server
share the machine.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx

from arr_coc.demo.grading import is_right
from arr_coc.demo.scenes import Question
from arr_coc.demo.scenes import questions as questions_about
from arr_coc.quality.scenes import MIXES, png

FIRST_SEED = 960_000
SIDE = 1024
NATIVE_TOKENS = (SIDE // 32) ** 2
MAX_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Turn:
    """One way's answers of one round."""

    answers_per_s: float
    right: float  # percent
    visual_tokens: float  # mean


def work(count: int, seed: int) -> Iterator[tuple[bytes, Question]]:
    """``count`` questions, each about a scene of its own."""
    while count:
        scene = MIXES[f"{SIDE} px"].scene(seed)
        if scene is not None and (asked := questions_about(scene, seed)):
            yield png(scene), asked[seed % len(asked)]
            count -= 1
        seed += 1


def turn(
    client: httpx.Client, questions: list[tuple[bytes, Question]], clients: int, budget: int | None
) -> Turn:
    """All ``questions``, asked by ``clients`` that each ask again as soon as they are answered."""
    more = {} if budget is None else {"visual_token_budget": str(budget)}

    def ask(one: tuple[bytes, Question]) -> tuple[bool, int]:
        image, question = one
        form = {"query": question.text, "max_tokens": str(MAX_TOKENS), **more}
        response = client.post("/vqa", data=form, files={"image": image})
        response.raise_for_status()
        reply = response.json()
        return is_right(reply["answer"], question.answer), reply["total_visual_tokens"]

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        replies = list(pool.map(ask, questions))
    seconds = time.perf_counter() - began
    right, tokens = zip(*replies, strict=True)
    return Turn(len(questions) / seconds, 100 * statistics.mean(right), statistics.mean(tokens))


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.against_native", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--questions", type=int, default=128, help="of each way in a round")
    args = parser.parse_args()
    ways = {"as served": None, "native": NATIVE_TOKENS}
    limits = httpx.Limits(max_connections=args.clients)
    with httpx.Client(base_url=args.url, timeout=120, limits=limits) as client:
        for budget in ways.values():  # warm
            turn(client, list(work(args.clients, FIRST_SEED - 10_000)), args.clients, budget)
        ratios, rights = [], []
        for number in range(args.rounds):
            asked = list(work(args.questions, FIRST_SEED + 10_000 * number))
            order = list(ways.items())[:: -1 if number % 2 else 1]
            turns = {name: turn(client, asked, args.clients, budget) for name, budget in order}
            for name, one in turns.items():
                sys.stdout.write(
                    f"{name}: {one.answers_per_s:.1f} answers/s, {one.right:.1f} % right, "
                    f"{one.visual_tokens:.0f} visual tokens\n"
                )
            ratios.append(turns["as served"].answers_per_s / turns["native"].answers_per_s)
            rights.append(turns["as served"].right - turns["native"].right)
    sys.stdout.write(f"median: as served / native {statistics.median(ratios):.2f}; ")
    sys.stdout.write(f"{statistics.mean(rights):+.1f} points of right answers\n")


if __name__ == "__main__":
    main()

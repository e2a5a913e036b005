"""Vectors a second of a server with a CLIP, with one client and with many, against transformers one by one.

    python -m load_tests.embedding [--size tiny|small|base] [--inputs 1] [--rounds 3] [--clients 32]

writes a random CLIP (there are no trained weights here: what a vector costs does not depend on them), serves it
alone, and asks for pictures and for texts, ``--inputs`` of them a request, each asked once, so that nothing is
kept. ``one by one`` is transformers' own processor and ``CLIPModel`` called in this process, before and after
each turn of the server. Client and server share the machine; every figure is a ratio of one run. Vectors are
compared with transformers' on the way.
"""

import argparse
import base64
import io
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.arr_coc import tiny_clip
from tests.system.server import free_port, serving, wait_ready, write_config

SIZES: dict[str, dict[str, int]] = {  # of both towers; base is ViT-B/32's
    "tiny": {"hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 2},
    "small": {
        "hidden_size": 256,
        "intermediate_size": 1024,
        "num_hidden_layers": 6,
        "num_attention_heads": 4,
    },
    "base": {
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
    },
}
WORDS = ("cat", "dog", "mat", "red", "blue", "two", "old", "small", "on", "the", "a", "in")
ROUNDING = 1e-5
Item = tuple[str, Any]  # what is sent as an input, and what transformers gets
Vector = NDArray[np.float32]


def write_clip(directory: Path, size: str) -> Path:
    """A random CLIP that sees 224 px in patches of 32, as ViT-B/32, with a tokenizer of letters."""
    import torch
    from transformers import CLIPConfig, CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    torch.manual_seed(0)
    tokenizer: Any = tiny_clip.clip_tokenizer()
    tokenizer.model_max_length = 77
    ends = {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id}
    text = {**SIZES[size], "vocab_size": len(tokenizer), "max_position_embeddings": 77, **ends}
    vision = {**SIZES[size], "image_size": 224, "patch_size": 32}
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision)).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    CLIPImageProcessorPil().save_pretrained(directory)
    return directory


def items(rng: np.random.Generator, kind: str, count: int) -> list[Item]:
    """Pictures of a camera's shape, 320 x 240 px, as JPEG; texts of 5 to 12 words."""
    if kind == "text":
        texts = [" ".join(rng.choice(WORDS, rng.integers(5, 13))) for _ in range(count)]
        return [(text, text) for text in texts]
    found: list[Item] = []
    for _ in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        file = io.BytesIO()
        coarse.resize((320, 240), Image.Resampling.BICUBIC).save(file, "JPEG")
        found.append(
            ("data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode(), file.getvalue())
        )
    return found


def one_by_one(directory: Path) -> Callable[[Sequence[Item]], list[Vector]]:
    """transformers' own way, one input at a time, on all cores that torch takes."""
    import torch

    theirs = tiny_clip.Theirs("clip", directory)

    @torch.inference_mode()
    def embed(item: Item) -> Vector:
        content = item[1]
        if isinstance(content, str):
            seen = theirs.model.get_text_features(**theirs.tokenizer([content], return_tensors="pt"))
        else:
            with Image.open(io.BytesIO(content)) as file:
                pixels = theirs.processor(images=[file.convert("RGB")], return_tensors="pt")
            seen = theirs.model.get_image_features(**pixels)
        vector: Vector = seen.pooler_output[0].numpy()
        return vector / np.linalg.norm(vector)

    return lambda asked: [*map(embed, asked)]


def over_http(client: httpx.Client, model: str) -> Callable[[Sequence[Item]], list[Vector]]:
    """All in one request, as OpenAI's client spells it."""

    def embed(asked: Sequence[Item]) -> list[Vector]:
        sent = [shown if isinstance(content, str) else {"image": shown} for shown, content in asked]
        body = {"model": model, "input": sent, "encoding_format": "base64"}
        reply = client.post("/v1/embeddings", json=body)
        reply.raise_for_status()
        return [np.frombuffer(base64.b64decode(each["embedding"]), "<f4") for each in reply.json()["data"]]

    return embed


def rate(
    embed: Callable[[Sequence[Item]], list[Vector]], work: Sequence[Item], clients: int, inputs: int
) -> tuple[float, list[Vector]]:
    """Vectors a second with ``clients`` that each ask for ``inputs`` again as soon as they are answered."""
    requests = [work[start : start + inputs] for start in range(0, len(work), inputs)]
    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        vectors = list(itertools.chain.from_iterable(pool.map(embed, requests)))
    return len(work) / (time.perf_counter() - began), vectors


def measure(directory: Path, client: httpx.Client, kind: str, args: argparse.Namespace) -> dict[str, float]:
    """Medians over the rounds; every input is asked once of the server, in its own round."""
    rng = np.random.default_rng(0)
    theirs, ours = one_by_one(directory), over_http(client, directory.name)
    theirs(items(rng, kind, 4))  # warm
    rate(ours, items(rng, kind, 2 * args.clients * args.inputs), args.clients, args.inputs)
    rounds = []
    for _ in range(args.rounds):
        few, lots = items(rng, kind, args.few), items(rng, kind, 6 * args.clients * args.inputs)
        before, expected = rate(theirs, few, 1, 1)
        one, found = rate(ours, few, 1, args.inputs)
        many, _ = rate(ours, lots, args.clients, args.inputs)
        after, _ = rate(theirs, few, 1, 1)
        for vector, reference in zip(found, expected, strict=True):
            assert np.abs(vector - reference).max() < ROUNDING
        bare = (before + after) / 2
        rounds.append((bare, one, many, many / one, many / bare))
        sys.stderr.write(f"{kind}: one by one {bare:.1f}/s, 1 client {one:.1f}/s, many {many:.1f}/s\n")
    names = ("one by one", "1 client", f"{args.clients} clients", "many / one client", "many / one by one")
    medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
    return {name: round(value, 2) for name, value in zip(names, medians, strict=True)}


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.embedding", description=__doc__)
    parser.add_argument("--size", choices=sorted(SIZES), default="small")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--inputs", type=int, default=1, help="texts or pictures of one request")
    parser.add_argument("--few", type=int, default=32, help="texts or pictures of one client in a round")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        directory = write_clip(Path(place, "clip"), args.size)
        port = free_port()
        embedding = {"source": str(directory), "device": "cpu", "alone": True}
        with serving(write_config(Path(place), {"embedding": embedding}, port), port, "serve_app") as server:
            wait_ready(server)
            with httpx.Client(base_url=server.url, timeout=120) as client:
                told = {kind: measure(directory, client, kind, args) for kind in ("picture", "text")}
                told["rows of a forward"] = rows(client)
    sys.stdout.write(json.dumps(told, indent=1) + "\n")


def rows(client: httpx.Client) -> dict[str, float]:
    """Mean rows of the forwards of each kind since the start."""
    found: dict[str, dict[str, float]] = {}
    for line in client.get("/metrics").text.splitlines():
        for part, kind in itertools.product(("sum", "count"), ("picture", "text")):
            if line.startswith(f'arr_coc_batch_rows_{part}{{kind="{kind}"}}'):
                found.setdefault(kind, {})[part] = float(line.rpartition(" ")[2])
    return {kind: round(each["sum"] / each["count"], 2) for kind, each in found.items()}


if __name__ == "__main__":
    main()

"""What every peer built on transformers' ``generate`` has in common: pictures and questions in, answers out.

Runs in the peer's own environment and knows nothing of this repository. Batches are padded on the left, as
decoders need it; a batch goes on until its longest answer is written.
"""

import io
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, TextIteratorStreamer

MODEL = os.environ["BENCH_MODEL"]
PORT = int(os.environ["BENCH_PORT"])
THREADS = int(os.environ["BENCH_THREADS"])
BATCH = int(os.environ["BENCH_BATCH"])
WINDOW_S = float(os.environ["BENCH_WINDOW_S"])


class Answering:
    """The model and its processor. Not for several threads at once."""

    def __init__(self) -> None:
        torch.set_num_threads(THREADS)
        self._processor: Any = AutoProcessor.from_pretrained(MODEL)
        self._processor.tokenizer.padding_side = "left"
        self._model: Any = AutoModelForImageTextToText.from_pretrained(MODEL, dtype=torch.float32).eval()
        self._end = self._model.generation_config.eos_token_id

    def __call__(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """``image`` (encoded bytes), ``query``, ``max_tokens`` and ``forced`` of each request, as
        ``answer`` and ``tokens``."""
        return [self._answer(*pair) for pair in zip(self._generate(requests), requests, strict=True)]

    def stream(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """``text`` as it is written, then the number of ``tokens``."""
        streamer = TextIteratorStreamer(self._processor.tokenizer, skip_prompt=True, skip_special_tokens=True)
        with ThreadPoolExecutor(1) as thread:
            written = thread.submit(self._generate, [request], streamer)
            yield from ({"text": text} for text in streamer)
            yield {"text": "", "tokens": self._answer(written.result()[0], request)["tokens"]}

    @torch.inference_mode()
    def _generate(self, requests: list[dict[str, Any]], streamer: Any = None) -> list[list[int]]:
        inputs = self._processor(
            images=[[Image.open(io.BytesIO(request["image"])).convert("RGB")] for request in requests],
            text=[self._prompt(request["query"]) for request in requests],
            padding=True,
            return_tensors="pt",
        )
        forced = any(request["forced"] for request in requests)
        written = self._model.generate(
            **inputs,
            max_new_tokens=max(request["max_tokens"] for request in requests),
            do_sample=False,
            eos_token_id=[-1] if forced else self._end,  # a token that there is not
            streamer=streamer,
        )
        return written[:, inputs["input_ids"].shape[1] :].tolist()

    def _prompt(self, query: str) -> str:
        content = [{"type": "image"}, {"type": "text", "text": query}]
        return self._processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )

    def _answer(self, tokens: list[int], request: dict[str, Any]) -> dict[str, Any]:
        tokens = tokens[: request["max_tokens"]]
        if not request["forced"] and self._end in tokens:
            tokens = tokens[: tokens.index(self._end) + 1]
        text = self._processor.tokenizer.decode(tokens, skip_special_tokens=True)
        return {"answer": text, "tokens": len(tokens)}

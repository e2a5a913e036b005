"""Requests that can be sent as they are."""

import base64
import io
from typing import Any

from PIL import Image, ImageDraw

Examples = dict[str, Any]
QUERY = "what color is the circle?"


def questions() -> Examples:
    """Of ``/vqa`` and ``/stream_generate``."""
    image = _data_url()
    return {
        "question": {"image": image, "query": QUERY},
        "everything": {
            "image": image,
            "query": QUERY,
            "max_tokens": 16,
            "temperature": 0.7,
            "top_p": 0.9,
            "seed": 7,
            "visual_token_budget": 128,
            "ignore_eos": False,
            "explain": True,
        },
    }


def batches() -> Examples:
    """Of ``/batch_predict``."""
    image = _data_url()
    return {
        "two": [{"image": image, "query": QUERY}, {"image": image, "query": "how many shapes are there?"}]
    }


def chats(model: str) -> Examples:
    """Of ``/v1/chat/completions``, for the served ``model``."""
    picture = {"type": "image_url", "image_url": {"url": _data_url(), "detail": "auto"}}
    question = {"role": "user", "content": [picture, {"type": "text", "text": QUERY}]}
    return {
        "picture": {"model": model, "messages": [question]},
        "stream": {
            "model": model,
            "messages": [question],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_completion_tokens": 64,
            "stop": ["."],
            "arr_coc": {"explain": True, "visual_token_budget": 128},
        },
        "probabilities": {"model": model, "messages": [question], "logprobs": True, "top_logprobs": 3},
        "conversation": {
            "model": model,
            "messages": [
                {"role": "system", "content": "Answer in one word."},
                question,
                {"role": "assistant", "content": "red"},
                {"role": "user", "content": "what shape is it?"},
            ],
        },
    }


def embeddings(model: str) -> Examples:
    """Of ``/v1/embeddings``, for the served ``model``; none where nothing embeds."""
    if not model:
        return {}
    mixed = ["a red circle", {"text": "a blue square"}, {"image": _data_url()}]
    return {
        "text": {"model": model, "input": "a red circle"},
        "mixed": {"model": model, "input": mixed, "encoding_format": "base64"},
    }


def labellings(model: str) -> Examples:
    """Of ``/predict``, for the served ``model``; none where nothing embeds."""
    if not model:
        return {}
    labels = ["red circle", "blue square", "green star"]
    return {"labels": {"image": _data_url(), "labels": labels, "template": "a {} on white"}}


def _data_url() -> str:
    """A red circle on white."""
    picture, file = Image.new("RGB", (64, 64), "white"), io.BytesIO()
    ImageDraw.Draw(picture).ellipse((16, 16, 48, 48), fill="red")
    picture.save(file, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"

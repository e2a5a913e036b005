"""The two checkpoints that everybody serves, as directories with all that each peer asks for.

Owns the shape of the larger one, whose random weights are the same on every machine. The bundled one lacks a
preprocessor's settings, which this server does not need.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from arr_coc.demo.scenes import __file__ as _scenes

NAMES = ("demo", "random-60m")
_BUNDLED = Path(_scenes).parent / "checkpoint"
_STAMP = "made_of"
_MOST_PIXELS, _LEAST_PIXELS = 1024 * 1024, 256 * 256  # as the bundled model is served: 64 to 1,024 tokens
_PREPROCESSOR = {
    "image_processor_type": "Qwen2VLImageProcessor",
    "processor_class": "Qwen3VLProcessor",
    "patch_size": 16,
    "merge_size": 2,
    "temporal_patch_size": 2,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "size": {"shortest_edge": _LEAST_PIXELS, "longest_edge": _MOST_PIXELS},
}
_VIDEO = {**_PREPROCESSOR, "video_processor_type": "Qwen3VLVideoProcessor"}
_VIDEO.pop("image_processor_type")
_ANSWER = {  # tells `transformers serve` where answers begin and end, as decoding spells it
    "defaults": {"role": "assistant"},
    "start_anchor": "<|im_start|> assistant",
    "fields": {"content": {"close_pattern": r"<\|im_end\|>", "content": "text"}},
}
SEED = 60
_TEXT: dict[str, Any] = {
    "hidden_size": 640,
    "intermediate_size": 1792,
    "num_hidden_layers": 9,
    "num_attention_heads": 10,
    "num_key_value_heads": 5,
}
_VISION: dict[str, Any] = {
    "depth": 6,
    "hidden_size": 384,
    "intermediate_size": 1152,
    "num_heads": 6,
    "out_hidden_size": 640,
    "deepstack_visual_indexes": [1],
}


def make(name: str, directory: Path) -> None:
    """Write the model ``name`` to ``directory``, unless it lies there as it would be made today."""
    made_of = digest()
    if (directory / _STAMP).exists() and (directory / _STAMP).read_text() == made_of:
        return
    shutil.rmtree(directory, ignore_errors=True)
    draft = directory.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(_BUNDLED, draft)
    (draft / "preprocessor_config.json").write_text(json.dumps(_PREPROCESSOR, indent=1))
    (draft / "video_preprocessor_config.json").write_text(json.dumps(_VIDEO, indent=1))
    tokenizer = json.loads((draft / "tokenizer_config.json").read_text())
    (draft / "tokenizer_config.json").write_text(
        json.dumps({**tokenizer, "response_template": _ANSWER}, indent=1)
    )
    if name == "random-60m":
        _write_random(draft)
    (draft / _STAMP).write_text(made_of)
    draft.rename(directory)


def digest() -> str:
    """Of all that a model is made of."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(_BUNDLED.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _write_random(directory: Path) -> None:
    """Put random weights of about 60 million parameters in the place of the bundled ones."""
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    config = AutoConfig.from_pretrained(directory)
    for part, shape in ((config.text_config, _TEXT), (config.vision_config, _VISION)):
        for name, value in shape.items():
            setattr(part, name, value)
    torch.manual_seed(SEED)
    model = AutoModelForImageTextToText.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(directory)

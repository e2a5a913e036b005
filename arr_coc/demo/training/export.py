"""The trained model as an HF checkpoint directory: bf16 weights, tokenizer, chat template, card.

Owns what a finished checkpoint consists of, and that it appears whole or not at all.
"""

import copy
import shutil
from pathlib import Path

from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3VLForConditionalGeneration

from arr_coc.demo.training import tokenizer as tk


def export(
    model: Qwen3VLForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, directory: Path, card: str
) -> None:
    """Write the checkpoint under a temporary name beside ``directory``, then put it in its place."""
    draft = directory.with_name(directory.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    half = copy.deepcopy(model).bfloat16()
    half.generation_config = GenerationConfig(
        do_sample=False, pad_token_id=tk.PAD, bos_token_id=tk.IM_START, eos_token_id=tk.IM_END
    )
    half.save_pretrained(str(draft))
    tokenizer.save_pretrained(str(draft))
    (draft / "README.md").write_text(card)
    shutil.rmtree(directory, ignore_errors=True)
    draft.rename(directory)

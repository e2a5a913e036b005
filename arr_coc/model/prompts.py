"""Prompts from the model's own chat template, safe against whatever users type.

The template is tokenised with its special tokens, the user's text without: a typed
``<|image_pad|>`` is plain text and placeholders are exactly where the template put them. Does not
know positions, pictures or tensors.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerBase

from arr_coc.errors import ModelLoadError

QUERY = "\ue000"  # stands for the user's text while the template is rendered; a private-use character


class PromptTemplate:
    """Renders one user turn of pictures followed by a question."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, image_token_id: int) -> None:
        if not tokenizer.chat_template:
            raise ModelLoadError("the model has no chat template")
        self._render: Any = tokenizer.apply_chat_template
        self._special = tokenizer.backend_tokenizer
        self._plain = Tokenizer.from_str(self._special.to_str())
        self._plain.encode_special_tokens = True
        self._image_token_id = image_token_id
        self._around = lru_cache(maxsize=64)(self._encode_around)

    def tokens(self, pictures: Sequence[int], query: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Token ids of a question about pictures of so many visual tokens each, and where each
        picture's (start, length) placeholders are."""
        before, after = self._around(len(pictures))
        ids: list[int] = []
        spans: list[tuple[int, int]] = []
        for token in before:
            if token == self._image_token_id:
                count = pictures[len(spans)]
                spans.append((len(ids), count))
                ids += [token] * count
            else:
                ids.append(token)
        typed = self._plain.encode(query.strip(), add_special_tokens=False).ids
        return ids + typed + list(after), spans

    def _encode_around(self, pictures: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The template's tokens before and after the user's text."""
        content = [{"type": "image"}] * pictures + [{"type": "text", "text": QUERY}]
        text = self._render(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )
        before, _, after = text.partition(QUERY)
        sides = [self._special.encode(side, add_special_tokens=False).ids for side in (before, after)]
        if sides[0].count(self._image_token_id) != pictures:
            raise ModelLoadError("the chat template does not show one placeholder a picture")
        return tuple(sides[0]), tuple(sides[1])

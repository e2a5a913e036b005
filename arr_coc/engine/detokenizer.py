"""Text out of tokens, piece by piece: only whole characters leave."""

from collections.abc import Sequence

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream


class Detokenizer:
    """Turns one sequence's output tokens into text as they come. Special tokens give no text."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._stream = DecodeStream(skip_special_tokens=True)
        self._emitted = ""

    def push(self, token: int) -> str:
        """The text that ``token`` completes; empty while a character is incomplete."""
        piece = self._stream.step(self._tokenizer, token) or ""
        self._emitted += piece
        return piece

    def finish(self, tokens: Sequence[int]) -> tuple[str, str]:
        """The whole text of ``tokens``, and the part of it that ``push`` has not returned yet."""
        text: str = self._tokenizer.decode(list(tokens), skip_special_tokens=True)
        rest = text[len(self._emitted) :] if text.startswith(self._emitted) else ""
        return self._emitted + rest, rest

"""Probabilities of an answer's tokens as OpenAI's clients read them."""

from collections.abc import Iterable
from typing import Any

from arr_coc.answers import TokenLogprob, TokenLogprobs
from serve_app.explaining import ReplyModel


class TopLogprob(ReplyModel):
    """A token in a place of the answer, and the natural logarithm of its probability.

    ``bytes`` are the token's own, in UTF-8; null of a control token, which adds no text.
    """

    token: str
    logprob: float
    bytes: list[int] | None


class ChosenLogprob(TopLogprob):
    """The token that was taken, and the likeliest in its place, best first."""

    top_logprobs: list[TopLogprob]


class Logprobs(ReplyModel):
    """Probabilities by the model alone, before temperature and top_p; one entry a token of the text.

    Without a stop string, the bytes of all entries together are the text.
    """

    content: list[ChosenLogprob]
    refusal: None


def logprobs_reply(tokens: Iterable[TokenLogprobs]) -> Logprobs:
    """All that is told of ``tokens``."""
    return Logprobs(content=[_chosen(token) for token in tokens], refusal=None)


def _chosen(token: TokenLogprobs) -> ChosenLogprob:
    top = [TopLogprob(**_fields(each)) for each in token.likeliest]
    return ChosenLogprob(**_fields(token.taken), top_logprobs=top)


def _fields(token: TokenLogprob) -> dict[str, Any]:
    spelled = None if token.utf8 is None else list(token.utf8)
    return {"token": token.text, "logprob": token.logprob, "bytes": spelled}

"""What the embedding of texts and pictures tells about itself. It does not know who listens."""

from typing import Protocol

from arr_coc.embedding.types import Kind


class EmbeddingObserver(Protocol):
    """Called from any thread; must return at once and never raise."""

    def batch(self, kind: Kind, rows: int, tokens: int, padded_tokens: int, seconds: float) -> None:
        """A forward of ``rows`` inputs of one kind ran for ``seconds``."""

    def waiting(self, inputs: int) -> None:
        """So many texts and pictures wait for a forward."""

    def prepared(self, seconds: float) -> None:
        """A picture was decoded and framed, or refused, in ``seconds``."""

    def looked_up(self, queried: int, found: int) -> None:
        """So many vectors were asked for, ``found`` of them kept from earlier."""

    def ended(self, kind: Kind, outcome: str, queue_s: float) -> None:
        """An input left the queue after ``queue_s``, and ended: ok, error, cancelled or deadline."""


class Unheard:
    """An observer that listens to nothing."""

    def batch(self, kind: Kind, rows: int, tokens: int, padded_tokens: int, seconds: float) -> None:
        pass

    def waiting(self, inputs: int) -> None:
        pass

    def prepared(self, seconds: float) -> None:
        pass

    def looked_up(self, queried: int, found: int) -> None:
        pass

    def ended(self, kind: Kind, outcome: str, queue_s: float) -> None:
        pass

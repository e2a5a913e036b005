"""What forwards cost, learned from those that ran. Pure arithmetic.

A prefill takes ``vision * visual tokens + language * padded tokens + fixed`` seconds and a decode step
``row * rows + fixed``; both are fitted by recursive least squares whose memory fades. Knows neither
what runs nor who waits.
"""

from collections.abc import Sequence

import numpy as np

_MEMORY = 0.99  # about the last hundred forwards count
_RIDGE = 1e-6  # what nothing tells apart, such as sizes that always go together, is shared out evenly
_THOUSAND = 1e-3  # tokens are counted in thousands, so that all coefficients are of like size


class Line:
    """Seconds as a linear function of a few sizes."""

    def __init__(self, sizes: int) -> None:
        self._ridge = _RIDGE * np.eye(sizes)
        self._squares = np.zeros((sizes, sizes))
        self._products = np.zeros(sizes)
        self._fitted: list[float] | None = [0.0] * sizes  # None: to be fitted again

    def observe(self, sizes: Sequence[float], seconds: float) -> None:
        """Learn that ``sizes`` took ``seconds``."""
        self._squares = _MEMORY * self._squares + np.outer(sizes, sizes)
        self._products = _MEMORY * self._products + np.multiply(sizes, seconds)
        self._fitted = None

    @property
    def coefficients(self) -> list[float]:
        """Seconds for each unit of each size."""
        if self._fitted is None:
            self._fitted = np.linalg.solve(self._squares + self._ridge, self._products).tolist()
        return self._fitted


class Costs:
    """The forwards of one engine. Everything costs nothing until something has run."""

    def __init__(self) -> None:
        self._prefill = Line(3)
        self._decode = Line(2)

    def prefilled(self, tokens: int, visual: int, seconds: float) -> None:
        """A prefill of ``tokens``, padding included, took ``seconds``, the vision tower's pass over
        ``visual`` tokens among them."""
        self._prefill.observe((_THOUSAND * visual, _THOUSAND * tokens, 1.0), seconds)

    def decoded(self, rows: int, seconds: float) -> None:
        """A decode step of ``rows`` took ``seconds``."""
        self._decode.observe((_THOUSAND * rows, 1.0), seconds)

    def prefill_s(self, tokens: int, visual: int) -> float:
        """Seconds that such a prefill takes."""
        vision, language, fixed = self._prefill.coefficients
        return max(0.0, _THOUSAND * (vision * visual + language * tokens) + fixed)

    def decode_s(self, rows: int) -> float:
        """Seconds that such a step takes."""
        row, fixed = self._decode.coefficients
        return max(0.0, _THOUSAND * row * rows + fixed)

    @property
    def prefill_fixed_s(self) -> float:
        """What a prefill costs whatever is in it."""
        return max(0.0, self._prefill.coefficients[-1])

"""From the attention of a probe to a map of where its question points.

Owns which heads are read, and what their attention over the first view's tokens says. Pure numpy:
knows nothing of models or tensors.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from arr_coc.errors import ModelLoadError
from arr_coc.profile import Head, ModelProfile
from arr_coc.types import Coupling, Floats

BAND = (0.53, 0.82)  # of the depth: where attention to the asked place is strongest on average
SINK = 1e-2  # mean attention in the sink heads from which a token is one
_NOTHING = 0.1  # of even attention: what cannot be told from none


class Localiser:
    """Reads a model's localising heads, or all heads of its middle layers where none are known."""

    def __init__(self, profile: ModelProfile, layers: int, heads: int) -> None:
        """For a model of ``layers`` x ``heads`` query heads; none where its attention cannot be read.

        Raises ModelLoadError where the profile lists a head that the model has not.
        """
        for layer, head in (*profile.heads, *profile.sink_heads):
            if not (0 <= layer < layers and 0 <= head < heads):
                raise ModelLoadError(
                    f"the profile lists head {head} of layer {layer}; the model has {layers} layers of {heads}"
                )
        localising = profile.heads or middle_heads(layers, heads)
        read = sorted({*localising, *profile.sink_heads})
        self._localising = [read.index(head) for head in localising]
        self._sinks = [read.index(head) for head in profile.sink_heads]
        self.coupling: Coupling = "heads" if profile.heads else "layers" if read else "none"
        self.heads: Mapping[int, Sequence[int]] = {
            layer: [h for at, h in read if at == layer] for layer in sorted({at for at, _ in read})
        }
        """The heads to read, by layer; their attention is expected in this order."""

    def share(self, read: Floats) -> float | None:
        """How much of their attention the listed heads spend on the view, sinks included, 0..1; None where no
        heads are listed. ``read`` is ``[heads, tokens]``."""
        return float(read[self._localising].sum(axis=1).mean()) if self.coupling == "heads" else None

    def attention(self, read: Floats) -> Floats:
        """Mean over the localising heads, without sinks: ``[tokens]`` of ``read`` ``[heads, tokens]``."""
        mean = read[self._localising].mean(axis=0)
        if self._sinks:
            mean = np.where(read[self._sinks].mean(axis=0) >= SINK, 0, mean)
        return np.asarray(mean, np.float32)


def middle_heads(layers: int, heads: int) -> list[Head]:
    """All heads of the layers in ``BAND``."""
    first, last = (int(share * layers) for share in BAND)
    return [(layer, head) for layer in range(first, last + 1) for head in range(heads)]


def against(asked: Floats, generic: Floats) -> Floats:
    """How much more the question attends to each token than a question about nothing does.

    ``max(0, log(asked / generic))`` of two maps ``[tokens]`` (ViCrop's relative attention, arXiv
    2502.17422, as a logarithm); what a picture draws to itself whatever is asked, sinks too, cancels.
    """
    nothing = _NOTHING / asked.size
    ratio = (_share(asked) + nothing) / (_share(generic) + nothing)
    return np.asarray(np.maximum(np.log(ratio), 0), np.float32)


def _share(attention: Floats) -> Floats:
    return attention / max(float(attention.sum()), 1e-12)

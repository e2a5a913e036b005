"""When an answer ends. Pure policy."""

from collections.abc import Container, Sequence

from arr_coc.types import FinishReason, Sampling


def finish_reason(
    output: Sequence[int], sampling: Sampling, eos_ids: Container[int], room: int
) -> FinishReason | None:
    """Why the answer ends with the last token of ``output``; None while it goes on.

    ``room`` is the number of tokens that still fit into the slot.
    """
    if output[-1] in eos_ids and not sampling.ignore_eos:
        return "stop"
    if len(output) >= sampling.max_new_tokens or room <= 0:
        return "length"
    return None

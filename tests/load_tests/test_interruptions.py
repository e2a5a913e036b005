"""Dividing prefills under a virtual clock: running answers stall less, and hardly less is answered."""

import pytest

from load_tests.interruptions import capacity, serve

DEFAULT_MS = 150.0


@pytest.mark.parametrize("machine", ["l4", "cpu"])
def test_large_prompts_stall_running_answers_less_at_hardly_any_cost(machine: str) -> None:
    mix = "conversations of several"
    whole = capacity(machine, mix, None)
    undivided, divided = (serve(machine, mix, 0.8 * whole, 150, ms) for ms in (None, DEFAULT_MS))
    assert divided.gap_p99 < 0.8 * undivided.gap_p99
    assert capacity(machine, mix, DEFAULT_MS) > 0.95 * whole

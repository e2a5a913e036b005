"""The scheduler under a virtual clock: nobody starves, and the window is worth having."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from arr_coc.engine.config import EngineConfig
from arr_coc.engine.scheduler import THEIRS
from load_tests.simulate import MACHINES, MIXES, Job, Setting, Simulation, arrivals

LONGEST = 24  # tokens of an answer
STAGES = st.lists(st.integers(1, 900).map(lambda tokens: (tokens, tokens // 2)), min_size=1, max_size=3)
QUESTIONS = st.lists(st.tuples(st.floats(0, 0.2), STAGES, st.integers(1, LONGEST)), min_size=1, max_size=30)
CONFIGS = st.builds(
    EngineConfig,
    slots=st.integers(1, 6),
    prefill_token_budget=st.integers(64, 2000),
    window_ms=st.floats(0, 50),
    adaptive_window=st.booleans(),
)


@settings(deadline=None, max_examples=60)
@given(QUESTIONS, CONFIGS, st.sampled_from(sorted(MACHINES)))
def test_nobody_waits_longer_than_those_before_it_could_take_alone(
    questions: list[tuple[float, list[tuple[int, int]], int]], config: EngineConfig, name: str
) -> None:
    """Who comes first is in every next batch. So each of those ahead costs a window, a prefill with the
    steps after it, and, where no slot is free, the probes of those that hold one and an answer; and so does
    one's own turn."""
    machine, now, jobs = MACHINES[name], 0.0, []
    for gap, stages, answer in questions:
        now += gap
        jobs.append(Job(now, list(stages), answer))
    Simulation(config, machine).run(jobs)
    rows = config.slots
    prefill = max(machine.prefill(rows * 900, rows * 450), machine.prefill(900, 450))
    prefills = (1 + 2 * rows) * (1 + THEIRS) * prefill
    turn = config.window_ms / 1e3 + prefills + (LONGEST + 1) * machine.decode(rows)
    for number, job in enumerate(jobs):
        ahead = sum(other.began >= job.arrived for other in jobs[:number])
        assert job.began - job.arrived <= (ahead + 1) * turn
        assert job.ended >= job.began


def test_the_window_is_no_worse_than_what_does_not_adapt() -> None:
    setting = Setting("l4", "direct", 8192)
    capacity = setting.capacity()
    for load in (0.1, 0.5, 0.85):
        at_once, widest = (
            setting.latency_s(load * capacity, 200, window_ms=ms, adaptive_window=False) for ms in (0, 50)
        )
        assert setting.latency_s(load * capacity, 200) <= 1.05 * min(at_once, widest)
    assert setting.latency_s(0.85 * capacity, 200) < 0.99 * at_once


def test_a_full_engine_answers_more_where_slots_are_refilled_together() -> None:
    def seconds(**policy: object) -> float:
        jobs = arrivals(math.inf, 300, MIXES["direct"], seed=1)
        Simulation(EngineConfig.model_validate(policy), MACHINES["l4"]).run(jobs)
        return max(job.ended for job in jobs)

    assert seconds() < 0.98 * seconds(window_ms=0)


def test_the_backlog_tells_how_long_the_queue_takes() -> None:
    jobs = arrivals(40.0, 300, MIXES["both"], seed=3)
    Simulation(EngineConfig(slots=8), MACHINES["l4"]).run(jobs)
    for job in jobs[100:]:
        assert 0.6 < job.expected / (job.began - job.arrived) < 1.6

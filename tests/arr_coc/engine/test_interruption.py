"""How much of a prefill may run while others decode: numbers in, numbers out."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arr_coc.engine.config import EngineConfig
from arr_coc.engine.costs import Costs
from arr_coc.engine.interruption import LEAST, Interruption
from arr_coc.engine.plan import Decode, Prefill
from arr_coc.engine.scheduler import UNREAD, Scheduler

VISION_S, LANGUAGE_S, FIXED_S = 2e-4, 1e-4, 2e-3


@dataclass(eq=False)
class Job:
    """A prompt that is a picture of ``picture`` tokens, then text."""

    length: int
    picture: int = 0
    done: int = 0
    probing: bool = False
    tenant: str = ""
    computes: bytes | None = None
    streamed: bool = True

    @property
    def pending(self) -> int:
        return self.length - self.done

    def visual(self, tokens: int) -> int:
        return 0 if self.done else self.picture


def _seconds(tokens: int, visual: int) -> float:
    return VISION_S * visual + LANGUAGE_S * tokens + FIXED_S


def _learn(costs: Costs) -> None:
    for tokens, visual in [(100, 0), (1000, 0), (500, 400), (800, 100)] * 5:
        costs.prefilled(tokens, visual, _seconds(tokens, visual))


def _interruption(seconds: float | None) -> Interruption:
    costs = Costs()
    _learn(costs)
    return Interruption(seconds, costs)


def test_a_part_is_as_large_as_the_bound_allows() -> None:
    part = _interruption(0.05).part(Job(2000))
    assert _seconds(part, 0) == pytest.approx(0.05, rel=0.01)


def test_what_the_vision_tower_takes_is_left_out_of_the_part_that_begins_a_picture() -> None:
    job = Job(400, picture=200)
    first = _interruption(0.05).part(job)
    assert _seconds(first, 200) == pytest.approx(0.05, rel=0.02)
    job.done = first
    assert _interruption(0.05).part(job) == job.pending


@pytest.mark.parametrize("seconds", [None, 1.0])
def test_what_is_short_enough_or_not_bounded_is_not_divided(seconds: float | None) -> None:
    assert _interruption(seconds).part(Job(2000)) == 2000


def test_nothing_is_divided_before_costs_are_known() -> None:
    assert Interruption(0.05, Costs()).part(Job(2000)) == 2000


def test_parts_are_worth_their_fixed_cost() -> None:
    part = _interruption(1e-6).part(Job(2000))
    assert part == LEAST
    costs = Costs()
    for tokens in (100, 1000) * 5:
        costs.prefilled(tokens, 0, 0.1 + 1e-4 * tokens)
    part = Interruption(0.05, costs).part(Job(2000))
    assert part * 1e-4 == pytest.approx(0.1, rel=0.02)


def _scheduler(interrupt_ms: float | None = 50) -> Scheduler[Job]:
    config = EngineConfig(window_ms=0, prefill_token_budget=4096, interrupt_ms=interrupt_ms)
    scheduler: Scheduler[Job] = Scheduler(config)
    _learn(scheduler.costs)
    return scheduler


def _run(scheduler: Scheduler[Job], running: int) -> list[tuple[int, list[Job]] | None]:
    """Size and jobs of every prefill, None for a step, until nothing is left to prefill."""
    ran: list[tuple[int, list[Job]] | None] = []
    while list(scheduler.jobs()):
        match scheduler.plan(0.0, running, 8):
            case Prefill(jobs, most):
                parts = [min(job.pending, most or job.pending) for job in jobs]
                ran.append((len(jobs) * max(parts), jobs))
                for job, part in zip(jobs, parts, strict=True):
                    job.done += part
                    if job.pending:
                        scheduler.go_on(job)
            case Decode():
                ran.append(None)
            case idle:
                raise AssertionError(idle)
    return ran


def test_a_large_prompt_goes_in_parts_with_a_step_between_them_before_another_starts() -> None:
    scheduler, large, later = _scheduler(), Job(1500), Job(100)
    scheduler.submit(large, 0.0)
    scheduler.submit(later, 0.0)
    ran = _run(scheduler, running=3)
    assert ran[1::2] == [None] * (len(ran) // 2)
    prefills = [each for each in ran if each is not None]
    assert [jobs for _, jobs in prefills] == [[large]] * 4 + [[later]]
    assert large.pending == later.pending == 0


def test_where_nobody_decodes_nothing_is_divided() -> None:
    scheduler, large = _scheduler(), Job(1500)
    scheduler.submit(large, 0.0)
    assert _run(scheduler, running=0) == [(1500, [large])]


def _first_part(*jobs: Job, interrupt_ms: float = 50) -> Prefill[Job]:
    """Of what a scheduler does while three answers run that are all wanted whole."""
    scheduler = _scheduler(interrupt_ms)
    for job in jobs:
        scheduler.submit(job, 0.0)
    part = scheduler.plan(0.0, 3, 8, watched=False)
    assert isinstance(part, Prefill)
    return part


def test_where_nobody_reads_along_prefills_are_larger_but_bounded() -> None:
    large = Job(1500, streamed=False)
    assert _first_part(large) == Prefill([large])
    part = _first_part(large, interrupt_ms=50 / UNREAD)
    assert part.most == pytest.approx(_interruption(0.05).part(Job(1500)), abs=1)


def test_where_nobody_reads_along_more_are_prefilled_together() -> None:
    queued = [Job(400, streamed=False) for _ in range(4)]
    assert len(_first_part(*queued).jobs) == 4
    assert len(_first_part(*queued[:3], Job(400)).jobs) == 1  # who streams waits for its first token


def test_another_tenant_is_not_kept_waiting_even_where_nobody_reads_along() -> None:
    part = _first_part(Job(1500, streamed=False), Job(100, tenant="other", streamed=False))
    assert part.most is not None


def test_what_a_part_has_left_is_not_divided_once_nobody_decodes() -> None:
    scheduler, large = _scheduler(), Job(1500)
    scheduler.submit(large, 0.0)
    part = scheduler.plan(0.0, running=1, free_slots=8)
    assert isinstance(part, Prefill)
    assert part.most is not None
    large.done = part.most
    scheduler.go_on(large)
    assert _run(scheduler, running=0) == [(1500 - part.most, [large])]


@given(
    st.lists(st.tuples(st.integers(1, 3000), st.floats(0, 1), st.booleans()), min_size=1, max_size=12),
    st.integers(1, 6),
    st.floats(10, 200),
)
def test_whatever_waits_no_prefill_takes_longer_but_for_a_pictures_own_pass(
    prompts: list[tuple[int, float, bool]], running: int, interrupt_ms: float
) -> None:
    scheduler = _scheduler(interrupt_ms)
    jobs = [Job(length, int(share * length), probing=probing) for length, share, probing in prompts]
    for job in jobs:
        scheduler.submit(job, 0.0)
    while list(scheduler.jobs()):
        plan = scheduler.plan(0.0, running, 8)
        if not isinstance(plan, Prefill):
            continue
        parts = [min(job.pending, plan.most or job.pending) for job in plan.jobs]
        visual = sum(job.visual(part) for job, part in zip(plan.jobs, parts, strict=True))
        alone = VISION_S * visual + LANGUAGE_S * LEAST + FIXED_S if len(parts) == 1 else 0.0
        longest = max(interrupt_ms / 1e3, 2 * FIXED_S, alone)
        assert _seconds(len(parts) * max(parts), visual) <= longest * 1.001
        for job, part in zip(plan.jobs, parts, strict=True):
            job.done += part
            if job.pending:
                scheduler.go_on(job)
    assert all(job.pending == 0 for job in jobs)

"""The schedule wastes no batch, keeps to its limits, and lets nobody wait for ever."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from arr_coc.embedding.config import EmbeddingConfig
from arr_coc.embedding.schedule import Forward, Idle, Schedule
from arr_coc.embedding.types import Kind


@dataclass(eq=False)
class Job:
    price: int = 10
    kind: Kind = "text"
    tenant: str = ""
    submitted: float = 0.0


def schedule(**fields: object) -> Schedule[Job]:
    return Schedule(EmbeddingConfig.model_validate({"window_ms": 0, **fields}))


def cut(planned: Schedule[Job], now: float = 0.0) -> list[Job]:
    plan = planned.plan(now)
    assert isinstance(plan, Forward)
    return plan.jobs


JOBS = st.lists(
    st.builds(Job, st.integers(1, 77), st.sampled_from(["text", "picture"]), st.sampled_from("abc"))
)


@given(JOBS, st.integers(1, 9), st.integers(64, 500))
def test_every_job_runs_once_within_the_limits(jobs: list[Job], rows: int, tokens: int) -> None:
    planned = schedule(max_batch=rows, batch_tokens=tokens)
    planned.submit(jobs, 0.0)
    ran: list[Job] = []
    while planned.waiting:
        batch = cut(planned)
        assert len({job.kind for job in batch}) == 1
        assert len(batch) <= rows
        assert len(batch) == 1 or len(batch) * max(job.price for job in batch) <= tokens
        ran += batch
        planned.ran(batch[0].kind, sum(job.price for job in batch), 0.01)
    assert sorted(map(id, ran)) == sorted(map(id, jobs))
    assert planned.plan(0.0) == Idle(None)


def test_texts_that_would_pad_for_more_than_a_forward_costs_wait_for_the_next() -> None:
    planned = schedule()
    for tokens in (100, 200, 400):
        planned.ran("text", tokens, 0.001 + tokens * 0.0001)  # a forward costs what ten tokens do
    short, long = [Job(8) for _ in range(6)], [Job(70), Job(69)]
    planned.submit([*short[:3], *long, *short[3:]], 0.0)
    assert cut(planned) == short
    assert cut(planned) == long


def test_a_kind_waits_for_company_that_is_worth_it_and_the_other_does_not() -> None:
    planned = schedule(window_ms=50)
    for tokens in (10, 20, 40):
        planned.ran("picture", tokens, 0.020)  # all of it is fixed
    early = [Job(kind="picture", submitted=at) for at in (0.0, 0.001, 0.002)]
    for job in early:
        planned.submit([job], job.submitted)
    waiting = planned.plan(0.003)
    assert isinstance(waiting, Idle)
    assert waiting.seconds is not None
    assert 0 < waiting.seconds <= 0.05
    text = Job(submitted=0.003)
    planned.submit([text], 0.003)
    assert cut(planned, 0.003) == [text]
    assert cut(planned, 0.003 + waiting.seconds) == early


def test_a_full_batch_waits_for_nothing() -> None:
    planned = schedule(window_ms=50, adaptive_window=False, max_batch=3)
    planned.submit([Job()], 0.0)
    cut(planned)  # nothing says that another will come
    jobs = [Job(submitted=at) for at in (0.001, 0.002, 0.003)]
    for job in jobs[:2]:
        planned.submit([job], job.submitted)
        assert isinstance(planned.plan(job.submitted), Idle)
    planned.submit(jobs[2:], 0.003)
    assert cut(planned, 0.003) == jobs


def test_tenants_take_turns() -> None:
    planned = schedule(max_batch=4)
    flood, calm = [Job(tenant="flood") for _ in range(20)], [Job(tenant="calm") for _ in range(2)]
    planned.submit(flood, 0.0)
    planned.submit(calm, 0.0)
    assert set(map(id, calm)) <= set(map(id, cut(planned)))


def test_what_is_given_up_is_forgotten_and_the_backlog_is_timed() -> None:
    planned = schedule(max_batch=2)
    jobs = [Job() for _ in range(8)]
    planned.submit(jobs, 0.0)
    assert planned.backlog.seconds == 0
    cut(planned, 0.0)
    cut(planned, 1.0)
    assert planned.backlog.seconds == 2.0  # two a second
    planned.drop({id(jobs[-1]), id(jobs[-2])})
    assert planned.backlog.seconds == 1.0
    assert cut(planned, 2.0) == jobs[4:6]
    assert planned.waiting == []

"""The scheduler in milliseconds: jobs are numbers, time is given."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from arr_coc.engine.batching import LIKE
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.plan import Decode, Idle, Prefill
from arr_coc.engine.scheduler import Scheduler
from arr_coc.engine.waiting import LATELY_S


@dataclass(eq=False)
class Job:
    pending: int
    probing: bool = False
    tenant: str = ""
    computes: bytes | None = None
    streamed: bool = True

    def visual(self, tokens: int) -> int:
        return 0


def _scheduler(**settings: float) -> Scheduler[Job]:
    return Scheduler(
        EngineConfig.model_validate(
            {"window_ms": 0, "adaptive_window": False, "prefill_token_budget": 100, **settings}
        )
    )


def test_an_idle_engine_waits_for_something_to_arrive() -> None:
    assert _scheduler().plan(0.0, running=0, free_slots=4) == Idle(None)


def test_decodes_when_nothing_waits() -> None:
    assert _scheduler().plan(0.0, running=2, free_slots=4) == Decode()


def test_what_does_not_fit_the_budget_stays_at_the_front() -> None:
    scheduler = _scheduler()
    jobs = [Job(60), Job(50), Job(30)]
    for job in jobs:
        scheduler.submit(job, 0.0)
    first = scheduler.plan(0.0, 0, 4)
    assert isinstance(first, Prefill)
    assert first.jobs == [jobs[0]]
    second = scheduler.plan(0.0, 0, 4)
    assert isinstance(second, Prefill)
    assert second.jobs[0] is jobs[1]


def test_a_job_above_the_budget_runs_alone() -> None:
    scheduler = _scheduler()
    scheduler.submit(Job(500), 0.0)
    plan = scheduler.plan(0.0, 0, 4)
    assert isinstance(plan, Prefill)
    assert len(plan.jobs) == 1


def test_who_needs_what_another_computes_waits_for_it() -> None:
    scheduler = _scheduler()
    first, same, other = Job(10, computes=b"x"), Job(10, computes=b"x"), Job(10, computes=b"y")
    for job in (first, same, other):
        scheduler.submit(job, 0.0)
    plan = scheduler.plan(0.0, 0, 4)
    assert isinstance(plan, Prefill)
    assert plan.jobs == [first, other]
    same.computes = None  # it is kept now
    plan = scheduler.plan(0.0, 0, 4)
    assert isinstance(plan, Prefill)
    assert plan.jobs == [same]


def test_those_who_decode_step_between_two_prefills() -> None:
    scheduler = _scheduler()
    for _ in range(2):
        scheduler.submit(Job(100), 0.0)
    scheduler.resume(Job(10))
    plans = [scheduler.plan(0.1 * i, running=1, free_slots=4) for i in range(6)]
    assert [isinstance(plan, Prefill) for plan in plans] == [True, False] * 3


def test_those_who_decode_make_more_steps_after_a_long_prefill() -> None:
    scheduler = _scheduler()
    for _ in range(2):
        scheduler.submit(Job(100), 0.0)
    times = [0.0, 1.6, 1.65, 1.69, 1.71]  # the prefill takes until the second one
    plans = [scheduler.plan(now, running=1, free_slots=4) for now in times]
    assert [isinstance(plan, Prefill) for plan in plans] == [True, False, False, False, True]


def test_time_without_work_gives_those_who_decode_later_no_more() -> None:
    scheduler = _scheduler()
    scheduler.submit(Job(100), 0.0)
    assert isinstance(scheduler.plan(0.0, 0, 4), Prefill)
    assert scheduler.plan(0.1, 0, 4) == Idle(None)
    scheduler.submit(Job(100), 100.0)
    assert isinstance(scheduler.plan(100.0, 1, 4), Prefill)


def test_full_slots_let_the_running_decode() -> None:
    scheduler = _scheduler()
    scheduler.submit(Job(10), 0.0)
    assert scheduler.plan(0.0, running=4, free_slots=0) == Decode()


def test_probed_jobs_are_finished_before_new_ones_start() -> None:
    scheduler = _scheduler()
    probed = Job(20)
    scheduler.submit(Job(10), 0.0)
    scheduler.resume(probed)
    plan = scheduler.plan(0.0, 1, 4)
    assert isinstance(plan, Prefill)
    assert plan.jobs == [probed]


def test_the_window_bounds_how_often_decoding_is_interrupted() -> None:
    scheduler = _scheduler(window_ms=10, prefill_token_budget=1000)
    scheduler.submit(Job(10), 1.0)
    assert isinstance(scheduler.plan(1.0, 1, 4), Prefill)
    scheduler.submit(Job(10), 1.001)
    assert scheduler.plan(1.002, 1, 4) == Decode()
    assert isinstance(scheduler.plan(1.011, 1, 4), Prefill)


def test_nearly_full_slots_do_not_undo_the_window() -> None:
    scheduler = _scheduler(window_ms=20)
    for _ in range(4):
        scheduler.submit(Job(10), 0.0)
    assert isinstance(scheduler.plan(0.0, running=3, free_slots=1), Prefill)
    assert scheduler.plan(0.01, running=3, free_slots=1) == Decode()
    assert isinstance(scheduler.plan(0.021, running=3, free_slots=1), Prefill)


def test_a_busy_stream_of_arrivals_is_waited_for() -> None:
    scheduler = _scheduler(window_ms=10, prefill_token_budget=1000)
    for i in range(4):
        scheduler.submit(Job(10), i * 0.002)
    plan = scheduler.plan(0.006, running=0, free_slots=8)
    assert isinstance(plan, Idle)
    assert plan.seconds is not None
    assert 0.003 < plan.seconds <= 0.01
    assert isinstance(scheduler.plan(0.011, 0, 8), Prefill)


@given(st.lists(st.tuples(st.integers(1, 200), st.booleans()), min_size=1, max_size=40), st.integers(1, 8))
def test_every_job_is_planned_once_within_slots_budget_and_kind(
    jobs: list[tuple[int, bool]], slots: int
) -> None:
    scheduler = _scheduler()
    queued = [Job(*job) for job in jobs]
    for job in queued:
        scheduler.submit(job, 0.0)
    planned: list[Job] = []
    while scheduler.waiting:
        oldest = next(job for job in queued if job not in planned)
        plan = scheduler.plan(0.0, 0, slots)
        assert isinstance(plan, Prefill)
        lengths = [job.pending for job in plan.jobs]
        assert plan.jobs[0] is oldest  # nobody starves
        assert len(plan.jobs) <= slots
        assert len(plan.jobs) == 1 or len(lengths) * max(lengths) <= 100
        assert max(lengths) <= LIKE * min(lengths)
        assert len({job.probing for job in plan.jobs}) == 1
        planned += plan.jobs
    assert len(planned) == len(queued)
    assert {id(job) for job in planned} == {id(job) for job in queued}


def _cut(scheduler: Scheduler[Job], slots: int = 1) -> list[Job]:
    plan = scheduler.plan(0.0, 0, slots)
    assert isinstance(plan, Prefill)
    return plan.jobs


def test_a_flood_does_not_keep_another_tenant_waiting() -> None:
    scheduler = _scheduler()
    for _ in range(100):
        scheduler.submit(Job(10, tenant="flood"), 0.0)
    _cut(scheduler)
    other = [Job(10, tenant="other") for _ in range(3)]
    for job in other:
        scheduler.submit(job, 0.0)
    served = [_cut(scheduler)[0] for _ in range(6)]
    assert [job for job in served if job.tenant == "other"] == other


def test_who_asks_again_finds_the_slots_that_it_had_in_spite_of_a_backlog() -> None:
    scheduler = _scheduler(slots=8)
    for _ in range(40):
        scheduler.submit(Job(1, tenant="flood"), 0.0)
    flood = _cut(scheduler, slots=8)
    assert len(flood) == 8  # alone
    first, second = Job(1, tenant="other"), Job(1, tenant="other")
    for job in (first, second):
        scheduler.submit(job, 0.0)
    for job in flood[:4]:
        scheduler.left(job, 0.0)
    assert _cut(scheduler, slots=4) == [first, second]  # what others wait for is left to them
    assert [job.tenant for job in _cut(scheduler, slots=2)] == ["flood", "flood"]
    scheduler.left(first, 0.5)
    scheduler.left(second, 0.5)
    assert scheduler.plan(0.5, 6, 2) == Decode()  # for the other, which may ask again
    scheduler.submit(first, 0.5)
    plan = scheduler.plan(0.5, 0, 2)
    assert isinstance(plan, Prefill)
    assert plan.jobs == [first]
    scheduler.left(first, 0.5)
    plan = scheduler.plan(0.5 + LATELY_S, 0, 2)  # it has gone
    assert isinstance(plan, Prefill)
    assert [job.tenant for job in plan.jobs] == ["flood", "flood"]


def test_answers_are_charged_too() -> None:
    scheduler = _scheduler()
    long, short = (Job(10, tenant=tenant) for tenant in ("long", "short"))
    for _ in range(6):
        scheduler.submit(Job(10, tenant="long"), 0.0)
        scheduler.submit(Job(10, tenant="short"), 0.0)
    for _ in range(25):
        scheduler.decoded(long)
    scheduler.decoded(short)
    assert [_cut(scheduler)[0].tenant for _ in range(4)] == ["short", "short", "short", "long"]


def test_a_probe_and_the_prefill_after_it_are_both_charged() -> None:
    scheduler = _scheduler()
    probed = Job(35, tenant="a")
    scheduler.resume(probed)
    for tenant in "aabbbbb":
        scheduler.submit(Job(10, tenant=tenant), 0.0)
    assert _cut(scheduler) == [probed]
    assert [_cut(scheduler)[0].tenant for _ in range(5)] == ["b", "b", "b", "b", "a"]


FLOODS = st.lists(st.tuples(st.integers(20, 120), st.booleans()), min_size=1, max_size=3)
PATIENT = st.lists(st.tuples(st.integers(20, 120), st.booleans()), min_size=1, max_size=4)


@given(FLOODS, PATIENT, st.integers(1, 4), st.integers(0, 5))
def test_nobody_starves_however_many_flood(
    floods: list[tuple[int, bool]], patient: list[tuple[int, bool]], slots: int, before: int
) -> None:
    """A flood always waits. Each of its jobs is charged, so it leads a cut only until it is ahead of what
    the patient one itself was served."""
    scheduler = _scheduler()

    def flood() -> None:
        waiting = [job.tenant for job in scheduler.jobs()]
        for number, (pending, probing) in enumerate(floods):
            for _ in range(8 - waiting.count(f"flood {number}")):
                scheduler.submit(Job(pending, probing, f"flood {number}"), 0.0)

    for _ in range(before):
        flood()
        _cut(scheduler, slots)
    mine = [Job(pending, probing, "patient") for pending, probing in patient]
    for job in mine:
        scheduler.submit(job, 0.0)
    own = sum(job.pending for job in mine)
    bound = len(mine) + sum(1 + own // pending for pending, _ in floods)
    for _ in range(bound):
        flood()
        cut = _cut(scheduler, slots)
        mine = [job for job in mine if job not in cut]
    assert not mine

"""The engine: one thread that owns all sequences, slots and the cache.

``step`` takes commands, asks the scheduler for a plan, runs it and hands out results. Submitting
and cancelling arrive on one queue; results leave in one wake-up of the event loop a step. It knows
neither relevance nor HTTP: a sequence that probes brings its own ``resume``.
"""

import time
from collections.abc import Sequence

import torch

from arr_coc.engine.answering import Answering
from arr_coc.engine.cache import SlotCache
from arr_coc.engine.config import EngineConfig
from arr_coc.engine.ending import Endings
from arr_coc.engine.isolation import attempt
from arr_coc.engine.memory import token_bytes
from arr_coc.engine.observer import BatchKind, Observer
from arr_coc.engine.outcome import Outbox, Outcome
from arr_coc.engine.plan import Decode, Idle, Prefill
from arr_coc.engine.runner import Heads, Prefilled, Runner
from arr_coc.engine.sampling import Choice, Sampler
from arr_coc.engine.scheduler import Scheduler
from arr_coc.engine.sequence import Phase, Probe
from arr_coc.engine.sequence import Sequence as Seq
from arr_coc.engine.shared import Shared
from arr_coc.engine.slots import Slots
from arr_coc.engine.worker import Worker
from arr_coc.errors import Cancelled, EngineClosed, ModelFault
from arr_coc.model.adapter import Adapter, Features
from arr_coc.status import Backlog

_Prefilled = tuple[Choice, Probe | None, Features | None]  # and the picture that was begun, not finished


class Engine(Worker):
    """Continuous batching over a slot cache. All methods but ``step`` may be called from any thread."""

    def __init__(self, adapter: Adapter, heads: Heads, config: EngineConfig, observer: Observer) -> None:
        super().__init__("engine")
        self._observer = observer
        cache = SlotCache(adapter.kv, config.slots, config.max_length)
        self._slots = Slots(config.slots, cache.move)
        self._scheduler: Scheduler[Seq] = Scheduler(config)
        self._shared = Shared(cache, token_bytes(adapter.kv), config.shared_bytes, observer)
        self._runner = Runner(adapter, cache, heads, self._shared)
        self._sampler = Sampler(adapter.banned_ids, adapter.kv.device)
        self._outbox = Outbox()
        self._endings = Endings(config, self._scheduler, self._slots, self._outbox, observer)
        self._answering = Answering(
            config.max_length, adapter.eos_ids, self._endings, self._outbox, cache.clear
        )
        self.backlog = Backlog()
        """What a new sequence would have to wait for, after the last step."""

    # What other threads may call

    def submit(self, sequence: Seq) -> None:
        """Queue a sequence; its outcome tells the rest."""
        sequence.prefix = self._shared.prefix(sequence.prompt)
        self._command(lambda: self._accept(sequence))

    def cancel(self, outcome: Outcome) -> None:
        """End the sequence of ``outcome``, wherever it stands, at the next step."""
        self._command(
            lambda: self._endings.end_where(lambda seq: seq.outcome is outcome, Cancelled("cancelled"))
        )

    def observe(self, observer: Observer) -> None:
        """From the next step on tell ``observer``, and nobody else."""

        def change() -> None:
            self._observer = self._shared.observer = self._endings.observer = observer

        self._command(change)

    @property
    def running(self) -> int:
        return len(self._slots.rows)

    @property
    def waiting(self) -> int:
        return self._scheduler.waiting + self._commands.qsize()

    # The thread

    def _fail_all(self) -> None:
        self._endings.end_where(lambda seq: True, ModelFault("the engine failed"))

    def step(self) -> None:
        """Take commands, plan, run, hand out."""
        now = self._begin()
        self._endings.end_late(now)
        decoding = [row for row in self._slots.rows if row.phase is Phase.RUNNING]
        watched = any(row.streamed for row in decoding)
        match self._scheduler.plan(now, len(decoding), self._slots.free, watched=watched):
            case Prefill(jobs, most):
                self._prefill(jobs, most)
            case Decode():
                self._decode(self._slots.rows.copy())
            case Idle(seconds):
                self._idle(seconds)
        self._hand_out()

    def _hand_out(self) -> None:
        self._outbox.flush()
        self.backlog = self._scheduler.backlog
        waiting = self._scheduler.waiting
        self._observer.occupancy(self.running, waiting, self._slots.capacity, self.backlog.tokens)

    def _accept(self, sequence: Seq) -> None:
        if self._closed:
            self._outbox.put(sequence.outcome, EngineClosed("the engine is closed"))
            return
        self._scheduler.submit(sequence, time.monotonic())

    def _close(self) -> None:
        self._closed = True
        self._endings.end_where(lambda seq: True, EngineClosed("the server is shutting down"))

    # Prefill

    def _prefill(self, rows: Sequence[Seq], most: int | None) -> None:
        for row in rows:
            if row.phase is Phase.WAITING:
                row.times.admitted = time.monotonic()
                self._slots.join(row)
                self._shared.begin(row)
        kind: BatchKind = "probe" if rows[0].probing else "prefill"
        results = attempt(rows, lambda part: self._run_prefill(kind, part, most))
        for row in rows:  # all of them first: a row that leaves moves another one, at its length
            row.length += row.next_part(most)
        for row, result in results:
            if isinstance(result, Exception):
                self._endings.fail(row, result)
            else:
                self._after_prefill(row, *result)

    def _run_prefill(self, kind: BatchKind, rows: Sequence[Seq], most: int | None) -> list[_Prefilled]:
        parts, started = [row.next_part(most) for row in rows], time.monotonic()
        result = self._runner.prefill(rows, most)
        chosen = self._choose(result.logits, rows)
        reached = zip(rows, parts, chosen, strict=True)
        self._shared.keep([(r, r.length + n) for r, n, (token, _) in reached if token >= 0], result.looked_at)
        seconds = time.monotonic() - started
        visual = sum(len(features.tokens) for features in result.looked_at.values())
        self._scheduler.costs.prefilled(result.padded_tokens, visual, seconds)
        self._observer.batch(kind, len(rows), sum(parts), result.padded_tokens, seconds)
        return list(zip(chosen, self._probes(result, len(rows)), result.looking_at, strict=True))

    def _probes(self, result: Prefilled, rows: int) -> list[Probe | None]:
        if not result.attention:
            return [None] * rows
        likeliest = self._sampler.likeliest(result.logits)
        return [Probe(seen, *first) for seen, first in zip(result.attention, likeliest, strict=True)]

    def _after_prefill(
        self, row: Seq, choice: Choice, probe: Probe | None, looking_at: Features | None
    ) -> None:
        """Go on with what was divided, look closer where a probe says so; every other row has its first
        token."""
        row.looking_at = looking_at
        if choice[0] >= 0 and row.pending:
            row.phase = Phase.PREFILLING
            self._scheduler.go_on(row)
        elif choice[0] >= 0 and probe is not None and self._resumes(row, probe):
            self._scheduler.resume(row)
        elif row.phase is not Phase.FINISHED:
            row.phase = Phase.RUNNING
            row.times.first_token = time.monotonic()
            self._answering.append(row, choice)

    def _resumes(self, row: Seq, probe: Probe) -> bool:
        """Whether ``row`` goes on with another prompt. Its own fault ends it alone."""
        assert row.resume is not None
        resume, row.resume = row.resume, None
        row.times.probed = time.monotonic()
        try:
            stage = resume(probe)
            if stage is not None:
                row.cut_back(stage.prompt)
                row.resume = stage.resume
        except Exception as error:
            self._endings.fail(row, error)
            return False
        row.times.resumed = time.monotonic()
        return stage is not None

    # Decode

    def _decode(self, rows: Sequence[Seq]) -> None:
        running = [pair for pair in attempt(rows, self._run_decode) if pair[0].phase is Phase.RUNNING]
        for row, _ in running:  # all of them first: a row that leaves moves another one, at its length
            row.length += 1
            self._scheduler.decoded(row)
        for row, result in running:
            if isinstance(result, Exception):
                self._endings.fail(row, result)
            else:
                self._answering.append(row, result)

    def _run_decode(self, rows: Sequence[Seq]) -> list[Choice]:
        started = time.monotonic()
        chosen = self._choose(self._runner.decode(rows), rows)
        seconds = time.monotonic() - started
        self._scheduler.costs.decoded(len(rows), seconds)
        active = sum(row.phase is Phase.RUNNING for row in rows)
        self._observer.batch("decode", active, active, len(rows), seconds)
        return chosen

    # Both

    def _choose(self, logits: torch.Tensor, rows: Sequence[Seq]) -> list[Choice]:
        return self._sampler.choose(logits, [r.sampling for r in rows], [len(r.output) for r in rows])

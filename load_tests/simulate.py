"""What the micro-batch window buys: the engine's own scheduler under a virtual clock.

    python -m load_tests.simulate [--plot window.png]

Poisson arrivals of questions with answers of 1 to 64 tokens, at the cost of one L4 at 65 % of its
roofline (Qwen3-VL-4B in bfloat16, context 1,000) or at about what two CPU cores take for the bundled
model. Every policy sees the same arrivals. Load is in shares of what is answered when all arrive at once.
Written are mean latencies, each over the best of cutting at once and all fixed windows.
"""

import argparse
import math
import random
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from arr_coc.engine.config import EngineConfig
from arr_coc.engine.plan import Decode, Idle, Prefill
from arr_coc.engine.scheduler import Scheduler

LOADS = (0.1, 0.3, 0.5, 0.7, 0.85, 0.95, 1.5)
WINDOWS_MS = (0, 10, 20, 30, 50)
BUDGETS = (1024, 2048, 8192)
SEEDS = (0, 1)


@dataclass(frozen=True, slots=True)
class Machine:
    """Seconds of a prefill of so many padded and visual tokens, and of a decode step of so many rows."""

    prefill: Callable[[int, int], float]
    decode: Callable[[int], float]


_WEIGHTS_S = 8.0e9 / 300e9 / 0.65  # reading them once, which every forward does
MACHINES = {
    "l4": Machine(
        prefill=lambda tokens, visual: max(_WEIGHTS_S, tokens / 16_650 / 0.65) + visual * 6.4e-3 / 256 / 0.65,
        decode=lambda rows: _WEIGHTS_S + rows * 0.49e-3 / 0.65,
    ),
    "cpu": Machine(
        prefill=lambda tokens, visual: 2e-3 + tokens * 1e-4 + visual * 2e-4,
        decode=lambda rows: 1.3e-3 + rows * 9e-5,
    ),
}
DIRECT = [[(286, 256)]]
ZOOM = [[(286, 256), (546, 512)]]
MIXES = {
    "direct": DIRECT,
    "zoom": ZOOM,
    "both": DIRECT + ZOOM,
    "sizes": [[(100, 70)], [(286, 256)], [(798, 768)]],
}


@dataclass(eq=False, slots=True)
class Job:
    """A question: the (tokens, visual tokens) of its prefills, and the length of its answer."""

    arrived: float
    stages: list[tuple[int, int]]
    left: int
    ended: float = math.nan
    began: float = math.nan  # of its first prefill
    expected: float = math.nan  # wait for it, by the backlog on arrival
    computes: bytes | None = field(default=None, init=False)
    streamed: bool = True
    tenant: str = field(default="", init=False)
    done: int = field(default=0, init=False)  # tokens of the first stage
    told: list[float] = field(default_factory=list, init=False)  # when each token of the answer was

    @property
    def pending(self) -> int:
        return self.stages[0][0] - self.done

    def visual(self, tokens: int) -> int:
        return 0 if self.done else self.stages[0][1]

    @property
    def probing(self) -> bool:
        return len(self.stages) > 1


def arrivals(rate: float, count: int, mix: Sequence[list[tuple[int, int]]], seed: int) -> list[Job]:
    """Poisson arrivals of ``rate`` a second."""
    chance, now, jobs = random.Random(seed), 0.0, []
    for _ in range(count):
        now += chance.expovariate(rate) if math.isfinite(rate) else 0.0
        jobs.append(Job(now, list(chance.choice(mix)), chance.randint(1, 64)))
    return jobs


class Simulation:
    """The engine's loop, its forwards replaced by what they cost."""

    def __init__(self, config: EngineConfig, machine: Machine) -> None:
        self.now = 0.0
        self._slots = config.slots
        self._machine = machine
        self._scheduler: Scheduler[Job] = Scheduler(config)
        self._held = 0  # slots
        self._running: list[Job] = []

    def run(self, jobs: Iterable[Job]) -> None:
        """Serve ``jobs``, which arrive in this order, to the last token."""
        coming = list(reversed(list(jobs)))
        while coming or self._held or self._scheduler.waiting:
            while coming and coming[-1].arrived <= self.now:
                job = coming.pop()
                job.expected = self._scheduler.backlog.seconds
                self._scheduler.submit(job, job.arrived)
            match self._scheduler.plan(self.now, len(self._running), self._slots - self._held):
                case Prefill(batch, most):
                    self._prefill(batch, most)
                case Decode():
                    self._decode()
                case Idle(seconds):
                    upcoming = coming[-1].arrived if coming else math.inf
                    self.now = min(upcoming, self.now + (math.inf if seconds is None else seconds))

    def _prefill(self, batch: list[Job], most: int | None) -> None:
        for job in batch:
            if math.isnan(job.began):
                job.began = self.now
                self._held += 1
        parts = [min(job.pending, most or job.pending) for job in batch]
        tokens = len(batch) * max(parts)
        visual = sum(job.visual(part) for job, part in zip(batch, parts, strict=True))
        seconds = self._machine.prefill(tokens, visual)
        self._scheduler.costs.prefilled(tokens, visual, seconds)
        self.now += seconds
        for job, part in zip(batch, parts, strict=True):
            job.done += part
            if job.pending:
                self._scheduler.go_on(job)
            else:
                self._prefilled(job)

    def _prefilled(self, job: Job) -> None:
        job.stages.pop(0)
        job.done = 0
        if job.stages:
            self._scheduler.resume(job)
            return
        self._append(job)
        if job.left:
            self._running.append(job)

    def _decode(self) -> None:
        seconds = self._machine.decode(len(self._running))
        self._scheduler.costs.decoded(len(self._running), seconds)
        self.now += seconds
        for job in self._running:
            self._append(job)
            self._scheduler.decoded(job)
        self._running = [job for job in self._running if job.left]

    def _append(self, job: Job) -> None:
        job.left -= 1
        job.told.append(self.now)
        if not job.left:
            job.ended = self.now
            self._held -= 1


@dataclass(frozen=True, slots=True)
class Setting:
    """Where policies are compared."""

    machine: str
    mix: str
    token_budget: int

    def latency_s(self, rate: float, count: int, **policy: object) -> float:
        """Mean seconds from arrival to last token at ``rate`` arrivals a second."""
        jobs = [
            job
            for seed in SEEDS
            for job in self._served(arrivals(rate, count, MIXES[self.mix], seed), **policy)
        ]
        return statistics.fmean(job.ended - job.arrived for job in jobs)

    def capacity(self) -> float:
        """Answers a second when all arrive at once."""
        jobs = self._served(arrivals(math.inf, 300, MIXES[self.mix], 0), window_ms=0)
        return len(jobs) / max(job.ended for job in jobs)

    def _served(self, jobs: list[Job], **policy: object) -> list[Job]:
        config = EngineConfig.model_validate({"prefill_token_budget": self.token_budget, **policy})
        Simulation(config, MACHINES[self.machine]).run(jobs)
        return jobs


def compare(setting: Setting, count: int) -> dict[float, dict[str, float]]:
    """Of each load, every policy's mean latency over that of the best policy that does not adapt."""
    results, capacity = {}, setting.capacity()
    for load in LOADS:
        rate = load * capacity
        fixed = {
            f"{ms} ms": setting.latency_s(rate, count, window_ms=ms, adaptive_window=False)
            for ms in WINDOWS_MS
        }
        adaptive = setting.latency_s(rate, count)
        best = min(fixed.values())
        results[load] = {name: s / best for name, s in {**fixed, "adaptive": adaptive}.items()}
    return results


def draw(path: str, results: Mapping[Setting, dict[float, dict[str, float]]]) -> None:
    """One panel a setting: latency ratios of all policies over load."""
    from matplotlib.figure import Figure

    columns = len(BUDGETS)
    figure = Figure(figsize=(4.5 * columns, 2.6 * len(results) / columns), layout="constrained")
    panels = figure.subplots(len(results) // columns, columns, sharex=True, sharey=True, squeeze=False)
    for panel, (setting, loads) in zip(panels.flat, results.items(), strict=True):
        for name in next(iter(loads.values())):
            width = 2.5 if name == "adaptive" else 1.0
            panel.plot(list(loads), [ratios[name] for ratios in loads.values()], label=name, linewidth=width)
        panel.set_title(f"{setting.machine}, {setting.mix}, {setting.token_budget} tokens", fontsize=9)
    panels[0][0].legend(fontsize=7)
    figure.supxlabel("load")
    figure.supylabel("mean latency / best policy that does not adapt")
    figure.savefig(path, dpi=110)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m load_tests.simulate", description=__doc__)
    parser.add_argument("--count", type=int, default=400, help="questions of each run")
    parser.add_argument("--plot", help="where to draw the sweep")
    args = parser.parse_args()
    settings = [Setting(*each) for each in product(MACHINES, MIXES, BUDGETS)]
    results = {}
    for setting in settings:
        results[setting] = compare(setting, args.count)
        sys.stdout.write(f"{setting.machine}, {setting.mix}, prefills of {setting.token_budget} tokens\n")
        for load, ratios in results[setting].items():
            told = "  ".join(f"{name} {ratio:.3f}" for name, ratio in ratios.items())
            sys.stdout.write(f"  load {load:.2f}: {told}\n")
    adaptive = [ratios["adaptive"] for loads in results.values() for ratios in loads.values()]
    sys.stdout.write(f"adaptive: worst {max(adaptive):.3f}, median {statistics.median(adaptive):.3f}, ")
    sys.stdout.write(f"best {min(adaptive):.3f}\n")
    if args.plot:
        draw(args.plot, results)


if __name__ == "__main__":
    main()

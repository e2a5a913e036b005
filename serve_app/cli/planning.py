"""What ``arr-coc cost`` and ``arr-coc scale`` have in common: what is planned for, and how it is told."""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from serve_app.capacity.figures import COLD_START
from serve_app.cli.failure import UNTRIED, Failure

if TYPE_CHECKING:
    from serve_app.capacity.cost import Bill
    from serve_app.capacity.machine import Machine
    from serve_app.capacity.scaler import Scaling
    from serve_app.capacity.subject import Subject
    from serve_app.config import AppConfig

Config = Annotated[Path, typer.Argument(help="The config whose instances are meant.")]
Report = Annotated[
    Path | None, typer.Option(help="A load report, instead of a model; load_tests.closed_loop writes them.")
]
ModelName = Annotated[
    Literal["qwen2.5-vl-7b", "qwen3-vl-4b", "qwen3-vl-8b"], typer.Option(help="A model, by its roofline.")
]
GpuName = Annotated[Literal["l4"], typer.Option(help="The GPU that the roofline is of.")]
Requests = Annotated[int, typer.Option(min=1, max=100_000_000, help="Requests a month.")]
Shape = Annotated[Literal["steady", "diurnal", "spike"], typer.Option(help="When in a day they come.")]
NativeTokens = Annotated[int, typer.Option(min=64, help="Visual tokens of a picture at native resolution.")]
AnswerTokens = Annotated[int, typer.Option(min=1, help="Tokens of an answer.")]
ColdStart = Annotated[
    int, typer.Option(min=0, max=3600, help="Seconds from the start of an instance to its first request.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Plot = Annotated[Path | None, typer.Option(help="Draw a PNG; needs the extra `plot`.")]

CONFIG = Path("configs/cloud_run.yaml")
REQUESTS, NATIVE_TOKENS, TEXT_TOKENS, ANSWER_TOKENS = 1_000_000, 4096, 32, 32
_COLUMNS = ("", "instances", "concurrency", "most", "$ a month", "$ per 1,000", "p50 s", "p95 s", "refused")
COLD_START_S = int(COLD_START.value)


def subjects(
    app: "AppConfig", report: Path | None, model: str, gpu: str, native_tokens: int, answer_tokens: int
) -> "list[Subject]":
    """What was measured; or the model at native tokens, and then as this server asks it.

    Raises ConfigError where the report cannot be read, or the model not be served.
    """
    from arr_coc.errors import ConfigError
    from arr_coc.profile import ModelProfile
    from serve_app.capacity.architectures import MODELS
    from serve_app.capacity.report import read_report
    from serve_app.capacity.roofline import GPUS
    from serve_app.capacity.subject import Question, measured, modelled

    if report:
        return [measured(read_report(report))]
    if app.cloud_run.gpu != f"nvidia-{gpu}":
        raise ConfigError(f"cloud_run.gpu is not nvidia-{gpu}, so its price would be missing")
    asked, profile = Question(native_tokens, TEXT_TOKENS, answer_tokens), ModelProfile()
    tier = profile.tier(native_tokens)
    foveated = asked.foveated(tier.overview_tokens, tier.total_tokens, profile.direct_max_tokens)
    return [
        modelled(f"{model}, {how}", MODELS[model], GPUS[gpu], work, app.engine.slots)
        for how, work in (("native", asked.native), ("this server", foveated))
    ]


def platform(app: "AppConfig", cold_start_s: float) -> "tuple[Machine, Scaling]":
    """The instances of a config, and how they scale. Raises ConfigError."""
    from arr_coc.errors import ConfigError
    from serve_app.capacity.machine import Machine
    from serve_app.capacity.scaler import Scaling

    run = app.cloud_run
    if run.min_instances > run.max_instances:
        raise ConfigError("cloud_run.min_instances must not exceed cloud_run.max_instances")
    scaling = Scaling(app.concurrency, run.min_instances, run.max_instances, cold_start_s)
    return Machine(run.cpu, run.memory_gib, run.gpu), scaling


def print_bills(title: str, bills: "Iterable[tuple[str, Bill]]") -> None:
    """A table with a row for each subject and bill."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for heading in _COLUMNS:
        table.add_column(heading, justify="left" if heading in ("", "instances") else "right")
    for subject, each in bills:
        outcome = each.outcome
        table.add_row(
            subject, each.way, str(each.scaling.concurrency), str(outcome.most_instances),
            f"{each.month:,.0f}", f"{each.per_thousand:.3f}",
            f"{outcome.percentile(50):.2f}", f"{outcome.percentile(95):.2f}",
            f"{outcome.refused / max(1, len(outcome.latencies)):.2%}",
        )  # fmt: skip
    Console().print(table)


def bill_fields(subject: str, each: "Bill") -> dict[str, Any]:
    """A row of that table, for JSON; null where nothing was answered."""
    outcome, scaling = each.outcome, each.scaling
    numbers = {
        "dollars_a_month": each.month,
        "dollars_per_thousand": each.per_thousand,
        "p50_s": outcome.percentile(50),
        "p95_s": outcome.percentile(95),
        "refused": outcome.refused / max(1, len(outcome.latencies)),
    }
    return {
        "subject": subject,
        "instances": each.way,
        "concurrency": scaling.concurrency,
        "min_instances": scaling.min_instances,
        "max_instances": scaling.max_instances,
        "most_instances": outcome.most_instances,
        **{name: round(number, 6) if math.isfinite(number) else None for name, number in numbers.items()},
    }


@contextmanager
def drawing(file: Path) -> Iterator[None]:
    """Tells what keeps ``file`` from being drawn."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise Failure("drawing needs matplotlib: pip install 'arr-coc-serve[plot]'", UNTRIED) from error
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror or 'no picture'}") from error

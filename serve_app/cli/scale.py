"""``arr-coc scale``: which concurrency and how many warm instances a service needs, by simulation."""

from typing import TYPE_CHECKING, Annotated

import typer

from serve_app.cli import planning
from serve_app.cli.failure import FAILED, told

if TYPE_CHECKING:
    from serve_app.capacity.choosing import Objective
    from serve_app.capacity.cost import Bill
    from serve_app.capacity.traffic import Trace

_SHOWN = 8  # rows of the table


def scale(
    p95: Annotated[float, typer.Option(min=0, help="Seconds that 95 % of the requests shall stay within.")],
    config: planning.Config = planning.CONFIG,
    refused: Annotated[float, typer.Option(min=0, max=1, help="Share that may be refused.")] = 0.001,
    report: planning.Report = None,
    model: planning.ModelName = "qwen3-vl-4b",
    gpu: planning.GpuName = "l4",
    requests: planning.Requests = planning.REQUESTS,
    trace: planning.Shape = "diurnal",
    native_tokens: planning.NativeTokens = planning.NATIVE_TOKENS,
    answer_tokens: planning.AnswerTokens = planning.ANSWER_TOKENS,
    cold_start: planning.ColdStart = planning.COLD_START_S,
    max_instances: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Instead of the config's.")
    ] = None,
    plot: planning.Plot = None,
    as_json: planning.AsJson = False,
) -> None:
    """Find the cheapest settings that meet an objective; exit code 1 where none do."""
    from dataclasses import replace

    from serve_app.capacity.choosing import Objective, candidates, tried
    from serve_app.capacity.cost import MONTH_DAYS
    from serve_app.capacity.traffic import day
    from serve_app.config_file import read_config

    with told():
        app = read_config(config).app
        machine, scaling = planning.platform(app, cold_start)
        if max_instances is not None:
            scaling = replace(scaling, min_instances=0, max_instances=max_instances)
        subject = planning.subjects(app, report, model, gpu, native_tokens, answer_tokens)[-1]
        drawn = day(trace, requests / MONTH_DAYS)
        bills = tried(drawn, subject.rates, machine, candidates(subject.scaled(scaling)))
        _answer(subject.name, bills, Objective(p95, refused), drawn, plot, as_json)


def _answer(
    subject: str,
    bills: "list[Bill]",
    objective: "Objective",
    trace: "Trace",
    plot: planning.Plot,
    as_json: bool,
) -> None:
    from serve_app.capacity.choosing import cheapest

    chosen = cheapest(bills, objective)
    best = sorted(bills, key=lambda each: (not objective.met(each), each.month))[:_SHOWN]
    if plot:
        with planning.drawing(plot):
            from serve_app.capacity.drawing import draw_scaling

            draw_scaling(trace, bills, chosen, objective, plot)
    if as_json:
        _print_json(subject, best, chosen)
    else:
        _print(subject, best, chosen, objective)
    if chosen is None:
        raise typer.Exit(FAILED)


def _print_json(subject: str, best: "list[Bill]", chosen: "Bill | None") -> None:
    import json

    told = {
        "cheapest": None if chosen is None else planning.bill_fields(subject, chosen),
        "best": [planning.bill_fields(subject, each) for each in best],
    }
    typer.echo(json.dumps(told, indent=1))


def _print(subject: str, best: "list[Bill]", chosen: "Bill | None", objective: "Objective") -> None:
    planning.print_bills(f"p95 {objective.p95_s:g} s, {objective.refused:.2%} refused", [
        (subject, each) for each in best
    ])  # fmt: skip
    if chosen is None:
        typer.echo("none of these settings meets the objective")
        return
    typer.echo(
        f"cheapest: concurrency {chosen.scaling.concurrency}, {chosen.way}, ${chosen.month:,.0f} a month"
    )

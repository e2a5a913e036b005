"""``arr-coc cost``: what answers cost on Cloud Run, by how instances are kept and how pictures are seen."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from serve_app.cli import planning
from serve_app.cli.failure import told

if TYPE_CHECKING:
    from serve_app.capacity.cost import Bill
    from serve_app.capacity.figures import Figure
    from serve_app.capacity.machine import Machine
    from serve_app.capacity.scaler import Scaling
    from serve_app.capacity.subject import Subject
    from serve_app.capacity.traffic import Trace

_VOLUMES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # of the requests asked for, in the plot


def cost(
    config: planning.Config = planning.CONFIG,
    report: planning.Report = None,
    model: planning.ModelName = "qwen3-vl-4b",
    gpu: planning.GpuName = "l4",
    requests: planning.Requests = planning.REQUESTS,
    trace: planning.Shape = "diurnal",
    native_tokens: planning.NativeTokens = planning.NATIVE_TOKENS,
    answer_tokens: planning.AnswerTokens = planning.ANSWER_TOKENS,
    cold_start: planning.ColdStart = planning.COLD_START_S,
    plot: planning.Plot = None,
    as_json: planning.AsJson = False,
) -> None:
    """Tell what a month costs, by a load report or a model's roofline, and where every figure is from."""
    from serve_app.capacity.cost import MONTH_DAYS
    from serve_app.capacity.traffic import day
    from serve_app.config_file import read_config

    with told():
        app = read_config(config).app
        machine, scaling = planning.platform(app, cold_start)
        subjects = planning.subjects(app, report, model, gpu, native_tokens, answer_tokens)
        rows = [
            (f"{subject.name} ({subject.visual_tokens:.0f} tokens)", each)
            for subject in subjects
            for each in _bills(subject, day(trace, requests / MONTH_DAYS), scaling, machine)
        ]
        if as_json:
            _print_json(rows)
        else:
            planning.print_bills(f"{requests:,.0f} requests a month, {trace}", rows)
            _print_reference()
            _print_sources()
        if plot:
            _draw(subjects, requests, trace, scaling, machine, plot)


def _bills(subject: "Subject", trace: "Trace", scaling: "Scaling", machine: "Machine") -> "list[Bill]":
    from serve_app.capacity.cost import bill, ways

    kept = ways(trace, subject.rates, subject.scaled(scaling))
    return [bill(way, trace, subject.rates, each, machine) for way, each in kept.items()]


def _print_reference() -> None:
    from serve_app.capacity.reference import checks

    typer.echo("The figures that the design began with:")
    for check in checks():
        typer.echo(f"  {'confirmed' if check.holds else 'corrected'}: {check.claim}\n    {check.found}")


def _print_sources() -> None:
    typer.echo("Constants:")
    for name, figure in _constants().items():
        value = f"{figure.value:g} {figure.unit} ({figure.source}, {figure.date})"
        typer.echo(f"  {name.replace('_', ' ')}: {value}")


def _constants() -> "dict[str, Figure]":
    from serve_app.capacity import figures

    found = vars(figures).items()
    return {name.lower(): figure for name, figure in found if isinstance(figure, figures.Figure)}


def _print_json(rows: "list[tuple[str, Bill]]") -> None:
    import json
    from dataclasses import asdict

    from serve_app.capacity.reference import checks

    told = {
        "bills": [planning.bill_fields(*row) for row in rows],
        "began_with": [asdict(check) for check in checks()],
        "constants": {name: asdict(figure) for name, figure in _constants().items()},
    }
    typer.echo(json.dumps(told, indent=1))


def _draw(
    subjects: "list[Subject]", requests: float, shape: str, scaling: "Scaling", machine: "Machine", file: Path
) -> None:
    from serve_app.capacity.cost import MONTH_DAYS
    from serve_app.capacity.traffic import day

    with planning.drawing(file):
        from serve_app.capacity.drawing import draw_costs

        volumes = [requests * share for share in _VOLUMES]
        bills: dict[str, dict[str, list[Bill]]] = {subject.name: {} for subject in subjects}
        for volume in volumes:
            trace = day(shape, volume / MONTH_DAYS)
            for subject in subjects:
                for each in _bills(subject, trace, scaling, machine):
                    bills[subject.name].setdefault(each.way, []).append(each)
        draw_costs(volumes, bills, file)

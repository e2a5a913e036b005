"""The subcommand: every check in turn, and what is printed of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serve_app.cli.failure import FAILED

if TYPE_CHECKING:
    from serve_app.cli.doctor.finding import Finding

_COLOURS = {"ok": typer.colors.GREEN, "warning": typer.colors.YELLOW, "problem": typer.colors.RED}


def doctor(
    config: Annotated[Path, typer.Argument(help="The config that shall be served.")] = Path(
        "configs/local.yaml"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list instead.")] = False,
) -> None:
    """Check whether a config can be served on this machine, and say what to do where it cannot."""
    import json
    from dataclasses import asdict

    findings = []
    for finding in examine(config):
        findings.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(FAILED)


def examine(path: Path) -> "Iterator[Finding]":
    """All findings, each as soon as it is there. Without a valid config only what needs none."""
    import os

    from arr_coc.errors import ConfigError
    from arr_coc.model.sources.room import free_memory
    from serve_app.checks import on_port
    from serve_app.cli.doctor.accelerator import check_accelerator, look
    from serve_app.cli.doctor.finding import ok, problem
    from serve_app.cli.doctor.machine import check_port, check_shared_memory
    from serve_app.cli.doctor.model import check_models
    from serve_app.cli.doctor.software import check_software
    from serve_app.config_file import read_config

    yield from check_software()
    yield check_shared_memory()
    try:
        file = on_port(read_config(path), os.environ.get("PORT", ""))
    except ConfigError as error:
        yield problem("config", error.message, "mend it; docs/configuration.md lists the settings")
        return
    yield ok("config", str(path))
    yield check_port(file.http_options)
    accelerator = look()
    yield check_accelerator(accelerator, file.app)
    yield from check_models(file.app, accelerator, free_memory())


def _print(finding: "Finding") -> None:
    level = typer.style(f"{finding.level:<8}", fg=_COLOURS[finding.level])
    typer.echo(f"{level} {finding.check:<14} {finding.told}")
    if finding.remedy:
        typer.echo(f"{'':<24}{finding.remedy}")

"""``arr-coc`` itself: its subcommands and what is common to them."""

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from serve_app.cli.ask import ask
from serve_app.cli.batch.command import batch
from serve_app.cli.calibrate import calibrate
from serve_app.cli.cost import cost
from serve_app.cli.deploy import deploy
from serve_app.cli.doctor.command import doctor
from serve_app.cli.kuberay import kuberay
from serve_app.cli.scale import scale
from serve_app.cli.serve import serve

PACKAGE = "arr-coc-serve"

app = typer.Typer(
    name="arr-coc",
    help="A vision-language model server that looks where the question points, and its clients.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


def _tell_version(wanted: bool) -> None:
    if not wanted:
        return
    try:
        typer.echo(f"{PACKAGE} {version(PACKAGE)}")
    except PackageNotFoundError:
        typer.echo(f"{PACKAGE}, not installed")
    raise typer.Exit


@app.callback()
def common(
    told: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version.")
    ] = False,
) -> None:
    """A vision-language model server that looks where the question points, and its clients."""


app.command()(serve)
app.command()(ask)
app.command()(batch)
app.command(
    add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)(calibrate)
app.command()(doctor)
app.command()(deploy)
app.command()(kuberay)
app.command()(cost)
app.command()(scale)


def main() -> None:
    """The entry point."""
    app()


if __name__ == "__main__":
    main()

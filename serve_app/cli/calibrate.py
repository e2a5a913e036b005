"""``arr-coc calibrate``: what ``python -m arr_coc.calibrate`` does, its help included."""

import typer


def calibrate(context: typer.Context) -> None:
    """Find out how a model in MODEL_DIR wants to be asked where to look; --help tells the options."""
    from arr_coc.calibrate.__main__ import main

    raise typer.Exit(main(context.args))

"""``arr-coc serve``: what ``python -m serve_app`` does."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    config: Annotated[Path, typer.Argument(help="A Ray Serve config file.")] = Path("configs/local.yaml"),
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Instead of the file's, and of $PORT.")
    ] = None,
) -> None:
    """Serve a config file until a signal."""
    from serve_app.__main__ import run

    run([str(config)] if port is None else [str(config), "--port", str(port)])

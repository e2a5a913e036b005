"""The command as a user runs it."""

import asyncio
from typing import Any

from typer.testing import CliRunner, Result

from serve_app.cli.app import app


def invoke(*arguments: object) -> Result:
    """What the command does, in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


async def invoke_beside(*arguments: object) -> Any:
    """The same, while the test's event loop goes on to serve."""
    return await asyncio.to_thread(invoke, *arguments)

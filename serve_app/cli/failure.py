"""What ends a command that did not do what it was asked, and with which exit code.

1   what was asked for failed: the server's answer is an error, a line or a check failed
2   it could not even be tried: no server there, an unreadable file, settings that cannot be
"""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from arr_coc.errors import ArrCocError, ConfigError

FAILED = 1
UNTRIED = 2


class Failure(Exception):
    """Ends a command with a message for its user."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@contextmanager
def told() -> Iterator[None]:
    """Tells what fails inside in one line on standard error, and ends the command."""
    try:
        yield
    except Failure as failure:
        _end(str(failure), failure.exit_code)
    except ConfigError as error:
        _end(error.message, UNTRIED)
    except ArrCocError as error:
        _end(error.message, FAILED)


def _end(message: str, exit_code: int) -> None:
    typer.echo(f"arr-coc: {message}", err=True)
    raise typer.Exit(exit_code) from None

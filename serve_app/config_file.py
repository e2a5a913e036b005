"""The file that settings are written in.

It is a Ray Serve config, so that ``serve run FILE`` and ``python -m serve_app FILE`` read the same one.
"""

from pathlib import Path
from typing import Any, Final, Literal, Self

import yaml
from pydantic import Field, ValidationError

from arr_coc.errors import ConfigError
from serve_app.config import AppConfig, Section

IMPORT_PATH: Final = "serve_app.app:build"


class HttpOptions(Section):
    """Where the server listens."""

    host: str = Field(default="0.0.0.0", description="address to listen on")
    port: int = Field(default=8000, ge=1, le=65535, description="where $PORT is not set")


class _Application(Section):
    """The application, as Ray Serve calls it."""

    name: str = Field(default="arr-coc", description="its name in Ray Serve")
    route_prefix: Literal["/"] = Field(default="/", description="where its paths begin")
    import_path: Literal["serve_app.app:build"] = Field(default=IMPORT_PATH, description="what builds it")
    args: AppConfig = AppConfig()


class ServerFile(Section):
    """A config file: the part of Ray Serve's schema that this server uses."""

    http_options: HttpOptions = HttpOptions()
    applications: tuple[_Application] = Field(description="exactly one")

    @property
    def app(self) -> AppConfig:
        return self.applications[0].args

    @property
    def name(self) -> str:
        return self.applications[0].name

    def with_pinned_model(self) -> Self:
        """As `AppConfig.with_pinned_model`."""
        application = self.applications[0].model_copy(update={"args": self.app.with_pinned_model()})
        return self.model_copy(update={"applications": (application,)})


def read_config(path: Path) -> ServerFile:
    """Read and check a config file. Raises ConfigError with one line that says what to mend."""
    try:
        content: Any = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    try:
        return ServerFile.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_first(error)}") from error


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    path = problem["loc"]
    if path[:2] == ("applications", 0) and len(path) > 2:  # there is one, so its place says nothing
        path = path[2:]
    where = ".".join(map(str, path))
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where or 'file'}: {problem['msg']}{more}"

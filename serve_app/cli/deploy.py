"""``arr-coc deploy``: a config as a Cloud Run service."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serve_app.cli.failure import UNTRIED, Failure, told

if TYPE_CHECKING:
    from serve_app.cloud_run.commands import Command
    from serve_app.cloud_run.service import Release

NO_PROJECT = "PROJECT_ID"
IN_IMAGE = "configs"  # the directory that Dockerfile.gpu copies
_HEADER = """\
# Written by `arr-coc deploy --dry-run`; change the config it is rendered from instead.
"""


def deploy(
    config: Annotated[Path, typer.Argument(help="The config to serve, as it lies in the image.")] = Path(
        "configs/cloud_run.yaml"
    ),
    project: Annotated[
        str, typer.Option(envvar="GOOGLE_CLOUD_PROJECT", help="The Google Cloud project.")
    ] = NO_PROJECT,
    tag: Annotated[str, typer.Option(help="The image's tag.")] = "latest",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the service and every command, and run none.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --dry-run: print them as JSON.")] = False,
) -> None:
    """Build the image, push it, and make the Cloud Run service what the config says."""
    from serve_app.cloud_run.service import Release
    from serve_app.config_file import read_config

    with told():
        if config.parts[:1] != (IN_IMAGE,):
            raise Failure(f"{config} is not below {IN_IMAGE}, so the image has it not", UNTRIED)
        release = Release(read_config(config), config.as_posix(), project, tag)
        if as_json and not dry_run:
            raise typer.BadParameter("--json is for --dry-run; the commands print what they will")
        if dry_run:
            typer.echo(_as_json(release) if as_json else rendered(release), nl=as_json)
        elif project == NO_PROJECT:
            raise Failure("--project is needed", UNTRIED)
        else:
            _run(release)


def rendered(release: "Release") -> str:
    """The service as YAML, and beneath it, as comments, the commands. Raises ConfigError."""
    titles = {
        "prepare": "Once for a project",
        "release": "Each release; `arr-coc deploy` runs these",
        "without_file": "The last of them without this file",
        "schedule": "Instances that are kept warm in some hours",
    }
    listed = [
        f"#\n# {titles[name]}:\n{_listing(section)}"
        for name, section in _commands(release).items()
        if section
    ]
    return _HEADER + _yaml(release) + "".join(listed)


def _commands(release: "Release") -> "dict[str, list[Command]]":
    from serve_app.cloud_run import commands

    return {
        "prepare": commands.prepare(release),
        "release": [*commands.publish(release), commands.replace(release, "FILE")],
        "without_file": [commands.deploy(release)],
        "schedule": commands.schedule(release),
    }


def _as_json(release: "Release") -> str:
    import json

    from serve_app.cloud_run.service import manifest

    return json.dumps({"service": manifest(release), "commands": _commands(release)}, indent=1)


def _listing(section: "list[Command]") -> str:
    import shlex

    return "".join(f"#   {shlex.join(command)}\n" for command in section)


def _yaml(release: "Release") -> str:
    import yaml

    from serve_app.cloud_run.service import manifest

    return yaml.safe_dump(manifest(release), sort_keys=False, width=110)


def _run(release: "Release") -> None:
    import subprocess
    import tempfile

    from serve_app.cloud_run import commands

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "service.yaml")
        path.write_text(_yaml(release))
        for command in [*commands.publish(release), commands.replace(release, str(path))]:
            try:
                code = subprocess.run(command).returncode
            except OSError as error:
                raise Failure(f"{command[0]} cannot be run: {error.strerror}", UNTRIED) from error
            if code:
                raise Failure(f"{command[0]} {command[1]} ended with {code}")

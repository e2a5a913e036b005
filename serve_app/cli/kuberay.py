"""``arr-coc kuberay``: a config as a RayService."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serve_app.cli.failure import told

if TYPE_CHECKING:
    from serve_app.config_file import ServerFile

_HEADER = """\
# Written by `arr-coc kuberay`; change the config it is rendered from instead.
"""


def kuberay(
    config: Annotated[Path, typer.Argument(help="The config to serve.")] = Path("configs/kuberay.yaml"),
) -> None:
    """Print a config as what `kubectl apply -f -` makes a service of several machines, under KubeRay."""
    from serve_app.config_file import read_config

    with told():
        typer.echo(rendered(read_config(config)), nl=False)


def rendered(file: "ServerFile") -> str:
    """The documents as YAML. Raises ConfigError."""
    import yaml

    from serve_app.kuberay.service import manifests

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return True

    def as_written(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)

    Dumper.add_representer(str, as_written)
    return _HEADER + yaml.dump_all(manifests(file), Dumper=Dumper, sort_keys=False, width=110)

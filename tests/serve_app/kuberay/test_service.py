"""The rendered RayService: valid by its schemas, and never at odds with the server."""

import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ray.serve.schema import ServeDeploySchema
from referencing import Registry, Resource

from arr_coc.errors import ConfigError
from serve_app.config import AppConfig
from serve_app.config_file import ServerFile, read_config
from serve_app.kuberay.service import manifests
from tests.serve_app.cli.command import invoke

ROOT = Path(__file__).parents[3]
SCHEMAS = {
    name: json.loads((Path(__file__).parent / "schema" / name).read_text())
    for name in ("kubernetes.json", "rayservice.json")
}
REGISTRY: Registry[Any] = Registry().with_resources(
    (name, Resource.from_contents(schema)) for name, schema in SCHEMAS.items()
)


def config(changes: dict[str, Any] | None = None, **http: Any) -> ServerFile:
    """The bundled config with whole sections of its ``args``, or ``http_options``, merged into."""
    content = read_config(ROOT / "configs/kuberay.yaml").model_dump(exclude_unset=True)
    args = content["applications"][0]["args"]
    for section, values in (changes or {}).items():
        args[section] = {**args.get(section, {}), **values} if isinstance(values, dict) else values
    content["http_options"].update(http)
    return ServerFile.model_validate(content)


def check(reference: str, content: Any) -> None:
    schema = {"$ref": reference}
    jsonschema.Draft202012Validator(schema, registry=REGISTRY).validate(content)


def rendered(file: ServerFile) -> dict[str, Any]:
    """The RayService of ``file``, which is valid."""
    service, policy = manifests(file)
    check("rayservice.json", service)
    check("kubernetes.json#/$defs/io.k8s.api.networking.v1.NetworkPolicy", policy)
    return service


def group(service: dict[str, Any], name: str) -> dict[str, Any]:
    groups = service["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    return next(each for each in groups if each["groupName"] == name)


def container(template: dict[str, Any]) -> dict[str, Any]:
    return template["template"]["spec"]["containers"][0]


def test_the_committed_service_is_what_the_config_renders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    told = invoke("kuberay")
    assert told.exit_code == 0
    assert told.stdout == (ROOT / "configs/kuberay/rayservice.yaml").read_text()
    assert list(yaml.safe_load_all(told.stdout)) == manifests(read_config(Path("configs/kuberay.yaml")))


@pytest.mark.parametrize(
    "path",
    [
        ("spec", "serveConfig"),
        ("spec", "rayClusterConfig", "workerGroups"),
        ("spec", "rayClusterConfig", "headGroupSpec", "template", "spec", "containers", 0, "cmd"),
    ],
)
def test_the_schemas_refuse_what_they_do_not_know(path: tuple[str | int, ...]) -> None:
    service: Any = rendered(config())
    *parents, last = path
    place = service
    for step in parents:
        place = place[step]
    place[last] = 1
    with pytest.raises(jsonschema.ValidationError):
        check("rayservice.json", service)


def test_ray_serve_takes_the_application_and_builds_what_the_config_says() -> None:
    file = config()
    deployed = ServeDeploySchema.model_validate(yaml.safe_load(rendered(file)["spec"]["serveConfigV2"]))
    (application,) = deployed.applications
    assert application.import_path == "serve_app.app:build"
    assert deployed.http_options.port == file.http_options.port
    served = AppConfig.model_validate(application.args)
    elsewhere = {"cloud_run", "kuberay"}
    assert served.model_dump(exclude=elsewhere) == file.app.model_dump(exclude=elsewhere)


def test_the_size_of_the_nodes_is_no_change_of_the_application() -> None:
    larger = config({"kuberay": {"head": {"cpu": 4, "memory_gib": 16}}})
    assert rendered(larger)["spec"]["serveConfigV2"] == rendered(config())["spec"]["serveConfigV2"]


@given(
    fewest=st.integers(1, 9),
    more=st.integers(0, 9),
    cpus=st.sampled_from([0.5, 1, 2, 3]),
    node=st.integers(3, 16),
    port=st.integers(1, 65535),
    deadline=st.floats(0.1, 3000),
)
def test_there_is_room_for_all_replicas_where_their_labels_say(
    fewest: int, more: int, cpus: float, node: int, port: int, deadline: float
) -> None:
    scaling = {"min_replicas": fewest, "max_replicas": fewest + more}
    file = config(
        {
            "texture": {"num_cpus": cpus, "autoscaling": scaling},
            "generation": {"num_cpus": cpus, "autoscaling": scaling},
            "kuberay": {
                "texture_node": {"cpu": node, "memory_gib": 8},
                "generation_node": {"cpu": node, "memory_gib": 8},
            },
            "deadline_s": deadline,
        },
        port=port,
    )
    service = rendered(file)
    texture, generation = group(service, "texture"), group(service, "generation")
    assert texture["minReplicas"] * math.floor(node / cpus) >= fewest
    assert texture["maxReplicas"] * math.floor(node / cpus) >= 2 * (fewest + more)  # old and new at once
    assert (generation["minReplicas"], generation["maxReplicas"]) == (fewest, fewest + more)
    assert texture["labels"] == file.app.texture.node_labels
    assert generation["labels"] == file.app.generation.node_labels
    assert "nvidia.com/gpu" not in container(texture)["resources"]["limits"]
    assert container(generation)["resources"]["limits"] == {
        "cpu": str(node), "memory": "8Gi", "nvidia.com/gpu": "1",
    }  # fmt: skip
    for each in (texture, generation):
        assert {"name": "serve", "containerPort": port} in container(each)["ports"]
        assert container(each)["readinessProbe"]["httpGet"]["port"] == port
        assert each["template"]["spec"]["terminationGracePeriodSeconds"] > deadline


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"kuberay": {"image": None}}, "kuberay.image"),
        ({"kuberay": {"gpu": None}}, "kuberay.gpu"),
        ({"texture": {"node_labels": {}}}, "texture.node_labels"),
        ({"texture": {"node_labels": {"arr-coc/stage": "generation"}}}, "tell the stages' nodes apart"),
        ({"texture": {"num_cpus": 0}}, "texture.num_cpus"),
        ({"generation": {"num_cpus": 9}}, "kuberay.generation_node.cpu"),
        ({"embedding": {"source": "gs://b/clip", "alone": True}}, "embedding.alone"),
        ({"embedding": {"source": "gs://b/clip", "num_gpus": 0.2}}, "embedding.num_gpus"),
    ],
)
def test_what_could_never_run_is_told(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        manifests(config(changes))


def test_on_loopback_nobody_would_be_reached() -> None:
    with pytest.raises(ConfigError, match=r"http_options\.host"):
        manifests(config(host="127.0.0.1"))

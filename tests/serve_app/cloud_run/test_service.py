"""The rendered service: valid by Cloud Run's own schema, and never at odds with the server."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.cloud_run.service import manifest
from serve_app.probes import probe_routes
from tests.serve_app.cloud_run.releases import release

SCHEMA = json.loads((Path(__file__).parent / "schema/service.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def check(service: dict[str, Any]) -> None:
    VALIDATOR.validate(service)
    template = service["spec"]["template"]
    _check_annotations("Service", service["metadata"]["annotations"])
    _check_annotations("Revision", template["metadata"]["annotations"])
    startup = template["spec"]["containers"][0]["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] <= 240
    assert startup["timeoutSeconds"] <= startup["periodSeconds"]


def _check_annotations(kind: str, annotations: Mapping[str, str]) -> None:
    known = SCHEMA["annotations"]
    assert {key for key in annotations if kind not in known.get(key, [])} == set()


def container(service: dict[str, Any]) -> dict[str, Any]:
    return service["spec"]["template"]["spec"]["containers"][0]


def test_it_is_valid_by_the_published_schema() -> None:
    check(manifest(release()))


@pytest.mark.parametrize(
    "path",
    [("spec", "template", "spec", "concurrency"), ("spec", "template", "spec", "containers", 0, "probe")],
)
def test_the_schema_refuses_what_it_does_not_know(path: tuple[str | int, ...]) -> None:
    service: Any = manifest(release())
    *parents, last = path
    place = service
    for step in parents:
        place = place[step]
    place[last] = 1
    with pytest.raises(jsonschema.ValidationError):
        check(service)


@given(
    slots=st.integers(1, 500),
    queue=st.integers(1, 600),
    deadline=st.floats(0.1, 3000),
    port=st.integers(1, 65535),
    cpu=st.sampled_from([4, 6, 8]),
    memory=st.integers(16, 32),
)
def test_it_says_what_the_server_does(
    slots: int, queue: int, deadline: float, port: int, cpu: int, memory: int
) -> None:
    given = release(
        {
            "engine": {"slots": slots, "max_queue": queue},
            "deadline_s": deadline,
            "cloud_run": {"cpu": cpu, "memory_gib": memory},
        },
        port=port,
    )
    service = manifest(given)
    check(service)
    spec = service["spec"]["template"]["spec"]
    assert spec["containerConcurrency"] == min(2 * slots, slots + queue)
    assert spec["containerConcurrency"] <= given.file.app.engine_load  # the door refuses nobody who is sent
    assert spec["timeoutSeconds"] > deadline  # the server's own answer comes first
    assert container(service)["resources"]["limits"] == {
        "cpu": str(cpu), "memory": f"{memory}Gi", "nvidia.com/gpu": "1",
    }  # fmt: skip
    (listening,) = container(service)["ports"]
    assert listening["containerPort"] == port
    assert container(service)["startupProbe"]["httpGet"]["port"] == port


def test_probes_ask_for_routes_that_exist() -> None:
    paths = {route.path for route in probe_routes(None, None, {}, bytes)}  # type: ignore[arg-type]
    asked = container(manifest(release()))
    assert {asked[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe")} <= paths


def test_a_gpu_comes_without_a_second_zone() -> None:
    template = manifest(release())["spec"]["template"]
    assert template["spec"]["nodeSelector"] == {"run.googleapis.com/accelerator": "nvidia-l4"}
    assert template["metadata"]["annotations"]["run.googleapis.com/gpu-zonal-redundancy-disabled"] == "true"


def test_without_a_gpu_nothing_is_said_of_one() -> None:
    service = manifest(
        release({
            "cloud_run": {"gpu": None}, "generation": {"num_gpus": 0}, "model": {"device": "cpu"},
        })
    )  # fmt: skip
    check(service)
    assert not {"gpu", "nvidia"} & set(json.dumps(service).replace(".", "-").split("-"))


def test_the_service_tells_every_model() -> None:
    both = {"model": {"source": "/model", "name": "qwen"}, "embedding": {"source": "gs://b/clip"}}
    told = manifest(release(both))["metadata"]["annotations"]["run.googleapis.com/description"]
    assert told == "qwen from /model, clip from gs://b/clip"

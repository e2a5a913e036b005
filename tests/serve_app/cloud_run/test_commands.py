"""The commands say the same as the manifest, and grant what the model's source needs."""

import json
from typing import Any

import pytest

from serve_app.cloud_run import commands
from serve_app.cloud_run.service import manifest
from tests.serve_app.cloud_run.releases import release


def flags(command: list[str]) -> dict[str, str]:
    pairs = (word.removeprefix("--").partition("=") for word in command if word.startswith("--"))
    return {name: value for name, _, value in pairs}


def probe(flag: str) -> dict[str, Any]:
    values = dict(pair.split("=") for pair in flag.split(","))
    get = {"path": values.pop("httpGet.path"), "port": int(values.pop("httpGet.port"))}
    return {"httpGet": get, **{name: int(value) for name, value in values.items()}}


def test_deploying_by_flags_is_deploying_the_manifest() -> None:
    given = release()
    told, service = flags(commands.deploy(given)), manifest(given)
    spec = service["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert told["image"] == container["image"]
    assert told["args"] == ",".join(container["args"])
    assert told["concurrency"] == str(spec["containerConcurrency"])
    assert told["timeout"] == str(spec["timeoutSeconds"])
    assert told["service-account"] == spec["serviceAccountName"]
    assert told["port"] == str(container["ports"][0]["containerPort"])
    assert {"cpu": told["cpu"], "memory": told["memory"], "nvidia.com/gpu": told["gpu"]} == container[
        "resources"
    ]["limits"]
    assert told["gpu-type"] == spec["nodeSelector"]["run.googleapis.com/accelerator"]
    assert told["min"] == service["metadata"]["annotations"]["run.googleapis.com/minScale"]
    assert told["max"] == service["metadata"]["annotations"]["run.googleapis.com/maxScale"]
    assert probe(told["startup-probe"]) == container["startupProbe"]
    assert probe(told["liveness-probe"]) == container["livenessProbe"]


def test_what_is_built_is_pushed_and_deployed() -> None:
    given = release()
    build, push = commands.publish(given)
    assert f"--tag={given.image}" in build
    assert push[-1] == given.image == flags(commands.deploy(given))["image"]


@pytest.mark.parametrize(
    ("source", "granted"),
    [
        ("/model", []),
        ("gs://weights/qwen/3", [("gs://weights", "roles/storage.objectViewer")]),
        ("gs://weights/qwen#17", [("gs://weights", "roles/storage.objectViewer")]),
        ("vertex://other/us-central1/qwen@2", [
            ("other", "roles/aiplatform.viewer"), ("other", "roles/storage.objectViewer"),
        ]),
    ],
)  # fmt: skip
def test_the_server_may_read_its_model_and_nothing_else(source: str, granted: list[tuple[str, str]]) -> None:
    given = release({"model": {"source": source}})
    grants = [line for line in commands.prepare(given) if "add-iam-policy-binding" in line]
    assert all(flags(line)["member"] == f"serviceAccount:{given.account}" for line in grants)
    assert [
        (line[line.index("add-iam-policy-binding") + 1], flags(line)["role"]) for line in grants
    ] == granted


def test_the_server_may_read_the_model_that_embeds() -> None:
    given = release({"model": {"source": "gs://weights/qwen"}, "embedding": {"source": "gs://vectors/clip"}})
    grants = [line for line in commands.prepare(given) if "add-iam-policy-binding" in line]
    assert [line[line.index("add-iam-policy-binding") + 1] for line in grants] == [
        "gs://weights",
        "gs://vectors",
    ]


def test_instances_are_warm_in_the_hours_of_the_config() -> None:
    hours = {"instances": 2, "days": "1-6", "start": 7, "end": 20, "time_zone": "Europe/Berlin"}
    given = release({"cloud_run": {"warm_hours": hours, "min_instances": 1}})
    jobs = [flags(line) for line in commands.schedule(given) if "scheduler" in line]
    assert [job["schedule"] for job in jobs] == ["0 7 * * 1-6", "0 20 * * 1-6"]
    assert {job["time-zone"] for job in jobs} == {"Europe/Berlin"}
    bodies = [json.loads(job["message-body"]) for job in jobs]
    assert [body["scaling"]["minInstanceCount"] for body in bodies] == [2, 1]


def test_without_such_hours_nothing_is_scheduled() -> None:
    assert commands.schedule(release({"cloud_run": {"warm_hours": None}})) == []

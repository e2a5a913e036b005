"""The service as Cloud Run's API takes it, rendered from the server's own config.

https://docs.cloud.google.com/run/docs/reference/yaml/v1
"""

from dataclasses import dataclass
from typing import Any

from serve_app.cloud_run.fitting import require_fits
from serve_app.config import AppConfig
from serve_app.config_file import ServerFile

REPOSITORY = "arr-coc"  # in Artifact Registry
STARTUP_PERIOD_S = 2
STARTUP_S = 240  # the longest that Cloud Run waits for a first instance to become ready
LIVENESS_PERIOD_S = 10
PROBE_TIMEOUT_S = 1
FAILURES = 3  # of the liveness probe, before the instance is restarted


@dataclass(frozen=True, slots=True)
class Release:
    """One config, to be served in one project by one image. ``config`` is its path in the image."""

    file: ServerFile
    config: str
    project: str
    tag: str

    @property
    def registry(self) -> str:
        """Host of the project's container images."""
        return f"{self.file.app.cloud_run.region}-docker.pkg.dev"

    @property
    def image(self) -> str:
        return f"{self.registry}/{self.project}/{REPOSITORY}/server:{self.tag}"

    @property
    def account(self) -> str:
        """Who the server is, to the rest of the cloud."""
        return f"{self.file.app.cloud_run.service_account}@{self.project}.iam.gserviceaccount.com"


def manifest(release: Release) -> dict[str, Any]:
    """The Knative service of ``release``. Raises ConfigError where it could not run."""
    require_fits(release.file)
    file, run = release.file, release.file.app.cloud_run
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {
            "name": file.name,
            "namespace": release.project,
            "labels": {"cloud.googleapis.com/location": run.region},
            "annotations": {
                "run.googleapis.com/description": _described(file.app),
                # of the service, not of a revision: the schedule changes them without a new revision
                "run.googleapis.com/minScale": str(run.min_instances),
                "run.googleapis.com/maxScale": str(run.max_instances),
            },
        },
        "spec": {
            "template": {"metadata": {"annotations": _annotations(release)}, "spec": _revision(release)}
        },
    }


def _described(app: AppConfig) -> str:
    models = dict(app.served_models)
    if app.embedding.source is not None:
        models[app.embedding.model.served_name] = app.embedding.model
    return ", ".join(f"{name} from {model.source}" for name, model in models.items())


def _annotations(release: Release) -> dict[str, str]:
    annotations = {
        "run.googleapis.com/execution-environment": "gen2",
        "run.googleapis.com/cpu-throttling": "false",  # the engine works between requests, too
        "run.googleapis.com/startup-cpu-boost": "true",
    }
    if release.file.app.cloud_run.gpu:
        annotations["run.googleapis.com/gpu-zonal-redundancy-disabled"] = "true"
    return annotations


def _revision(release: Release) -> dict[str, Any]:
    app = release.file.app
    spec: dict[str, Any] = {
        "containerConcurrency": app.concurrency,
        "timeoutSeconds": app.request_timeout_s,
        "serviceAccountName": release.account,
        "containers": [_container(release)],
    }
    if app.cloud_run.gpu:
        spec["nodeSelector"] = {"run.googleapis.com/accelerator": app.cloud_run.gpu}
    return spec


def _container(release: Release) -> dict[str, Any]:
    run, port = release.file.app.cloud_run, release.file.http_options.port
    limits = {"cpu": str(run.cpu), "memory": f"{run.memory_gib}Gi"}
    if run.gpu:
        limits["nvidia.com/gpu"] = "1"
    return {
        "image": release.image,
        "args": [release.config],
        "ports": [{"name": "http1", "containerPort": port}],
        "resources": {"limits": limits},
        "startupProbe": startup_probe(port),
        "livenessProbe": liveness_probe(port),
    }


def startup_probe(port: int) -> dict[str, Any]:
    """Ready once the model answers."""
    return {
        "httpGet": {"path": "/health", "port": port},
        "periodSeconds": STARTUP_PERIOD_S,
        "failureThreshold": STARTUP_S // STARTUP_PERIOD_S,
        "timeoutSeconds": PROBE_TIMEOUT_S,
    }


def liveness_probe(port: int) -> dict[str, Any]:
    """Alive while the process answers, however busy the engine is."""
    return {
        "httpGet": {"path": "/live", "port": port},
        "periodSeconds": LIVENESS_PERIOD_S,
        "failureThreshold": FAILURES,
        "timeoutSeconds": PROBE_TIMEOUT_S,
    }

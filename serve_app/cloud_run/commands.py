"""The commands that bring a release to Cloud Run. They follow from the config as the manifest does.

Each is a list of arguments, as a process takes them.
"""

import json
from typing import Any

from serve_app.cloud_run.config import WarmHours
from serve_app.cloud_run.service import REPOSITORY, Release, liveness_probe, startup_probe

Command = list[str]
SERVICES = ("run", "artifactregistry", "cloudscheduler")
SCHEDULER = "arr-coc-scheduler"  # the account that may change the service's instances, and nothing else


def prepare(release: Release) -> list[Command]:
    """Once for each project: APIs, the image repository, the server's account and what it may read."""
    run, project = release.file.app.cloud_run, f"--project={release.project}"
    return [
        ["gcloud", "services", "enable", *(f"{name}.googleapis.com" for name in SERVICES), project],
        ["gcloud", "artifacts", "repositories", "create", REPOSITORY, "--repository-format=docker",
         f"--location={run.region}", project],
        ["gcloud", "auth", "configure-docker", release.registry, "--quiet"],
        ["gcloud", "iam", "service-accounts", "create", run.service_account, project],
        *_access(release),
    ]  # fmt: skip


def publish(release: Release) -> list[Command]:
    """Build the image and push it to Artifact Registry."""
    return [
        ["docker", "build", "--file=Dockerfile.gpu", f"--tag={release.image}", "."],
        ["docker", "push", release.image],
    ]


def replace(release: Release, manifest: str) -> Command:
    """Make the service what the file ``manifest`` says."""
    run = release.file.app.cloud_run
    return ["gcloud", "run", "services", "replace", manifest, f"--region={run.region}",
            f"--project={release.project}"]  # fmt: skip


def deploy(release: Release) -> Command:
    """The same service without the file."""
    app, port = release.file.app, release.file.http_options.port
    run = app.cloud_run
    gpu = ["--gpu=1", f"--gpu-type={run.gpu}", "--no-gpu-zonal-redundancy"] if run.gpu else []
    return [
        "gcloud", "run", "deploy", release.file.name, f"--image={release.image}", f"--args={release.config}",
        f"--region={run.region}", f"--project={release.project}", f"--service-account={release.account}",
        f"--port={port}", f"--concurrency={app.concurrency}", f"--timeout={app.request_timeout_s}",
        f"--cpu={run.cpu}", f"--memory={run.memory_gib}Gi", *gpu, "--execution-environment=gen2",
        "--no-cpu-throttling", "--cpu-boost", f"--min={run.min_instances}", f"--max={run.max_instances}",
        f"--startup-probe={_flag(startup_probe(port))}", f"--liveness-probe={_flag(liveness_probe(port))}",
        "--no-allow-unauthenticated",
    ]  # fmt: skip


def schedule(release: Release) -> list[Command]:
    """Keep instances warm in the configured hours; nothing where there are none."""
    run, project = release.file.app.cloud_run, f"--project={release.project}"
    hours = run.warm_hours
    if hours is None:
        return []
    account = f"{SCHEDULER}@{release.project}.iam.gserviceaccount.com"
    member = f"--member=serviceAccount:{account}"
    return [
        ["gcloud", "iam", "service-accounts", "create", SCHEDULER, project],
        ["gcloud", "run", "services", "add-iam-policy-binding", release.file.name, member,
         "--role=roles/run.developer", f"--region={run.region}", project],
        ["gcloud", "iam", "service-accounts", "add-iam-policy-binding", release.account, member,
         "--role=roles/iam.serviceAccountUser", project],
        _job(release, account, hours, "warm", hours.start, hours.instances),
        _job(release, account, hours, "cool", hours.end, run.min_instances),
    ]  # fmt: skip


def _job(release: Release, account: str, hours: WarmHours, name: str, hour: int, instances: int) -> Command:
    region, service = release.file.app.cloud_run.region, release.file.name
    path = f"projects/{release.project}/locations/{region}/services/{service}"
    return [
        "gcloud", "scheduler", "jobs", "create", "http", f"{service}-{name}", f"--location={region}",
        f"--schedule=0 {hour} * * {hours.days}", f"--time-zone={hours.time_zone}",
        f"--uri=https://run.googleapis.com/v2/{path}?updateMask=scaling.minInstanceCount",
        "--http-method=PATCH", "--headers=Content-Type=application/json",
        f"--message-body={json.dumps({'scaling': {'minInstanceCount': instances}})}",
        f"--oauth-service-account-email={account}", f"--project={release.project}",
    ]  # fmt: skip


def _access(release: Release) -> list[Command]:
    """What the server's account must be allowed to, by where its models lie."""
    granted: list[Command] = []
    for source in release.file.app.sources:
        granted += [command for command in _reading(release, source) if command not in granted]
    return granted


def _reading(release: Release, source: str) -> list[Command]:
    member = f"--member=serviceAccount:{release.account}"
    scheme, _, rest = source.partition("://")
    commands: list[Command] = []
    if scheme == "gs":
        commands.append(["gcloud", "storage", "buckets", "add-iam-policy-binding",
                         f"gs://{rest.partition('/')[0]}", member, "--role=roles/storage.objectViewer"])  # fmt: skip
    if scheme == "vertex":  # the registry tells where the artifact lies; reading it there is granted for all
        owner = rest.partition("/")[0]
        commands += [
            ["gcloud", "projects", "add-iam-policy-binding", owner, member, f"--role=roles/{role}"]
            for role in ("aiplatform.viewer", "storage.objectViewer")
        ]
    return commands


def _flag(probe: dict[str, Any]) -> str:
    """A probe as one flag of gcloud's."""
    plain = {f"httpGet.{key}": value for key, value in probe["httpGet"].items()}
    plain |= {key: value for key, value in probe.items() if key != "httpGet"}
    return ",".join(f"{key}={value}" for key, value in plain.items())

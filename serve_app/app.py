"""The application as Ray Serve runs it: three deployments, bound together.

Annotations here must stay objects (no postponed evaluation): Ray checks a builder's arguments only
where the annotation of its parameter is a class.
"""

import os
import tempfile
from typing import Any

from ray import serve
from ray.serve import Application

from deployments.answerer import Load
from deployments.generation import GenerationStage, load_model
from deployments.texture import TextureStage
from serve_app.access.keys import Keyring
from serve_app.config import AppConfig
from serve_app.ingress import Ingress

METRICS_DIRECTORY = "ARR_COC_METRICS_DIR"
DRAIN_S = 7.0  # what a replica that Ray replaces may take to finish


def build(args: AppConfig) -> Application:
    """The application of a config: ``serve run FILE`` calls it with the file's ``args``."""
    return assembled(args, load_model)


def assembled(args: AppConfig, load: Load) -> Application:
    """The three deployments; ``load`` makes the model in the generation stage's replica.

    Keys are read here: only their digests go to other processes. Raises ConfigError."""
    args = args.with_pinned_model()  # all stages load the same; already so under `python -m serve_app`
    keys = Keyring.read(args.access.keys_file, os.environ)
    models = args.served_models
    metrics = os.environ.get(METRICS_DIRECTORY) or tempfile.mkdtemp(prefix="arr-coc-metrics-")
    texture = _stage(
        TextureStage,
        num_replicas=args.texture.replicas,
        max_ongoing_requests=args.stage_ongoing,
        ray_actor_options={"num_cpus": args.texture.num_cpus},
    ).bind(args.texture, models, args.engine, args.pictures, metrics, args.tracing)
    generation = _stage(
        GenerationStage,
        num_replicas=1,
        max_ongoing_requests=args.stage_ongoing,
        ray_actor_options={"num_cpus": args.generation.num_cpus, "num_gpus": args.generation.num_gpus},
    ).bind(models, args.engine, args.generation, metrics, args.tracing, load)
    application: Application = _stage(
        Ingress,
        num_replicas=args.ingress_replicas,
        max_ongoing_requests=args.ingress_ongoing,
        ray_actor_options={"num_cpus": 0},
    ).bind(texture, generation, args, metrics, keys)
    return application


def _stage(stage: type, **options: Any) -> Any:
    return serve.deployment(
        stage, graceful_shutdown_timeout_s=DRAIN_S, graceful_shutdown_wait_loop_s=0.2, **options
    )

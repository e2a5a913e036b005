"""What Cloud Run would refuse, or kill, known before anything is built."""

from arr_coc.errors import ConfigError
from serve_app.config_file import ServerFile
from serve_app.environment import OBJECT_STORE_BYTES

IMAGE_MODEL = "/model"  # where Dockerfile.gpu puts the weights
STAGES_WITH_PICTURES = 2  # texture and generation hold decoded ones
_GIB = 2**30

# cloud.google.com/run/quotas, and .../run/docs/configuring/services/gpu, read November 2026
MOST_CONCURRENT = 1000
LONGEST_REQUEST_S = 3600
LARGEST_BODY_MIB = 32  # over HTTP/1
GPU_CPU, GPU_MEMORY_GIB = 4, 16  # at least, beside an L4


def require_fits(file: ServerFile) -> None:
    """Raises ConfigError, with one line for the operator, where the service could not run as configured."""
    trouble = _shape(file) or _requests(file) or _memory(file) or _model(file)
    if trouble:
        raise ConfigError(trouble)


def _shape(file: ServerFile) -> str | None:
    run = file.app.cloud_run
    if file.http_options.host != "0.0.0.0":
        return "http_options.host must be 0.0.0.0: Cloud Run asks from outside the container"
    if (run.gpu is None) != (file.app.num_gpus == 0):
        return "cloud_run.gpu and num_gpus of generation or embedding must both ask for a GPU, or neither"
    if file.app.num_gpus > 1:
        return f"the stages ask for {file.app.num_gpus:g} GPUs together: Cloud Run gives an instance one"
    if run.gpu and (run.cpu < GPU_CPU or run.memory_gib < GPU_MEMORY_GIB):
        return f"beside a GPU cloud_run needs cpu {GPU_CPU} and memory_gib {GPU_MEMORY_GIB} at least"
    if max(run.min_instances, run.warm_hours.instances if run.warm_hours else 0) > run.max_instances:
        return "cloud_run.max_instances is less than the instances to be kept warm"
    return None


def _requests(file: ServerFile) -> str | None:
    app = file.app
    if app.concurrency > MOST_CONCURRENT:
        return f"engine.slots is too large: Cloud Run sends an instance {MOST_CONCURRENT} requests at most"
    if app.request_timeout_s > LONGEST_REQUEST_S:
        return f"deadline_s is too long: Cloud Run ends requests after {LONGEST_REQUEST_S} s"
    if app.http.max_body_mib > LARGEST_BODY_MIB:
        return f"http.max_body_mib must not exceed {LARGEST_BODY_MIB}: Cloud Run lets no larger body in"
    return None


def _memory(file: ServerFile) -> str | None:
    """The file system is memory too, but of it only Ray's object store is written to."""
    http = file.app.http
    held = http.max_buffered_bytes + STAGES_WITH_PICTURES * http.max_decoded_bytes + OBJECT_STORE_BYTES
    if held > file.app.cloud_run.memory_gib * _GIB:
        return f"requests may hold {held / _GIB:.1f} GiB, more than cloud_run.memory_gib"
    return None


def _model(file: ServerFile) -> str | None:
    local = (source for source in file.app.sources if source.startswith(("/", "~", ".")))
    if any(source != IMAGE_MODEL for source in local):
        told = "model.source or embedding.source is a directory that the image has not"
        return f"{told}: it holds weights at {IMAGE_MODEL}"
    return None

"""The model's directory, and the memory that it will take. Reads no weights."""

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from arr_coc.errors import ConfigError
from arr_coc.model.config import ModelConfig
from arr_coc.model.families import EMBEDDING_FAMILIES, FAMILIES, PROMPTS
from arr_coc.model.precision import held_bytes
from arr_coc.model.source import found, pin
from arr_coc.model.sources.files import require_family
from arr_coc.model.weights import Weights, measure
from arr_coc.profile import ModelProfile
from serve_app.cli.doctor.accelerator import Accelerator
from serve_app.cli.doctor.finding import GIB, Finding, ok, problem, warning
from serve_app.cli.doctor.weights import slots_bytes
from serve_app.config import AppConfig

_TIGHT = 0.85  # of the memory; the rest is for activations and the other processes
_GET = "download the model again, whole, in the Hugging Face format"


def check_models(app: AppConfig, accelerator: Accelerator, free_ram: int) -> Iterator[Finding]:
    """Every model: alone, it must fit; together they need not."""
    for model in app.served_models.values():
        yield from check_model(app, model, accelerator, free_ram)
    if app.embedding.source is not None:
        yield from check_embedding(app.embedding.source)


def check_embedding(source: str) -> Iterator[Finding]:
    """The files, family and tokenizer of the model that embeds; ends at the first problem."""
    try:
        directory = found(pin(source))
        if directory is None:
            yield ok("embedding", f"{source} can be reached; it is downloaded when the server starts")
            return
        family = require_family(directory, EMBEDDING_FAMILIES)
        weights = measure(directory)
    except ConfigError as error:
        yield problem("embedding", error.message, _GET)
        return
    yield ok("embedding", f"{directory}: {family}, {weights.parameters / 1e6:,.1f} million parameters")
    if not _readable(directory):
        yield problem("embedding", "tokenizer.json cannot be read", _GET)


def check_model(
    app: AppConfig, model: ModelConfig, accelerator: Accelerator, free_ram: int
) -> Iterator[Finding]:
    """The directory's files, the family, and whether what it needs of memory fits; ends at the first problem."""
    try:
        directory = found(pin(model.source))
        if directory is None:
            yield ok("model", f"{model.source} can be reached; it is downloaded when the server starts")
            return
        ModelProfile.load(directory)
        config = json.loads((directory / "config.json").read_text())
        weights = measure(directory)
    except ConfigError as error:
        yield problem("model", error.message, _GET)
        return
    family = config.get("model_type")
    if family not in FAMILIES:
        yield problem("model", f"family {family} is not served", f"served are {', '.join(FAMILIES)}")
        return
    yield ok("model", f"{directory}: {family}, {weights.parameters / 1e6:,.1f} million parameters")
    yield check_tokenizer(directory, needs_template=family not in PROMPTS)
    if model.quantization and find_spec("torchao") is None:
        yield problem("quantization", "torchao is not installed", "pip install 'arr-coc-serve[quantization]'")
    yield check_memory(app, model, accelerator, free_ram, config, weights)


def check_tokenizer(directory: Path, *, needs_template: bool = True) -> Finding:
    """Whether the tokenizer can be read, and a chat template is there where the family has no prompt of its own."""
    if not _readable(directory):
        return problem("tokenizer", "tokenizer.json cannot be read", _GET)
    if _has_template(directory):
        return ok("tokenizer", "tokenizer.json and a chat template")
    if needs_template:
        return problem("tokenizer", "the model has no chat template", "add its chat_template.jinja")
    return ok("tokenizer", "tokenizer.json, and the family's own prompt")


def _readable(directory: Path) -> bool:
    try:
        Tokenizer.from_file(str(directory / "tokenizer.json"))
    except Exception:  # whatever the library raises, of no common class
        return False
    return True


def _has_template(directory: Path) -> bool:
    if any((directory / name).is_file() for name in ("chat_template.jinja", "chat_template.json")):
        return True
    try:
        return bool(json.loads((directory / "tokenizer_config.json").read_text()).get("chat_template"))
    except (OSError, ValueError, AttributeError):
        return False


def check_memory(
    app: AppConfig,
    model: ModelConfig,
    accelerator: Accelerator,
    free_ram: int,
    config: dict[str, Any],
    held: Weights,
) -> Finding:
    """Weights, as they will lie in memory, slots and what is kept of pictures, against what is free (on a GPU: what it has)."""
    on_gpu = accelerator.runs(app)
    itemsize = model.itemsize(on_gpu)
    weights = held_bytes(held.parameters - held.matrices, held.matrices, itemsize, model.quantization)
    slots = slots_bytes(config, app.engine.slots, app.engine.max_length, itemsize)
    needed = weights + slots + app.engine.shared_bytes
    available, place = (accelerator.memory, "of the GPU") if on_gpu else (free_ram, "of free memory")
    told = (
        f"{weights / GIB:.2f} GiB of weights, {slots / GIB:.2f} of {app.engine.slots} slots "
        f"and {app.engine.shared_bytes / GIB:.2f} kept of pictures, {available / GIB:.1f} GiB {place}"
    )
    remedy = (
        "lower engine.slots, engine.max_length or engine.shared_mib, set model.quantization, "
        "or take a smaller model or a larger machine"
    )
    if needed > available:
        return problem("memory", told, remedy)
    return warning("memory", told, remedy) if needed > _TIGHT * available else ok("memory", told)

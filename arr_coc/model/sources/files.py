"""The files that make up a model, and whether one of them is what was published."""

import base64
import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from arr_coc.errors import ModelLoadError, NotSafetensors, SourceNotFound, UnsupportedFamily
from arr_coc.geometry import geometry
from arr_coc.model.families import EMBEDDING_FAMILIES, FAMILIES

Algorithm = Literal["crc32c", "sha256", "git"]
"""What a digest is of: Cloud Storage's crc32c (base64), a sha256, or git's id of a blob (hexadecimal)."""

_INDEX = "model.safetensors.index.json"
_WHOLE = "model.safetensors"
_SMALL = (".json", ".jinja", ".txt")
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_BLOCK = 8 * 2**20


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as its source describes it."""

    name: str
    size: int
    algorithm: Algorithm
    digest: str

    @property
    def small(self) -> bool:
        """Configuration, tokenizer, template: what is read before any weights."""
        return self.name.endswith(_SMALL)

    def matches(self, path: Path) -> bool:
        """Whether the file at ``path`` has this size and digest. Reads all of it."""
        return path.stat().st_size == self.size and _DIGESTS[self.algorithm](path, self.size) == self.digest


class Remote(Protocol):
    """A model somewhere else, at one fixed content."""

    @property
    def files(self) -> Collection[RemoteFile]:
        """All files directly in its directory."""

    def read(self, file: RemoteFile, start: int, stop: int) -> bytes:
        """The bytes from ``start`` up to ``stop``; called from several threads.

        Raises ConnectionError where the network gave out, ModelLoadError where trying again is no use.
        """


def weights(files: Iterable[RemoteFile], directory: Path) -> list[RemoteFile]:
    """Those of ``files`` that hold the weights, by the index among the small files in ``directory``.

    Raises NotSafetensors and SourceNotFound.
    """
    by_name = {file.name: file for file in files}
    names = _indexed(directory / _INDEX) if _INDEX in by_name else {_WHOLE}
    missing = sorted(names - by_name.keys())
    if not missing:
        return [by_name[name] for name in sorted(names)]
    if names == {_WHOLE} and any(name.endswith(_PICKLED) for name in by_name):
        raise NotSafetensors(
            "the weights are pickled, and pickles are never read: they can run code. "
            "Save the model again with save_pretrained(...), which writes safetensors."
        )
    raise SourceNotFound(f"{missing[0]} is missing beside the model's other files; upload the model whole")


def require_described(directory: Path, source: str) -> None:
    """Raises SourceNotFound where ``directory``, the one of ``source``, lacks what every model has beside its
    weights."""
    if not (directory / "config.json").is_file():
        raise SourceNotFound(
            f"no model at {source}: it has no config.json; name where the model was saved to"
        )
    if not (directory / "tokenizer.json").is_file():
        raise SourceNotFound(
            f"no tokenizer.json at {source}; AutoTokenizer.from_pretrained(...).save_pretrained(...) writes it"
        )


def require_family(directory: Path, families: Sequence[str] = FAMILIES) -> str:
    """The family of the model in ``directory``, one of ``families``.

    Raises UnsupportedFamily where it is none of them, ModelLoadError where it is, but not in this variant.
    """
    config = _read(directory / "config.json")
    family = config.get("model_type")
    if family not in families:
        raise UnsupportedFamily(
            f"family {family!r} is not served; served are {', '.join(families)}{_hint(family)}"
        )
    geometry(config)
    return str(family)


def _hint(family: Any) -> str:
    """Where a family that is not served here would be."""
    if family in EMBEDDING_FAMILIES:
        return f"; embedding.source takes {', '.join(EMBEDDING_FAMILIES)}"
    return "; model.source takes it" if family in FAMILIES else ""


def itemsize(directory: Path) -> int:
    """Bytes of a number in the weights, as ``config.json`` tells it."""
    config = _read(directory / "config.json")
    return 2 if (config.get("dtype") or config.get("torch_dtype")) in ("bfloat16", "float16") else 4


def _indexed(index: Path) -> set[str]:
    names = _read(index).get("weight_map", {}).values()
    if not names or not all(isinstance(name, str) and name.endswith(".safetensors") for name in names):
        raise NotSafetensors(f"{index.name} does not list safetensors files; upload the model whole")
    return set(names)


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"{path.name} is not JSON; upload the model again") from error
    return content


def _crc32c(path: Path, size: int) -> str:
    import google_crc32c

    checksum = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            checksum = google_crc32c.extend(checksum, block)
    return base64.b64encode(checksum.to_bytes(4, "big")).decode()


def _sha256(path: Path, size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _git(path: Path, size: int) -> str:
    return hashlib.sha1(b"blob %d\0" % size + path.read_bytes()).hexdigest()


_DIGESTS = {"crc32c": _crc32c, "sha256": _sha256, "git": _git}

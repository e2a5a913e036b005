"""Where a model's files are. Does not read weights."""

from pathlib import Path

from arr_coc.errors import ModelLoadError

DEMO = Path(__file__).parent.parent / "demo" / "checkpoint"


def resolve(source: str) -> Path:
    """The directory of ``source``: ``demo`` or a path. Raises ModelLoadError where there is none."""
    directory = DEMO if source == "demo" else Path(source).expanduser()
    if not (directory / "config.json").is_file():
        raise ModelLoadError(f"no model at {source!r}: {directory}/config.json does not exist")
    if not any(directory.glob("*.safetensors")):
        raise ModelLoadError(f"no safetensors weights at {source!r}; other formats are never read")
    if not (directory / "tokenizer.json").is_file():
        raise ModelLoadError(
            f"no tokenizer.json at {source!r}; AutoTokenizer.from_pretrained(...).save_pretrained(...) writes it"
        )
    return directory

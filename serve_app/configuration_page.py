"""``docs/configuration.md``, written from the settings themselves.

    python -m serve_app.configuration_page > docs/configuration.md

Owns how a setting is told. What it is for is the ``description`` of its field, and of a section the first
paragraph of its class; a field without one is a mistake.
"""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from arr_coc.profile import PROFILE_FILE, ModelProfile
from serve_app.config import ServerFile

Schema = dict[str, Any]

_HEAD: Final = """\
# Configuration

Written by `python -m serve_app.configuration_page > docs/configuration.md` from the settings themselves; edit those.

A config is a YAML file that Ray Serve reads too. `configs/local.yaml` is for a laptop, `configs/cloud_run.yaml` for one
GPU on Cloud Run. Everything has a default, and what is not listed here is refused, with the name of the field:

```yaml
http_options:
  port: 8000
applications:
  - name: arr-coc
    import_path: serve_app.app:build
    args:
      model:
        source: demo
      engine:
        slots: 16
      deadline_s: 30
```

The sections from `model` on lie in `args`. `arr-coc doctor CONFIG` says whether a file can be served here. `python -m serve_app CONFIG`, `arr-coc serve CONFIG`
and `make serve CONFIG=...` serve it. `serve run CONFIG` does too, but then Ray runs with its own defaults: its Python
proxy at the edge, 4 MiB a message between stages (no pictures above about 1,100 x 1,100 px), its start-up and shutdown.

[How it works](how_it_works.md) says what the engine's settings do, and [Operating it](operating.md) when to change them.

## Environment

Only secrets, ports and places on the disk are taken from the environment.

| variable | what |
|---|---|
| `PORT` | the port, instead of the file's |
| `ARR_COC_API_KEYS` | API keys, as lines or with commas: `LABEL KEY`; beside those of `access.keys_file` |
| `ARR_COC_API_KEY` | the key that `arr-coc ask` and `arr-coc batch` show |
| `ARR_COC_URL` | the server that `arr-coc ask` and `arr-coc batch` ask, instead of `http://localhost:8000` |
| `ARR_COC_CACHE` | where models are downloaded to; `~/.cache/arr-coc` by default |
| `HF_TOKEN`, `HF_ENDPOINT` | the Hugging Face hub client's own |
| `GOOGLE_APPLICATION_CREDENTIALS` | Google's own, for models in Cloud Storage or the Vertex AI registry |
| `OTEL_EXPORTER_OTLP_HEADERS` | headers for the collector of `tracing.endpoint` |
"""

_PROFILE: Final = f"""\
# {PROFILE_FILE}

Lies beside a model's weights and says how that model wants to be looked with. `arr-coc calibrate MODEL_DIR` writes one;
without it the defaults hold, and [some checkpoints'](models.md#where-to-look) published heads. `token_side` and
`fixed_view` are the model's own, from its `config.json`, whatever stands here.
"""


class Section(NamedTuple):
    """Settings that are written together, and where: ``engine``."""

    path: str
    schema: Schema


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    parts += [_told(section, depth=2) for section in sections(ServerFile)]
    parts += [_PROFILE.replace("# ", "## ", 1)]
    parts += [_told(section, depth=3) for section in sections(ModelProfile)]
    return "\n".join(parts)


def sections(model: type[BaseModel]) -> list[Section]:
    """The settings of ``model`` and of all that lie in it, those on top first."""
    whole = model.model_json_schema()
    return list(_sections("", whole, whole.get("$defs", {})))


def _sections(path: str, schema: Schema, definitions: dict[str, Schema]) -> Iterator[Section]:
    yield Section(path, schema)
    for name, field in schema["properties"].items():
        for reference in re.findall(r'"#/\$defs/(\w+)"', json.dumps(field)):
            below = definitions[reference]
            if "properties" in below:
                yield from _sections(f"{path}.{name}".strip("."), below, definitions)


def _told(section: Section, depth: int) -> str:
    """A heading, what the section is about, and a row for each setting."""
    heading = f"{'#' * depth} {_title(section.path)}"
    about = " ".join(section.schema.get("description", "").partition("\n\n")[0].split())
    settings = {name: field for name, field in section.schema["properties"].items() if "$ref" not in field}
    rows = [_row(section.path, name, field) for name, field in settings.items()]
    table = ["| setting | takes | default | what it is |", "|---|---|---|---|", *rows, ""] if rows else []
    return "\n".join([heading, "", about.replace("``", "`"), "", *table])


def _title(path: str) -> str:
    return f"`{path.removeprefix('applications.args.')}`" if path else "The whole"


def _row(path: str, name: str, field: Schema) -> str:
    what = field.get("description")
    if not what:
        raise ValueError(f"{path or 'on top'}: {name} has no description")
    return f"| `{name}` | {_kind(field)} | {_default(field)} | {_escaped(what)} |"


def _kind(field: Schema) -> str:
    """What a setting takes, in words."""
    for several in ("anyOf", "oneOf"):
        if several in field:
            kinds = [_kind(each) for each in field[several] if each.get("type") != "null"]
            return " or ".join(kinds)
    if "$ref" in field:
        return "settings, as below"
    if "const" in field or "enum" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if field.get("type") == "array":
        if "prefixItems" in field:
            return f"[{', '.join(map(_kind, field['prefixItems']))}]"
        return f"a list of: {_kind(field['items'])}"
    if field.get("type") == "object":
        return f"names, each with: {_kind(field['additionalProperties'])}"
    return " ".join([_TYPES[field["type"]], *_bounds(field)])


_TYPES: Final = {"integer": "integer", "number": "number", "string": "text", "boolean": "`true`, `false`"}


def _bounds(field: Schema) -> list[str]:
    low, high = field.get("minimum"), field.get("maximum")
    if low is not None and high is not None:
        return [f"{_number(low)} to {_number(high)}"]
    told = []
    for key, words in (("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "up to")):
        if key in field:
            told.append(f"{words} {_number(field[key])}")
    return told


def _number(value: float) -> str:
    return f"{value:,g}" if abs(value) < 1e6 else f"{value:,.0f}"


def _default(field: Schema) -> str:
    if "default" not in field:
        return "required" if "$ref" not in field else ""
    value = field["default"]
    if value is None or value == []:
        return "none"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _escaped(text: str) -> str:
    """Plain ``text`` in a cell of a table, other pages as links."""
    return re.sub(r"docs/(\w+\.md)", r"[\1](\1)", re.sub(r"([|*<])", r"\\\1", text))


if __name__ == "__main__":
    sys.stdout.write(page())

"""``docs/configuration.md``, written from the settings themselves.

    python -m serve_app.configuration_page > docs/configuration.md

Owns how a setting is told. What it is for is the ``description`` of its field, and of a section the first
paragraph of its class; a field without one is a mistake.
"""

import json
import re
import sys
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from arr_coc.profile import PROFILE_FILE, ModelProfile
from serve_app.config_file import ServerFile

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
## {PROFILE_FILE}

Lies beside a model's weights and says how that model wants to be looked with. `arr-coc calibrate MODEL_DIR` writes one;
without it the defaults hold, and [some checkpoints'](models.md#where-to-look) published heads. `token_side` and
`fixed_view` are the model's own, from its `config.json`, whatever stands here.
"""


class Section(NamedTuple):
    """Settings that are written together: where, and their schema."""

    path: str
    schema: Schema

    @property
    def title(self) -> str:
        """What it is called: all but a few lie in the one application's arguments."""
        return f"`{self.path.removeprefix('applications.args.')}`" if self.path else "The whole"


def page() -> str:
    """The whole page. Raises ValueError where a setting has no description."""
    parts = [_HEAD, *_written(ServerFile, depth=2), _PROFILE, *_written(ModelProfile, depth=3)]
    return "\n".join(parts)


def sections(model: type[BaseModel]) -> dict[str, Section]:
    """The settings of ``model`` and of all that lie in it, those on top first, by the names of their classes."""
    whole = model.model_json_schema()
    found: dict[str, Section] = {}
    _collect("", whole["title"], whole, whole.get("$defs", {}), found)
    return found


def _collect(
    path: str, name: str, schema: Schema, definitions: dict[str, Schema], found: dict[str, Section]
) -> None:
    if name in found or "properties" not in schema:
        return
    found[name] = Section(path, schema)
    for field, value in schema["properties"].items():
        for below in re.findall(r'"#/\$defs/(\w+)"', json.dumps(value)):
            _collect(f"{path}.{field}".strip("."), below, definitions[below], definitions, found)


def _written(model: type[BaseModel], depth: int) -> list[str]:
    told = sections(model)
    return [_told(section, told, depth) for section in told.values()]


def _told(section: Section, places: dict[str, Section], depth: int) -> str:
    """A heading, what the section is about, and a row for each setting that is no section itself."""
    about = " ".join(section.schema.get("description", "").partition("\n\n")[0].split())
    settings = {
        name: field
        for name, field in section.schema["properties"].items()
        if not _has_heading(f"{section.path}.{name}".strip("."), field, places)
    }
    if mute := [name for name, field in settings.items() if not field.get("description")]:
        raise ValueError(f"{section.title} has settings without a description: {', '.join(mute)}")
    rows = [
        f"| `{name}` | {_kind(field, places)} | {_default(field)} | {_escaped(field['description'])} |"
        for name, field in settings.items()
    ]
    table = ["| setting | takes | default | what it is |", "|---|---|---|---|", *rows, ""] if rows else []
    return "\n".join([f"{'#' * depth} {section.title}", "", about.replace("``", "`"), "", *table])


def _has_heading(path: str, field: Schema, places: dict[str, Section]) -> bool:
    """Whether what lies in ``field`` is told under a heading of its own, which then tells its defaults too."""
    if "$ref" not in field:
        return False
    section = places[_name(field)]
    return section.path == path and "required" not in section.schema


def _name(reference: Schema) -> str:
    return str(reference["$ref"].rpartition("/")[2])


def _kind(field: Schema, places: dict[str, Section]) -> str:
    """What a setting takes, in words."""
    kinds = [_kind(each, places) for each in field.get("anyOf", ()) if each.get("type") != "null"]
    if kinds:
        return " or ".join(kinds)
    if "$ref" in field:
        return f"the settings of {places[_name(field)].title}"
    if "const" in field or "enum" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if "prefixItems" in field:
        return f"[{', '.join(_kind(each, places) for each in field['prefixItems'])}]"
    if field["type"] == "array":
        return f"a list of: {_kind(field['items'], places)}"
    if field["type"] == "object":
        values = field.get("additionalProperties") or next(iter(field["patternProperties"].values()))
        return f"by name: {_kind(values, places)}"
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
        return "required"
    value = field["default"]
    if value in (None, [], {}):
        return "none"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _escaped(text: str) -> str:
    """Plain ``text`` in a cell of a table, other pages as links."""
    return re.sub(r"docs/(\w+\.md)", r"[\1](\1)", re.sub(r"([|*<])", r"\\\1", text))


if __name__ == "__main__":
    sys.stdout.write(page())

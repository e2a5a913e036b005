"""A chat completion as OpenAI's clients ask for it, and what of that is taken here.

Strict: no coercion, no unknown field. What cannot be honoured is taken only with the value that
asks for nothing; what would change nothing is taken and ignored. Descriptions complete the
sentence "``field`` must be ..." in error messages. It does not know what becomes of a request.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from serve_app.openai.messages import Ignored, Message, Taken, text_or_list

MAX_MESSAGES = 128
MAX_STOP_CHARS = 128
MAX_TOP_LOGPROBS = 20
_SEED = 2**63
Schema = dict[str, Any]


class StreamOptions(Taken):
    """What a stream tells besides the answer."""

    include_usage: Annotated[bool | None, Field(description="true or false")] = False
    include_obfuscation: Ignored = None


class TextFormat(Taken):
    """The one format of answers."""

    type: Annotated[Literal["text"], Field(description="text")]


class Extension(Taken):
    """What this server adds, as it is named on the native routes."""

    explain: Annotated[bool, Field(description="true or false")] = False
    visual_token_budget: Annotated[int | None, Field(description="a whole number of tokens")] = None


_StopText = Annotated[str, Field(min_length=1, max_length=MAX_STOP_CHARS)]
Stop = Annotated[
    Annotated[_StopText, Tag("<text>")] | Annotated[list[_StopText], Tag("<list>"), Field(max_length=4)],
    Discriminator(text_or_list),
]


def _only_with(name: str, given: Schema, other: Schema, *names: str) -> Schema:
    """``name`` may be ``given`` only where the fields ``names`` of the same object are as in ``other``."""
    condition = {"properties": {name: given}, "required": [name]}
    return {"if": condition, "then": {"properties": other, "required": list(names)}}


_COMBINATIONS: Schema = {
    "allOf": [
        _only_with("stream_options", {"type": "object"}, {"stream": {"const": True}}, "stream"),
        _only_with(
            "top_logprobs", {"type": "integer", "minimum": 1}, {"logprobs": {"const": True}}, "logprobs"
        ),
        _only_with("max_tokens", {"type": "integer"}, {"max_completion_tokens": {"type": "null"}}),
    ]
}


class ChatRequest(Taken):
    """The body of ``POST /v1/chat/completions``; a null is a field left out."""

    model_config = ConfigDict(json_schema_extra=_COMBINATIONS)

    model: Annotated[str, Field(description="the name of a served model")]
    messages: Annotated[
        list[Message],
        Field(min_length=1, max_length=MAX_MESSAGES, description=f"a list of 1 to {MAX_MESSAGES} messages"),
    ]
    stream: Annotated[bool | None, Field(description="true or false")] = False
    stream_options: Annotated[StreamOptions | None, Field(description="an object")] = None
    max_completion_tokens: Annotated[int | None, Field(ge=1, description="a whole number from 1 up")] = None
    max_tokens: Annotated[int | None, Field(ge=1, description="a whole number from 1 up")] = None
    temperature: Annotated[float | None, Field(ge=0, le=2, description="a number from 0 to 2")] = None
    top_p: Annotated[float | None, Field(gt=0, le=1, description="a number above 0, at most 1")] = None
    seed: Annotated[
        int | None, Field(ge=-_SEED, lt=_SEED, description="a whole number from -2^63 to 2^63 - 1")
    ] = None
    stop: Annotated[
        Stop | None,
        Field(description=f"text of 1 to {MAX_STOP_CHARS} characters, or a list of up to 4 such"),
    ] = None
    logprobs: Annotated[bool | None, Field(description="true or false")] = False
    top_logprobs: Annotated[
        int | None,
        Field(ge=0, le=MAX_TOP_LOGPROBS, description=f"a whole number from 0 to {MAX_TOP_LOGPROBS}"),
    ] = None
    ignore_eos: Annotated[bool | None, Field(description="true or false")] = False
    arr_coc: Annotated[Extension | None, Field(description="an object")] = None

    # taken only with what asks for nothing
    n: Annotated[Literal[1] | None, Field(description="1: there is one answer a request")] = None
    tools: Annotated[list[Any] | None, Field(max_length=0, description="empty: no tools are called")] = None
    tool_choice: Annotated[Literal["none"] | None, Field(description="none: no tools are called")] = None
    functions: Annotated[list[Any] | None, Field(max_length=0, description="empty: no tools are called")] = (
        None
    )
    function_call: Annotated[Literal["none"] | None, Field(description="none: no tools are called")] = None
    response_format: Annotated[
        TextFormat | None, Field(description='{"type": "text"}, the only format of answers')
    ] = None
    logit_bias: Annotated[
        dict[str, Any] | None, Field(max_length=0, description="empty: tokens are not biased")
    ] = None
    frequency_penalty: Annotated[
        float | None, Field(ge=0, le=0, description="0: tokens are not penalised")
    ] = None
    presence_penalty: Annotated[
        float | None, Field(ge=0, le=0, description="0: tokens are not penalised")
    ] = None
    modalities: Annotated[list[Literal["text"]] | None, Field(description='["text"]: answers are text')] = (
        None
    )
    audio: Annotated[None, Field(description="null: answers are text")] = None
    moderation: Annotated[None, Field(description="null: nothing is moderated")] = None
    web_search_options: Annotated[None, Field(description="null: nothing is searched")] = None

    # hints and book-keeping that change nothing here
    metadata: Ignored = None
    parallel_tool_calls: Ignored = None
    prediction: Ignored = None
    prompt_cache_key: Ignored = None
    prompt_cache_options: Ignored = None
    prompt_cache_retention: Ignored = None
    reasoning_effort: Ignored = None
    safety_identifier: Ignored = None
    service_tier: Ignored = None
    store: Ignored = None
    user: Ignored = None
    verbosity: Ignored = None


UNSUPPORTED = frozenset({
    "n", "tools", "tool_choice", "functions", "function_call", "response_format", "logit_bias",
    "frequency_penalty", "presence_penalty", "modalities", "audio", "moderation", "web_search_options", "tool_calls",
})  # fmt: skip

"""The model families that are served, by the ``model_type`` of their ``config.json``. Imports nothing."""

FAMILIES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "llava", "blip-2")
EMBEDDING_FAMILIES = ("clip", "siglip", "siglip2")

PROMPTS = {
    # as https://huggingface.co/llava-hf/llava-1.5-7b-hf describes it
    "llava": (
        "{% for message in messages %}{{ '' if message.role == 'system' else message.role.upper() + ': ' }}"
        "{% for part in message.content if part.type == 'image' %}{{ '<image>\n' }}{% endfor %}"
        "{% for part in message.content if part.type == 'text' %}{{ part.text + ' ' }}{% endfor %}"
        "{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
    ),
    # as https://huggingface.co/docs/transformers/model_doc/blip-2 does: pictures before the first token of text
    "blip-2": (
        "{% for part in messages[0].content if part.type == 'image' %}<image>{% endfor %}{{ bos_token }}"
        "{% for message in messages if message.role != 'system' %}{{ '' if loop.first else ' ' }}"
        "{{ 'Question: ' if message.role == 'user' else 'Answer: ' }}"
        "{% for part in message.content if part.type == 'text' %}{{ part.text }}{% endfor %}"
        "{{ '' if message.role == 'user' else '.' }}{% endfor %}"
        "{% if add_generation_prompt %} Answer:{% endif %}"
    ),
}
"""Chat templates of families whose checkpoints come without one."""

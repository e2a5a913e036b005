"""The model families that are served, by the ``model_type`` of their ``config.json``. Imports nothing."""

FAMILIES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl")

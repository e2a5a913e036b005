"""The part of OpenAI's HTTP API that a vision-language model can honour: models and chat completions."""

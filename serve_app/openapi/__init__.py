"""The description of the HTTP API, made of the models that read requests and write replies."""

"""The Ray Serve stages: texture on CPUs, generation on the accelerator, and their metrics.

Knows Ray and the library; knows nothing of HTTP.
"""

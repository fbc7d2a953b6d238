"""Steersman: Kubernetes, complete, in Python."""

__version__ = "0.1.0"

KUBERNETES_VERSION = "v1.35.0"
"""The version of the Kubernetes API that this package speaks."""

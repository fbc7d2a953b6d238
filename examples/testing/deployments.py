"""The Deployment of a Site."""

from __future__ import annotations

from typing import Any


def deployment(name: str, spec: Any) -> dict[str, Any]:
    labels = {"site": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": spec["replicas"],
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "site", "image": spec["image"]}]},
            },
        },
    }


def is_ready(status: Any, replicas: int) -> bool:
    """Whether as many replicas are ready as there shall be."""
    return int(status.get("readyReplicas") or 0) == replicas

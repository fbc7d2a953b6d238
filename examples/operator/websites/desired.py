"""What a website shall consist of, decided by nothing but the website."""

from typing import Any

from steersman.api.types.apps_v1 import Deployment
from steersman.api.types.core_v1 import ConfigMap, Service
from steersman.controllers.kit import controller_reference

from .types import Website

IMAGE = "busybox:1.36"
PORT = 8080


def children(website: Website) -> list[tuple[type[Any], dict[str, Any]]]:
    """The objects that the website owns, as configurations to apply: what they say is the operator's, no more."""
    name = website.metadata.name
    labels = {"app.kubernetes.io/name": "website", "app.kubernetes.io/instance": name}
    metadata = {
        "name": name,
        "namespace": website.metadata.namespace,
        "labels": labels,
        "ownerReferences": [controller_reference(website)],
    }
    container = {
        "name": "web",
        "image": IMAGE,
        "command": ["httpd", "-f", "-p", str(PORT), "-h", "/www"],
        "ports": [{"containerPort": PORT}],
        "volumeMounts": [{"name": "www", "mountPath": "/www", "readOnly": True}],
    }
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "volumes": [{"name": "www", "configMap": {"name": name}}]},
    }
    deployment = {"replicas": website.spec.replicas, "selector": {"matchLabels": labels}, "template": template}
    return [
        (ConfigMap, _object("v1", "ConfigMap", metadata, data={"index.html": website.spec.page})),
        (Service, _object("v1", "Service", metadata, spec={"selector": labels, "ports": [{"port": PORT}]})),
        (Deployment, _object("apps/v1", "Deployment", metadata, spec=deployment)),
    ]


def listing(website: Website, *, listed: bool) -> dict[str, Any]:
    """The website's part of the list of hosts, which belongs to all websites of a namespace together."""
    metadata = {"name": "hosts", "namespace": website.metadata.namespace}
    entry = {"data": {website.spec.host: website.metadata.name}} if listed else {}
    return _object("v1", "ConfigMap", metadata, **entry)


def _object(api_version: str, kind: str, metadata: dict[str, Any], **content: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}

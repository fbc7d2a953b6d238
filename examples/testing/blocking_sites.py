"""The operator in plain functions, on the official client: ``kopf run blocking_sites.py``."""

from __future__ import annotations

import os
from typing import Any

import kopf
from deployments import deployment, is_ready
from kubernetes import client, config


@kopf.on.startup()
def connect(memo: kopf.Memo, **_: Any) -> None:
    memo.apps = client.AppsV1Api(config.new_client_from_config(os.environ["KUBECONFIG"]))


@kopf.on.cleanup()
def disconnect(memo: kopf.Memo, **_: Any) -> None:
    memo.apps.api_client.close()


@kopf.on.login()
def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_kubeconfig(**kwargs)


@kopf.on.create("example.com", "sites")
def create(memo: kopf.Memo, name: str, namespace: str, spec: kopf.Spec, **_: Any) -> None:
    body = deployment(name, spec)
    kopf.adopt(body)
    memo.apps.create_namespaced_deployment(namespace, body)


@kopf.on.update("example.com", "sites", field="spec")
def update(memo: kopf.Memo, name: str, namespace: str, spec: kopf.Spec, **_: Any) -> None:
    memo.apps.patch_namespaced_deployment(name, namespace, {"spec": deployment(name, spec)["spec"]})


@kopf.on.event("apps", "deployments", labels={"site": kopf.PRESENT})
def observe(memo: kopf.Memo, event: kopf.RawEvent, spec: kopf.Spec, status: kopf.Status, **_: Any) -> None:
    if event["type"] == "DELETED":
        return
    metadata = event["object"]["metadata"]
    objects = client.CustomObjectsApi(memo.apps.api_client)
    ready = {"status": {"ready": is_ready(status, spec["replicas"])}}
    objects.patch_namespaced_custom_object_status(
        "example.com", "v1", metadata["namespace"], "sites", metadata["labels"]["site"], ready
    )

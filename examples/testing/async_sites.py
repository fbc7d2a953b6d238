"""The operator in ``async`` functions, on lightkube: ``kopf run async_sites.py``."""

from __future__ import annotations

import os
from typing import Any

import kopf
from deployments import deployment, is_ready
from lightkube import AsyncClient, KubeConfig
from lightkube.generic_resource import create_namespaced_resource
from lightkube.resources.apps_v1 import Deployment
from lightkube.types import PatchType

Site = create_namespaced_resource("example.com", "v1", "Site", "sites")


@kopf.on.startup()
async def connect(memo: kopf.Memo, **_: Any) -> None:
    memo.client = AsyncClient(config=KubeConfig.from_file(os.environ["KUBECONFIG"]))


@kopf.on.cleanup()
async def disconnect(memo: kopf.Memo, **_: Any) -> None:
    await memo.client.close()


@kopf.on.login()
async def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_kubeconfig(**kwargs)


@kopf.on.create("example.com", "sites")
async def create(memo: kopf.Memo, name: str, namespace: str, spec: kopf.Spec, **_: Any) -> None:
    body = deployment(name, spec)
    kopf.adopt(body)
    await memo.client.create(Deployment.from_dict(body), namespace=namespace)


@kopf.on.update("example.com", "sites", field="spec")
async def update(memo: kopf.Memo, name: str, namespace: str, spec: kopf.Spec, **_: Any) -> None:
    await memo.client.patch(Deployment, name, {"spec": deployment(name, spec)["spec"]}, namespace=namespace)


@kopf.on.event("apps", "deployments", labels={"site": kopf.PRESENT})
async def observe(memo: kopf.Memo, event: kopf.RawEvent, spec: kopf.Spec, status: kopf.Status, **_: Any) -> None:
    if event["type"] == "DELETED":
        return
    metadata = event["object"]["metadata"]
    ready = {"status": {"ready": is_ready(status, spec["replicas"])}}
    await memo.client.patch(
        Site.Status,
        metadata["labels"]["site"],
        ready,
        namespace=metadata["namespace"],
        patch_type=PatchType.MERGE,
    )

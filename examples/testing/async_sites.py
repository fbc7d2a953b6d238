"""The operator in ``async`` functions, on kr8s: ``kopf run async_sites.py``."""

from __future__ import annotations

import os
from typing import Any

import kopf
import kr8s
from deployments import deployment, is_ready
from kr8s.asyncio.objects import Deployment, new_class

Site = new_class("Site", version="example.com/v1", asyncio=True)


@kopf.on.startup()
async def connect(memo: kopf.Memo, **_: Any) -> None:
    memo.api = await kr8s.asyncio.api(kubeconfig=os.environ["KUBECONFIG"])


@kopf.on.login()
async def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_kubeconfig(**kwargs)


@kopf.on.create("example.com", "sites")
async def create(memo: kopf.Memo, name: str, namespace: str, spec: kopf.Spec, **_: Any) -> None:
    body = deployment(name, spec)
    kopf.adopt(body)
    await (await Deployment(body, namespace=namespace, api=memo.api)).create()


@kopf.on.update("example.com", "sites", field="spec")
async def update(memo: kopf.Memo, name: str, namespace: str, spec: kopf.Spec, **_: Any) -> None:
    made = await Deployment.get(name, namespace, api=memo.api)
    await made.patch({"spec": deployment(name, spec)["spec"]})


@kopf.on.event("apps", "deployments", labels={"site": kopf.PRESENT})
async def observe(memo: kopf.Memo, event: kopf.RawEvent, spec: kopf.Spec, status: kopf.Status, **_: Any) -> None:
    if event["type"] == "DELETED":
        return
    metadata = event["object"]["metadata"]
    site = await Site.get(metadata["labels"]["site"], metadata["namespace"], api=memo.api)
    await site.patch({"status": {"ready": is_ready(status, spec["replicas"])}}, subresource="status")

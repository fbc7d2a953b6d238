"""An operator on kopf, as people write them; `test_kopf.py` runs it by `kopf run`."""

import os
from typing import Any

import kopf

GROUP = os.environ["GROUP"]


@kopf.on.startup()
def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.posting.level = 10
    settings.networking.request_timeout = 10
    settings.persistence.finalizer = f"{GROUP}/finalizer"


@kopf.index(GROUP, "databases")
def sizes(name: str, spec: kopf.Spec, **_: Any) -> dict[int, str]:
    return {spec["size"]: name}


@kopf.on.create(GROUP, "v1", "databases")
def created(body: kopf.Body, spec: kopf.Spec, patch: kopf.Patch, retry: int, **_: Any) -> dict[str, int]:
    if spec.get("trouble", 0) > retry:
        raise kopf.TemporaryError("not yet", delay=0.1)
    child = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"size": str(spec["size"])}}
    kopf.adopt(child)
    kopf.label(child, {"of": body["metadata"]["name"]})
    patch.metadata.annotations["child"] = create(child)
    kopf.info(body, reason="Made", message=f"Made one of {spec['size']}")
    return {"attempts": retry + 1}


@kopf.on.update(GROUP, "databases", field="spec.size")
def resized(old: int, new: int, **_: Any) -> str:
    return f"{old} to {new}"


@kopf.on.update(GROUP, "databases", labels={"split": "yes"})
async def split(spec: kopf.Spec, **_: Any) -> None:
    for part in spec.get("parts", []):

        @kopf.subhandler(id=part)
        async def one(part: str = part, **_: Any) -> str:
            return part.upper()


@kopf.on.resume(GROUP, "databases")
def resumed(sizes: kopf.Index[int, str], patch: kopf.Patch, **_: Any) -> None:
    patch.status["resumed"] = True
    patch.status["known"] = sorted(name for names in sizes.values() for name in names)


@kopf.on.delete(GROUP, "databases")
def deleted(name: str, namespace: str, **_: Any) -> None:
    create({"metadata": {"name": f"grave-of-{name}", "namespace": namespace}})


@kopf.timer(GROUP, "databases", interval=0.2, when=lambda spec, **_: spec.get("ticks", False))
def tick(status: kopf.Status, patch: kopf.Patch, **_: Any) -> None:
    patch.status["ticks"] = status.get("ticks", 0) + 1


@kopf.daemon(GROUP, "databases", cancellation_timeout=1.0, when=lambda spec, **_: spec.get("watched", False))
async def watcher(stopped: kopf.DaemonStopped, name: str, namespace: str, **_: Any) -> None:
    create({"metadata": {"name": f"{name}-is-watched", "namespace": namespace}})
    while not await stopped.wait(0.1):
        pass
    create({"metadata": {"name": f"{name}-is-not-watched", "namespace": namespace}})


@kopf.on.event("pods", labels={"database": kopf.PRESENT})
def pod_seen(event: kopf.RawEvent, name: str, namespace: str, labels: kopf.Labels, **_: Any) -> None:
    if event["type"] == "DELETED":
        create({"metadata": {"name": f"{labels['database']}-lost-{name}", "namespace": namespace}})


def create(obj: dict[str, Any]) -> str:
    """Create a ConfigMap, by the official client, unless it is there; returns its name."""
    import kubernetes

    kubernetes.config.load_kube_config()
    try:
        made = kubernetes.client.CoreV1Api().create_namespaced_config_map(obj["metadata"]["namespace"], obj)
    except kubernetes.client.ApiException as error:
        if error.status != 409:
            raise
        return ""
    return str(made.metadata.name)

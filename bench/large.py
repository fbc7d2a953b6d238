"""Much in one server: 150,000 pods; 10,000 watches that have nothing to say."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from steersman.storage.sqlite import SqliteStore
from steersman.storage.store import Put

from .load import Job, run
from .processes import resident
from .result import Row
from .server import Server
from .setting import Setting

NAMES = ("load-150000", "memory-150000", "list-150000", "idle-watches")

PODS = 150_000
WATCHES = 10_000
_COMMIT = 500
_LATER = 600
"""Other commits since: a server that starts replays the last few hundred."""


def running_pod(number: int) -> bytes:
    """A pod as a Deployment's is stored when it has run for a while: about 3.7 KB, a third of it managed fields."""
    name, node, instant = f"web-7d4b9c6f5d-{number:06d}", f"node-{number % 5000:04d}", "2026-11-21T03:00:00Z"
    controller = "kube-controller-manager"
    fields = {
        "f:metadata": {
            "f:generateName": {},
            "f:labels": {".": {}, "f:app": {}, "f:pod-template-hash": {}, "f:tier": {}},
            "f:ownerReferences": {".": {}, 'k:{"uid":"5a1f2f2e-0001-4000-8000-000000000001"}': {}},
        },
        "f:spec": {
            "f:containers": {
                'k:{"name":"main"}': {
                    ".": {},
                    "f:env": {".": {}, 'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}},
                    **{f"f:{field}": {} for field in ("image", "imagePullPolicy", "name", "terminationMessagePath")},
                    "f:ports": {".": {}, 'k:{"containerPort":8080,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
                    "f:resources": {
                        ".": {},
                        "f:limits": {".": {}, "f:memory": {}},
                        "f:requests": {".": {}, "f:cpu": {}},
                    },
                }
            },
            **{f"f:{field}": {} for field in ("dnsPolicy", "restartPolicy", "schedulerName", "securityContext")},
        },
    }
    conditions = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    status_fields = {
        "f:status": {
            "f:conditions": {
                f'k:{{"type":"{kind}"}}': {".": {}, "f:lastTransitionTime": {}, "f:status": {}, "f:type": {}}
                for kind in conditions
            },
            **{f"f:{field}": {} for field in ("containerStatuses", "hostIP", "phase", "podIP", "podIPs", "startTime")},
        }
    }
    pod: dict[str, Any] = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": name,
            "generateName": "web-7d4b9c6f5d-",
            "namespace": f"team-{number % 100:02d}",
            "uid": f"00000000-0000-4000-8000-{number:012d}",
            "creationTimestamp": instant,
            "labels": {"app": "web", "pod-template-hash": "7d4b9c6f5d", "tier": "backend" if number % 10 else "edge"},
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7d4b9c6f5d",
                    "uid": "5a1f2f2e-0001-4000-8000-000000000001", "controller": True, "blockOwnerDeletion": True,
                }
            ],
            "managedFields": [
                {
                    "manager": manager, "operation": "Update", "apiVersion": "v1", "time": instant,
                    "fieldsType": "FieldsV1", "fieldsV1": tree, **extra,
                }
                for manager, tree, extra in (
                    (controller, fields, {}), ("kubelet", status_fields, {"subresource": "status"})
                )
            ],
        },
        "spec": {
            "volumes": [{"name": "kube-api-access-abcde", "projected": {"defaultMode": 420, "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            ]}}],
            "containers": [
                {
                    "name": "main", "image": "registry.example.invalid/team/web:1.42.0",
                    "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                    "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                    "resources": {"limits": {"memory": "64Mi"}, "requests": {"cpu": "10m", "memory": "16Mi"}},
                    "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                    "imagePullPolicy": "IfNotPresent",
                }
            ],
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "default", "serviceAccount": "default", "nodeName": node, "securityContext": {},
            "schedulerName": "default-scheduler", "priority": 0, "enableServiceLinks": True,
            "preemptionPolicy": "PreemptLowerPriority",
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": kind, "status": "True", "lastTransitionTime": instant} for kind in conditions],
            "hostIP": "10.0.0.1", "podIP": "10.244.1.2", "podIPs": [{"ip": "10.244.1.2"}], "startTime": instant,
            "containerStatuses": [
                {
                    "name": "main", "state": {"running": {"startedAt": instant}}, "lastState": {}, "ready": True,
                    "restartCount": 0, "image": "registry.example.invalid/team/web:1.42.0",
                    "imageID": "sha256:" + "0" * 64, "containerID": "containerd://" + f"{number:064d}", "started": True,
                }
            ],
            "qosClass": "Burstable",
        },
    }  # fmt: skip
    return json.dumps(pod, separators=(",", ":")).encode()


async def store_pods(path: Path, count: int) -> int:
    """Put pods where a server will find them; the bytes of their JSON."""
    store = await SqliteStore.open(path)
    size = 0
    try:
        for first in range(0, count, _COMMIT):
            puts = []
            for number in range(first, min(first + _COMMIT, count)):
                value = running_pod(number)
                size += len(value)
                puts.append(Put(f"/registry/pods/team-{number % 100:02d}/web-7d4b9c6f5d-{number:06d}", value))
            await store.commit(puts)
        for number in range(_LATER):
            await store.commit([Put("/registry/bench", b"%d" % number)])
    finally:
        await store.close()
    return size


def measure(setting: Setting) -> Iterator[Row]:
    """Start a server on many pods and read them all; then let many watch."""
    options = ("--disable-controllers", "--disable-scheduler")
    server = Server(setting.processes, setting.directory / "large", *options)
    server.start()
    empty = resident(server.process.pid)
    if setting.wants("load-150000", "memory-150000", "list-150000"):
        setting.say("storing 150,000 pods")
        server.stop()
        size = asyncio.run(store_pods(server.data_dir / "server" / "state.db", PODS))
        server.start()
        setting.say("reading 150,000 pods")
        pods = "/api/v1/pods"
        started = time.perf_counter()
        server.access.wait(f"{pods}?limit=1")
        text = f"from SQLite into the watch cache, {size / 2**20:.0f} MiB of JSON"
        yield Row("load-150000", time.perf_counter() - started, "s", better="lower", note=text)
        loaded = resident(server.process.pid)
        access = server.access
        job = Job(
            kind="rate", host=access.host, port=access.port, authority=str(access.authority),
            certificate=str(access.certificate), path=pods, connections=2, count=4,
        )  # fmt: skip
        outcome = run(job)
        text = f"2 at a time, {outcome.bytes / 2**20:.0f} MiB each; slowest {outcome.slowest / 1000:.1f} s"
        yield Row("list-150000", outcome.rate, "/s", note=text)
        chosen = access.wait(f"{pods}?labelSelector=tier%3Dedge&limit=500")
        if len(chosen["items"]) != 500:
            raise RuntimeError(f"{len(chosen['items'])} pods were selected")
        each = (loaded - empty) * 2**20 / PODS
        text = f"{loaded:.0f} after start, {each / (size / PODS):.1f} times the JSON; this is after the lists"
        yield Row("memory-150000", resident(server.process.pid), "MiB", 1536, "lower", text)
    if setting.wants("idle-watches"):
        setting.say("opening 10,000 watches")
        yield idle_watches(server)
    server.stop()


def idle_watches(server: Server) -> Row:
    """The memory that a watch takes which nothing happens on."""
    access = server.access
    before = resident(server.process.pid)
    version = access.get("/api/v1/configmaps?limit=1")["metadata"]["resourceVersion"]
    outcome = run(
        Job(
            kind="idle", host=access.host, port=access.port, authority=str(access.authority),
            certificate=str(access.certificate), connections=WATCHES,
            path=f"/api/v1/namespaces/default/configmaps?watch=true&resourceVersion={version}",
            target=f"/proc/{server.process.pid}/status",
        )
    )  # fmt: skip
    text = f"10,000 open, each on a TLS connection of its own; opened in {outcome.seconds:.0f} s"
    return Row("idle-watches", (outcome.bytes / 1024 - before) * 1024 / WATCHES, "KiB each", better="lower", note=text)

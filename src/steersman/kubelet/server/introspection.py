"""What a kubelet tells about itself: its pods and its configuration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from steersman.api.types.core_v1 import Container, Pod, PodList, PodSpec
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.kubelet.config import KubeletConfig
from steersman.kubelet.cri_api import messages as cri
from steersman.kubelet.record import PodRecord


def running_pods(records: Iterable[PodRecord]) -> PodList:
    """``/runningpods/``: what the runtime runs, no more said of it than the runtime knows."""
    pods = []
    for record in records:
        metadata = record.pod.metadata
        running = [
            Container(name=name, image=statuses[0].image.image)
            for name, statuses in record.containers.items()
            if statuses and statuses[0].state == cri.CONTAINER_RUNNING
        ]
        if record.sandbox is not None:
            identity = ObjectMeta(name=metadata.name, namespace=metadata.namespace, uid=metadata.uid)
            pods.append(Pod(metadata=identity, spec=PodSpec(containers=running)))
    return PodList(items=pods)


def configz(config: KubeletConfig) -> bytes:
    """``/configz``: the configuration under the names of a KubeletConfiguration."""
    configuration: dict[str, Any] = {
        "enableServer": True,
        "syncFrequency": _duration(config.sync_frequency),
        "address": config.bind_address,
        "port": config.port,
        "authentication": {
            "x509": {"clientCAFile": str(config.pki_dir / "ca.crt") if config.pki_dir is not None else ""},
            "webhook": {"enabled": True},
            "anonymous": {"enabled": False},
        },
        "authorization": {"mode": "Webhook"},
        "clusterDomain": config.cluster_domain,
        "clusterDNS": list(config.cluster_dns),
        "nodeStatusUpdateFrequency": _duration(config.node_status_update_frequency),
        "nodeStatusReportFrequency": _duration(config.node_status_report_frequency),
        "nodeLeaseDurationSeconds": config.lease_duration,
        "imageMinimumGCAge": _duration(config.image_minimum_gc_age),
        "imageGCHighThresholdPercent": config.image_gc_high_percent,
        "imageGCLowThresholdPercent": config.image_gc_low_percent,
        "maxPods": config.max_pods,
        "podPidsLimit": config.pod_pids_limit,
        "resolvConf": str(config.resolv_conf),
        "containerLogMaxSize": str(config.container_log_max_size),
        "containerLogMaxFiles": config.container_log_max_files,
        "systemReserved": config.system_reserved,
        "kubeReserved": config.kube_reserved,
        "enableDebuggingHandlers": True,
        "enableSystemLogHandler": True,
        "podLogsDir": str(config.pod_log_root),
    }
    return msgspec.json.encode({"kubeletconfig": configuration})


def _duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:g}s"
    return f"{hours}h{minutes}m{text}" if hours else f"{minutes}m{text}" if minutes else text

"""Making a pod's sandbox: its groups, its network, and what it replaces."""

from __future__ import annotations

import asyncio
import os

from . import cgroups, resolvconf, specs
from .cri_api import messages as cri
from .observation import learn_addresses
from .qos import pod_limits, pod_requests, qos_class
from .record import PodRecord
from .runtime import RuntimeFailure, RuntimeUnavailable


def sandbox_config(record: PodRecord, attempt: int) -> cri.PodSandboxConfig:
    """What the runtime is told of a pod's sandbox."""
    config = record.host.config
    hostname, _ = resolvconf.pod_hostname(record.pod, config.cluster_domain)
    resolver = resolvconf.pod_resolver(
        record.pod, record.host.host_resolver, cluster_dns=config.cluster_dns, cluster_domain=config.cluster_domain
    )
    return specs.sandbox_config(
        record.pod,
        attempt=attempt,
        hostname=hostname,
        resolver=resolver,
        log_root=config.pod_log_root,
        cgroup_root=config.cgroup_root,
    )


def pod_group(record: PodRecord) -> str:
    """The pod's control group."""
    return cgroups.pod_group(record.host.config.cgroup_root, qos_class(record.pod), record.uid)


def _group_limits(record: PodRecord) -> cgroups.CgroupLimits:
    limits, requests = pod_limits(record.pod), pod_requests(record.pod)
    pids = record.host.config.pod_pids_limit
    return cgroups.CgroupLimits(
        cpu_shares=cgroups.shares_for(requests.get("cpu", 0)),
        cpu_quota=cgroups.quota_for(limits["cpu"]) if limits.get("cpu") else None,
        memory=limits.get("memory") or None,
        pids=pids if pids > 0 else None,
    )


async def create_sandbox(record: PodRecord, *, recreate: bool) -> bool:
    """Make a sandbox, in place of the one that has ended; returns False when that failed, with an event."""
    runtime, previous = record.host.runtime, record.sandbox
    attempt = 0
    if previous is not None:
        attempt = previous.metadata.attempt + 1
        if recreate:
            if any(record.running(name) for name in record.containers):
                record.event("Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
            await runtime.stop_sandbox(previous.id)
            record.pod_ips = []
    config = sandbox_config(record, attempt)
    try:
        await asyncio.to_thread(cgroups.apply, config.linux.cgroup_parent, _group_limits(record))
        await asyncio.to_thread(os.makedirs, config.log_directory, 0o755, True)
        sandbox_id = await runtime.run_sandbox(config, "")
    except OSError as error:
        record.event("Warning", "FailedCreatePodContainer", f"unable to ensure pod container exists: {error}")
        return False
    except RuntimeUnavailable:
        raise
    except RuntimeFailure as error:
        record.event("Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
        return False
    seen = await runtime.sandbox_status(sandbox_id)
    record.sandbox = cri.PodSandbox(id=sandbox_id, metadata=seen.metadata, state=seen.state, created_at=seen.created_at)
    record.pod_ips = []
    await learn_addresses(record)
    if previous is not None:
        await runtime.remove_sandbox(previous.id)
    return True

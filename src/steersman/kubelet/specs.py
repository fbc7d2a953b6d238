"""From a pod to what the runtime is told: pure functions from API objects to CRI messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from steersman.api import quantity
from steersman.api.types.core_v1 import Container, Pod, PodSecurityContext, SeccompProfile, SecurityContext

from . import cgroups, names
from .cri_api import messages as cri
from .environment import ConfigError, expand
from .qos import oom_score_adj, qos_class
from .resolvconf import Resolver

_PROTOCOLS = {"TCP": 0, "UDP": 1, "SCTP": 2}
_PROPAGATION = {"": 0, "None": 0, "HostToContainer": 1, "Bidirectional": 2}

MASKED_PATHS = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def namespaces(pod: Pod) -> cri.NamespaceOption:
    """Which namespaces a pod's containers share, with each other or with the node."""
    pid = cri.CONTAINER
    if pod.spec.host_pid:
        pid = cri.NODE
    elif pod.spec.share_process_namespace:
        pid = cri.POD
    return cri.NamespaceOption(
        network=cri.NODE if pod.spec.host_network else cri.POD,
        ipc=cri.NODE if pod.spec.host_ipc else cri.POD,
        pid=pid,
    )


def sandbox_config(
    pod: Pod, *, attempt: int, hostname: str, resolver: Resolver, log_root: Path, cgroup_root: str
) -> cri.PodSandboxConfig:
    """The sandbox of a pod."""
    metadata, spec = pod.metadata, pod.spec
    config = cri.PodSandboxConfig(
        metadata=cri.PodSandboxMetadata(
            name=metadata.name, uid=metadata.uid, namespace=metadata.namespace, attempt=attempt
        ),
        hostname="" if spec.host_network else hostname,
        log_directory=str(names.log_directory(log_root, pod)),
        dns_config=cri.DNSConfig(servers=resolver.nameservers, searches=resolver.searches, options=resolver.options),
        labels={
            **metadata.labels,
            names.POD_NAME: metadata.name,
            names.POD_NAMESPACE: metadata.namespace,
            names.POD_UID: metadata.uid,
        },
        annotations={**metadata.annotations, names.CONFIG_SOURCE: "api"},
    )
    if not spec.host_network:
        for container in [*spec.init_containers, *spec.containers]:
            for port in container.ports:
                if port.host_port:
                    config.port_mappings.add(
                        protocol=_PROTOCOLS[port.protocol or "TCP"],
                        container_port=port.container_port,
                        host_port=port.host_port,
                        host_ip=port.host_ip,
                    )
    linux = config.linux
    linux.cgroup_parent = cgroups.pod_group(cgroup_root, qos_class(pod), metadata.uid)
    security = linux.security_context
    security.namespace_options.CopyFrom(namespaces(pod))
    security.privileged = any(
        container.security_context is not None and bool(container.security_context.privileged)
        for container in [*spec.init_containers, *spec.containers]
    )
    security.seccomp.profile_type = cri.SecurityProfile.RuntimeDefault
    context = spec.security_context
    if context is not None:
        if context.run_as_user is not None:
            security.run_as_user.value = context.run_as_user
        if context.run_as_group is not None and context.run_as_user is not None:
            security.run_as_group.value = context.run_as_group
        security.supplemental_groups.extend(_groups(context))
        for sysctl in context.sysctls:
            linux.sysctls[sysctl.name.replace("/", ".")] = sysctl.value
    return config


def container_config(
    pod: Pod,
    container: Container,
    *,
    image: str,
    attempt: int,
    environment: Mapping[str, str],
    mounts: Iterable[cri.Mount],
    memory_capacity: int,
    image_user: int | None = None,
    image_username: str = "",
    target_id: str = "",
) -> cri.ContainerConfig:
    """One container of a pod; raises ConfigError where its settings forbid it to run.

    ``target_id`` is a container whose process namespace it joins: an ephemeral container's target.
    """
    check_non_root(pod, container, image_user, image_username)
    working_dir = expand(container.working_dir, environment)
    config = cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name=container.name, attempt=attempt),
        image=cri.ImageSpec(image=image, user_specified_image=container.image),
        command=[expand(part, environment) for part in container.command],
        args=[expand(part, environment) for part in container.args],
        working_dir=working_dir,
        envs=[cri.KeyValue(key=key, value=value) for key, value in environment.items()],
        mounts=mounts,
        labels={
            names.CONTAINER_NAME: container.name,
            names.POD_NAME: pod.metadata.name,
            names.POD_NAMESPACE: pod.metadata.namespace,
            names.POD_UID: pod.metadata.uid,
        },
        annotations={
            names.HASH: names.container_hash(container),
            names.RESTART_COUNT: str(attempt),
            names.TERMINATION_PATH: container.termination_message_path,
            names.TERMINATION_POLICY: container.termination_message_policy or "File",
            names.GRACE_PERIOD: str(_grace(pod)),
        },
        log_path=f"{container.name}/{attempt}.log",
        stdin=bool(container.stdin),
        stdin_once=bool(container.stdin_once),
        tty=bool(container.tty),
    )
    config.linux.resources.CopyFrom(container_resources(pod, container, memory_capacity))
    config.linux.security_context.CopyFrom(security_context(pod, container))
    if target_id:
        config.linux.security_context.namespace_options.pid = cri.TARGET
        config.linux.security_context.namespace_options.target_id = target_id
    return config


def container_resources(pod: Pod, container: Container, memory_capacity: int) -> cri.LinuxContainerResources:
    """Shares, quota, memory limit and OOM score of a container."""
    requests, limits = container.resources.requests, container.resources.limits
    limit = quantity.milli_value(limits.get("cpu", ""))
    request = quantity.milli_value(requests.get("cpu", "")) if requests.get("cpu") else limit
    return cri.LinuxContainerResources(
        cpu_period=cgroups.QUOTA_PERIOD if limit else 0,
        cpu_quota=cgroups.quota_for(limit),
        cpu_shares=cgroups.shares_for(request),
        memory_limit_in_bytes=quantity.value(limits.get("memory", "")),
        oom_score_adj=oom_score_adj(pod, container, memory_capacity),
    )


def security_context(pod: Pod, container: Container) -> cri.LinuxContainerSecurityContext:
    """A container's privileges: its own settings over the pod's."""
    own = container.security_context or SecurityContext()
    whole = pod.spec.security_context or PodSecurityContext()
    result = cri.LinuxContainerSecurityContext(
        privileged=bool(own.privileged),
        readonly_rootfs=bool(own.read_only_root_filesystem),
        no_new_privs=own.allow_privilege_escalation is False,
        namespace_options=namespaces(pod),
        supplemental_groups=_groups(whole),
        masked_paths=() if own.proc_mount == "Unmasked" else MASKED_PATHS,
        readonly_paths=() if own.proc_mount == "Unmasked" else READONLY_PATHS,
    )
    if own.privileged:
        del result.masked_paths[:]
        del result.readonly_paths[:]
    if own.capabilities is not None:
        result.capabilities.add_capabilities.extend(own.capabilities.add)
        result.capabilities.drop_capabilities.extend(own.capabilities.drop)
    user = own.run_as_user if own.run_as_user is not None else whole.run_as_user
    group = own.run_as_group if own.run_as_group is not None else whole.run_as_group
    if user is not None:
        result.run_as_user.value = user
    if group is not None:
        result.run_as_group.value = group
        if user is None:
            result.run_as_user.value = 0
    if whole.supplemental_groups_policy == "Strict":
        result.supplemental_groups_policy = cri.Strict
    result.seccomp.CopyFrom(_seccomp(own.seccomp_profile or whole.seccomp_profile))
    return result


def check_non_root(pod: Pod, container: Container, image_user: int | None, image_username: str) -> None:
    """``runAsNonRoot``; raises ConfigError where the container would run as root, or might."""
    own = container.security_context or SecurityContext()
    whole = pod.spec.security_context or PodSecurityContext()
    required = own.run_as_non_root if own.run_as_non_root is not None else whole.run_as_non_root
    if not required:
        return
    user = own.run_as_user if own.run_as_user is not None else whole.run_as_user
    where = f'(pod: "{names.describe(pod)}", container: {container.name})'
    if user is not None:
        if user == 0:
            raise ConfigError(f"container's runAsUser breaks non-root policy {where}")
        return
    if image_user == 0 or (image_user is None and not image_username):
        raise ConfigError(f"container has runAsNonRoot and image will run as root {where}")
    if image_username:
        raise ConfigError(
            f"container has runAsNonRoot and image has non-numeric user ({image_username}), "
            f"cannot verify user is non-root {where}"
        )


def mount_message(host_path: Path, container_path: str, *, read_only: bool = False, propagation: str = "") -> cri.Mount:
    """A bind mount."""
    return cri.Mount(
        host_path=str(host_path),
        container_path=container_path,
        readonly=read_only,
        propagation=_PROPAGATION[propagation],  # type: ignore[arg-type]
    )


def _groups(context: PodSecurityContext) -> Sequence[int]:
    groups = list(context.supplemental_groups)
    if context.fs_group is not None and context.fs_group not in groups:
        groups.append(context.fs_group)
    return groups


def _seccomp(profile: SeccompProfile | None) -> cri.SecurityProfile:
    if profile is None or profile.type == "Unconfined":
        return cri.SecurityProfile(profile_type=cri.SecurityProfile.Unconfined)
    if profile.type == "Localhost":
        reference = f"/var/lib/kubelet/seccomp/{profile.localhost_profile}"
        return cri.SecurityProfile(profile_type=cri.SecurityProfile.Localhost, localhost_ref=reference)
    return cri.SecurityProfile(profile_type=cri.SecurityProfile.RuntimeDefault)


def _grace(pod: Pod) -> int:
    grace = pod.spec.termination_grace_period_seconds
    return 30 if grace is None else grace

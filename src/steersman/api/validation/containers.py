"""Containers of all three sorts: regular, init, ephemeral."""

from __future__ import annotations

from typing import Any, NamedTuple

from steersman.api import errors
from steersman.api.pods import Container, is_sidecar
from steersman.api.types import core_v1 as v1

from . import environment, names
from .faults import Faults, verdict
from .probes import container_probes
from .resources import requirements
from .security import container_security
from .volume_sources import descending_path
from .volumes import PULL_POLICIES

_RESTART_POLICIES = ("Always", "Never", "OnFailure")
_MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
_RECURSIVE = ("Disabled", "Enabled", "IfPossible")
_RULES_LIMIT = 20
_EXIT_CODES_LIMIT = 255


class Surroundings(NamedTuple):
    """What the containers of a pod are checked against: its spec, the volumes that are right, its claims' names."""

    spec: v1.PodSpec
    volumes: dict[str, v1.Volume]
    claims: frozenset[str]


def containers(faults: Faults, around: Surroundings, path: str) -> None:
    """The containers that a pod is there for."""
    place = f"{path}.containers"
    values = around.spec.containers
    if not values:
        faults.append(errors.required(place))
        return
    seen: set[str] = set()
    host_ports: set[Any] = set()
    for index, container in enumerate(values):
        here = f"{place}[{index}]"
        _common(faults, container, here, around)
        if container.name in seen:
            faults.append(errors.duplicate(f"{here}.name", container.name))
        seen.add(container.name)
        container_probes(faults, container, here, around.spec)
        _restarts(faults, container, here)
    for index, container in enumerate(values):
        _host_ports(faults, container, f"{place}[{index}]", host_ports)


_LATER = {
    "lifecycle": "lifecycle",
    "liveness_probe": "livenessProbe",
    "readiness_probe": "readinessProbe",
    "startup_probe": "startupProbe",
}


def init_containers(faults: Faults, around: Surroundings, path: str) -> None:
    """The containers that run before, and those of them that stay beside (sidecars)."""
    seen = {container.name for container in around.spec.containers}
    for index, container in enumerate(around.spec.init_containers):
        here = f"{path}.initContainers[{index}]"
        _common(faults, container, here, around)
        _init_restarts(faults, container, here)
        if container.name in seen:
            faults.append(errors.duplicate(f"{here}.name", container.name))
        elif container.name:
            seen.add(container.name)
        _host_ports(faults, container, here, set())
        if is_sidecar(container):
            container_probes(faults, container, here, around.spec)
        else:
            detail = "may not be set for init containers without restartPolicy=Always"
            faults.forbid(here, container, _LATER, detail)


_NOT_EPHEMERAL = {
    "ports": "ports",
    "liveness_probe": "livenessProbe",
    "readiness_probe": "readinessProbe",
    "startup_probe": "startupProbe",
    "lifecycle": "lifecycle",
    "resize_policy": "resizePolicy",
    "restart_policy": "restartPolicy",
    "restart_policy_rules": "restartPolicyRules",
}
NOT_EPHEMERAL = "cannot be set for an Ephemeral Container"


def ephemeral_containers(faults: Faults, around: Surroundings, path: str) -> None:
    """The containers that look into a running pod; they serve nothing and are promised nothing."""
    spec = around.spec
    regular = {container.name for container in (*spec.containers, *spec.init_containers)}
    seen = set(regular)
    for index, container in enumerate(spec.ephemeral_containers):
        here = f"{path}.ephemeralContainers[{index}]"
        _common(faults, container, here, around)
        trimmed_image(faults, container, here)
        if container.name in seen:
            faults.append(errors.duplicate(f"{here}.name", container.name))
        seen.add(container.name)
        if container.target_container_name and container.target_container_name not in regular:
            faults.append(errors.not_found_value(f"{here}.targetContainerName", container.target_container_name))
        faults.forbid(here, container, _NOT_EPHEMERAL, NOT_EPHEMERAL)
        asked = container.resources
        if asked.limits or asked.requests or asked.claims:
            faults.forbidden(f"{here}.resources", NOT_EPHEMERAL)
        for number, mount in enumerate(container.volume_mounts):
            members = {"sub_path": "subPath", "sub_path_expr": "subPathExpr"}
            faults.forbid(f"{here}.volumeMounts[{number}]", mount, members, NOT_EPHEMERAL)


def trimmed_image(faults: Faults, container: Container, path: str) -> None:
    """A pod's images are meant as they are written; templates may have said anything once."""
    if container.image != container.image.strip():
        faults.invalid(f"{path}.image", container.image, "must not have leading or trailing whitespace")


def _common(faults: Faults, container: Container, path: str, around: Surroundings) -> None:
    faults.name(f"{path}.name", container.name, names.dns1123_label)
    faults.required(f"{path}.image", container.image)
    faults.enum(f"{path}.terminationMessagePolicy", container.termination_message_policy, _MESSAGE_POLICIES)
    if container.ports:
        _ports(faults, container.ports, f"{path}.ports")
    if container.env:
        environment.variables(faults, container.env, f"{path}.env")
    if container.env_from:
        environment.sources(faults, container.env_from, f"{path}.envFrom")
    if container.volume_mounts:
        _mounts(faults, container, f"{path}.volumeMounts", around.volumes)
    if container.volume_devices:
        _devices(faults, container, f"{path}.volumeDevices", around.volumes)
    faults.one_of(f"{path}.imagePullPolicy", container.image_pull_policy, PULL_POLICIES)
    requirements(faults, container.resources, f"{path}.resources", around.claims)
    if container.resize_policy:
        _resize_policy(faults, container.resize_policy, f"{path}.resizePolicy", around.spec.restart_policy)
    if container.security_context is not None:
        host_users = around.spec.host_users is not False
        place = f"{path}.securityContext"
        container_security(faults, container.security_context, place, host_users=host_users)


# -- ports -----------------------------------------------------------------------------------------------------------


def _ports(faults: Faults, values: list[v1.ContainerPort], path: str) -> None:
    seen: set[str] = set()
    for index, port in enumerate(values):
        place = f"{path}[{index}]"
        if port.name:
            if found := verdict(names.port_name, port.name):
                for fault in found:
                    faults.invalid(f"{place}.name", port.name, fault)
            else:
                faults.unique(f"{place}.name", port.name, seen)
        if not port.container_port:
            faults.append(errors.required(f"{place}.containerPort"))
        else:
            faults.between(f"{place}.containerPort", port.container_port, 1, 65535)
        if port.host_port:
            faults.between(f"{place}.hostPort", port.host_port, 1, 65535)
        faults.one_of(f"{place}.protocol", port.protocol, _PROTOCOLS)


def _host_ports(faults: Faults, container: v1.Container, path: str, taken: set[Any]) -> None:
    for index, port in enumerate(container.ports):
        if port.host_port:
            key = f"{port.protocol}/{port.host_ip}/{port.host_port}"
            faults.unique(f"{path}.ports[{index}].hostPort", key, taken)


# -- volumes ---------------------------------------------------------------------------------------------------------


def _mounts(faults: Faults, container: Container, path: str, known: dict[str, v1.Volume]) -> None:
    devices = {device.name: device.device_path for device in container.volume_devices}
    device_paths = set(devices.values())
    taken: set[str] = set()
    for index, mount in enumerate(container.volume_mounts):
        place = f"{path}[{index}]"
        faults.required(f"{place}.name", mount.name)
        if mount.name not in known:
            faults.append(errors.not_found_value(f"{place}.name", mount.name))
        faults.required(f"{place}.mountPath", mount.mount_path)
        if mount.mount_path in taken:
            faults.invalid(f"{place}.mountPath", mount.mount_path, "must be unique")
        taken.add(mount.mount_path)
        if mount.name in devices:
            faults.invalid(f"{place}.name", mount.name, "must not already exist in volumeDevices")
        if mount.mount_path in device_paths:
            detail = "must not already exist as a path in volumeDevices"
            faults.invalid(f"{place}.mountPath", mount.mount_path, detail)
        if mount.sub_path:
            descending_path(faults, mount.sub_path, f"{path}.subPath")
        if mount.sub_path_expr:
            if mount.sub_path:
                detail = "subPathExpr and subPath are mutually exclusive"
                faults.invalid(f"{place}.subPathExpr", mount.sub_path_expr, detail)
            descending_path(faults, mount.sub_path_expr, f"{path}.subPathExpr")
        if mount.mount_propagation:
            _propagation(faults, mount.mount_propagation, f"{path}.mountPropagation", container)
        if mount.recursive_read_only:
            _recursive_read_only(faults, mount, f"{path}.recursiveReadOnly")


def _propagation(faults: Faults, value: str, path: str, container: Container) -> None:
    faults.enum(path, value, _PROPAGATIONS)
    context = container.security_context
    if value == "Bidirectional" and not (context is not None and context.privileged):
        faults.forbidden(path, "Bidirectional mount propagation is available only to privileged containers")


def _recursive_read_only(faults: Faults, mount: v1.VolumeMount, path: str) -> None:
    faults.enum(path, mount.recursive_read_only, _RECURSIVE)
    if mount.recursive_read_only not in ("Enabled", "IfPossible"):
        return
    if not mount.read_only:
        faults.forbidden(path, "may only be specified when readOnly is true")
    if mount.mount_propagation not in ("", "None"):
        faults.forbidden(path, "may only be specified when mountPropagation is None or not specified")


def _devices(faults: Faults, container: Container, path: str, known: dict[str, v1.Volume]) -> None:
    mounts = {mount.name: mount.mount_path for mount in container.volume_mounts}
    mount_paths = set(mounts.values())
    seen: set[str] = set()
    taken: set[str] = set()
    for index, device in enumerate(container.volume_devices):
        place = f"{path}[{index}]"
        volume = known.get(device.name)
        faults.required(f"{place}.name", device.name)
        if device.name in seen:
            faults.invalid(f"{place}.name", device.name, "must be unique")
        if volume is None:
            faults.append(errors.not_found_value(f"{place}.name", device.name))
        elif volume.persistent_volume_claim is None and volume.ephemeral is None:
            detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            faults.invalid(f"{place}.name", device.name, detail)
        faults.required(f"{place}.devicePath", device.device_path)
        if device.device_path in taken:
            faults.invalid(f"{place}.devicePath", device.device_path, "must be unique")
        if ".." in device.device_path.split("/"):
            faults.invalid(f"{place}.devicePath", device.device_path, "can not contain backsteps ('..')")
        else:
            taken.add(device.device_path)
        if device.name in mounts:
            faults.invalid(f"{place}.name", device.name, "must not already exist in volumeMounts")
        if device.device_path in mount_paths:
            detail = "must not already exist as a path in volumeMounts"
            faults.invalid(f"{place}.devicePath", device.device_path, detail)
        if device.name:
            seen.add(device.name)


# -- restarts --------------------------------------------------------------------------------------------------------


def _init_restarts(faults: Faults, container: v1.Container, path: str) -> None:
    if not is_sidecar(container):
        _restarts(faults, container, path)
    elif container.restart_policy_rules:
        detail = "restartPolicyRules are not allowed for init containers with restart policy Always"
        faults.forbidden(f"{path}.restartPolicyRules", detail)


def _restarts(faults: Faults, container: v1.Container, path: str) -> None:
    """A container's own policy, and the exit codes that stand over it (KEP-5307)."""
    rules = container.restart_policy_rules
    if not container.restart_policy:
        if not rules:
            return
        detail = "must specify restartPolicy when restart rules are used"
        faults.append(errors.required(f"{path}.restartPolicy", detail))
    elif container.restart_policy not in _RESTART_POLICIES:
        faults.append(errors.not_supported(f"{path}.restartPolicy", container.restart_policy, _RESTART_POLICIES))
    if len(rules) > _RULES_LIMIT:
        faults.append(errors.too_many(f"{path}.restartPolicyRules", len(rules), _RULES_LIMIT))
    for index, rule in enumerate(rules):
        place = f"{path}.restartPolicyRules[{index}]"
        if rule.action != "Restart":
            faults.append(errors.not_supported(f"{place}.action", rule.action, ("Restart",)))
        if (codes := rule.exit_codes) is None:
            faults.append(errors.required(f"{place}.exitCodes", "must be specified"))
            continue
        if codes.operator not in ("In", "NotIn"):
            faults.append(errors.not_supported(f"{place}.exitCodes.operator", codes.operator, ("In", "NotIn")))
        if len(codes.values) > _EXIT_CODES_LIMIT:
            faults.append(errors.too_many(f"{place}.exitCodes.values", len(codes.values), _EXIT_CODES_LIMIT))


def _resize_policy(faults: Faults, values: list[v1.ContainerResizePolicy], path: str, restart_policy: str) -> None:
    seen: set[str] = set()
    for index, policy in enumerate(values):
        faults.unique(f"{path}[{index}]", policy.resource_name, seen)
        faults.enum(path, policy.resource_name, ("cpu", "memory"))
        faults.enum(path, policy.restart_policy, ("NotRequired", "RestartContainer"))
        if restart_policy == "Never" and policy.restart_policy != "NotRequired":
            detail = "must be 'NotRequired' when pod `restartPolicy` is 'Never'"
            faults.invalid(path, policy.restart_policy, detail)

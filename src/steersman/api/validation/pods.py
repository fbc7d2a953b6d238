"""Pods and pod templates."""

from __future__ import annotations

from typing import Any

from steersman.api import codecs, errors, quantity
from steersman.api.types import core_v1 as v1

from . import meta, names
from .faults import Faults
from .placement import affinity, spread_constraints, tolerations
from .volumes import volumes

_DOWNWARD_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
_RESOURCE_FIELDS = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)
_CONTAINER_RESOURCES = ("cpu", "memory", "ephemeral-storage")
_QUOTA_RESOURCES = (
    "configmaps",
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
    "requests.storage",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
)
_STANDARD_RESOURCES = frozenset((*_CONTAINER_RESOURCES, *_QUOTA_RESOURCES, "storage"))

UPDATE_FORBIDDEN = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def pod(faults: Faults, obj: v1.Pod) -> None:
    pod_spec(faults, obj.spec, "spec")


def pod_template(faults: Faults, obj: v1.PodTemplate) -> None:
    template(faults, obj.template, "template")


def template(faults: Faults, obj: v1.PodTemplateSpec, path: str) -> None:
    """The template of a workload."""
    faults.labels(f"{path}.labels", obj.metadata.labels)
    meta.annotation_rules(faults, obj.metadata, f"{path}.annotations")
    pod_spec(faults, obj.spec, f"{path}.spec")
    if obj.spec.ephemeral_containers:
        faults.forbidden(f"{path}.spec.ephemeralContainers", "ephemeral containers not allowed in pod template")


def pod_spec(faults: Faults, spec: v1.PodSpec, path: str) -> None:
    """What a pod shall run."""
    known = volumes(faults, spec.volumes, f"{path}.volumes")
    seen: set[Any] = set()
    ports: set[Any] = set()
    if not spec.containers:
        faults.append(errors.required(f"{path}.containers"))
    for index, container in enumerate(spec.containers):
        _container(faults, container, f"{path}.containers[{index}]", known, seen, ports)
        if container.restart_policy and container.restart_policy not in ("Always", "OnFailure", "Never"):
            faults.one_of(
                f"{path}.containers[{index}].restartPolicy", container.restart_policy, ("Always", "OnFailure", "Never")
            )
    for index, container in enumerate(spec.init_containers):
        place = f"{path}.initContainers[{index}]"
        _container(faults, container, place, known, seen, ports)
        faults.one_of(
            f"{place}.restartPolicy", container.restart_policy, ("Always", "OnFailure", "Never"), optional=True
        )
        if container.restart_policy != "Always":
            for attribute, name in (
                ("lifecycle", "lifecycle"),
                ("liveness_probe", "livenessProbe"),
                ("readiness_probe", "readinessProbe"),
                ("startup_probe", "startupProbe"),
            ):
                if getattr(container, attribute) is not None:
                    faults.forbidden(
                        f"{place}.{name}", "may not be set for init containers without restartPolicy=Always"
                    )
    faults.one_of(f"{path}.restartPolicy", spec.restart_policy, ("Always", "OnFailure", "Never"))
    faults.one_of(f"{path}.dnsPolicy", spec.dns_policy, ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"))
    _dns(faults, spec, path)
    faults.labels(f"{path}.nodeSelector", spec.node_selector)
    if spec.termination_grace_period_seconds is not None:
        faults.natural(f"{path}.terminationGracePeriodSeconds", spec.termination_grace_period_seconds)
    if spec.active_deadline_seconds is not None:
        faults.between(f"{path}.activeDeadlineSeconds", spec.active_deadline_seconds, 1, 2**31 - 1)
    for member, value, grammar in (
        ("serviceAccountName", spec.service_account_name, names.dns1123_subdomain),
        ("nodeName", spec.node_name, names.dns1123_subdomain),
        ("hostname", spec.hostname, names.dns1123_label),
        ("subdomain", spec.subdomain, names.dns1123_label),
        ("priorityClassName", spec.priority_class_name, names.dns1123_subdomain),
        ("runtimeClassName", spec.runtime_class_name, names.dns1123_subdomain),
        ("schedulerName", spec.scheduler_name, names.qualified_name),
    ):
        if value:
            faults.grammar(f"{path}.{member}", value, grammar)
    faults.one_of(f"{path}.preemptionPolicy", spec.preemption_policy, ("PreemptLowerPriority", "Never"), optional=True)
    for index, reference in enumerate(spec.image_pull_secrets):
        faults.required(f"{path}.imagePullSecrets[{index}].name", reference.name)
    for index, alias in enumerate(spec.host_aliases):
        faults.grammar(f"{path}.hostAliases[{index}].ip", alias.ip, names.ip)
        for hostname in alias.hostnames:
            faults.grammar(f"{path}.hostAliases[{index}].hostnames", hostname, names.dns1123_subdomain)
    for index, gate in enumerate(spec.readiness_gates):
        faults.grammar(f"{path}.readinessGates[{index}].conditionType", gate.condition_type, names.qualified_name)
    gates: set[Any] = set()
    for index, scheduling in enumerate(spec.scheduling_gates):
        place = f"{path}.schedulingGates[{index}]"
        faults.grammar(place, scheduling.name, names.qualified_name)
        faults.unique(place, scheduling.name, gates)
    if spec.node_name and spec.scheduling_gates:
        faults.forbidden(f"{path}.nodeName", "cannot be set until all schedulingGates have been cleared")
    tolerations(faults, spec.tolerations, f"{path}.tolerations")
    if spec.affinity is not None:
        affinity(faults, spec.affinity, f"{path}.affinity")
    spread_constraints(faults, spec, f"{path}.topologySpreadConstraints")
    _security(faults, spec, path)
    if spec.os is not None:
        faults.one_of(f"{path}.os.name", spec.os.name, ("linux", "windows"))


def _dns(faults: Faults, spec: v1.PodSpec, path: str) -> None:
    config = spec.dns_config
    if spec.dns_policy == "None":
        if config is None:
            faults.append(errors.required(f"{path}.dnsConfig", "must provide `dnsConfig` when `dnsPolicy` is None"))
        elif not config.nameservers:
            faults.append(
                errors.required(
                    f"{path}.dnsConfig.nameservers",
                    "must provide at least one DNS nameserver when `dnsPolicy` is None",
                )
            )
    if config is None:
        return
    if len(config.nameservers) > 3:
        faults.invalid(f"{path}.dnsConfig.nameservers", config.nameservers, "must not have more than 3 nameservers")
    for index, server in enumerate(config.nameservers):
        faults.grammar(f"{path}.dnsConfig.nameservers[{index}]", server, names.ip)
    if len(config.searches) > 32:
        faults.invalid(f"{path}.dnsConfig.searches", config.searches, "must not have more than 32 search paths")
    for index, option in enumerate(config.options):
        faults.required(f"{path}.dnsConfig.options[{index}]", option.name, "must not be empty")


def _container(
    faults: Faults,
    container: v1.Container | v1.EphemeralContainer,
    path: str,
    known: dict[str, v1.Volume],
    seen: set[Any],
    host_ports: set[Any],
) -> None:
    if faults.required(f"{path}.name", container.name):
        faults.grammar(f"{path}.name", container.name, names.dns1123_label)
        faults.unique(f"{path}.name", container.name, seen)
    if container.image:
        if container.image != container.image.strip():
            faults.invalid(f"{path}.image", container.image, "must not have leading or trailing whitespace")
    else:
        faults.append(errors.required(f"{path}.image"))
    faults.one_of(f"{path}.imagePullPolicy", container.image_pull_policy, ("Always", "IfNotPresent", "Never"))
    faults.one_of(
        f"{path}.terminationMessagePolicy",
        container.termination_message_policy,
        ("File", "FallbackToLogsOnError"),
        optional=True,
    )
    _ports(faults, container.ports, f"{path}.ports", host_ports)
    _env(faults, container.env, f"{path}.env")
    for index, source in enumerate(container.env_from):
        _env_from(faults, source, f"{path}.envFrom[{index}]")
    mounts: set[Any] = set()
    for index, mount in enumerate(container.volume_mounts):
        place = f"{path}.volumeMounts[{index}]"
        if faults.required(f"{place}.name", mount.name) and mount.name not in known:
            faults.append(errors.not_found_value(f"{place}.name", mount.name))
        if faults.required(f"{place}.mountPath", mount.mount_path) and mount.mount_path in mounts:
            faults.invalid(f"{place}.mountPath", mount.mount_path, "must be unique")
        mounts.add(mount.mount_path)
        for member, value in (("subPath", mount.sub_path), ("subPathExpr", mount.sub_path_expr)):
            if value.startswith("/"):
                faults.invalid(f"{place}.{member}", value, "must be a relative path")
            if ".." in value.split("/"):
                faults.invalid(f"{place}.{member}", value, "must not contain '..'")
        if mount.sub_path and mount.sub_path_expr:
            faults.invalid(
                f"{place}.subPathExpr", mount.sub_path_expr, "subPathExpr and subPath are mutually exclusive"
            )
        faults.one_of(
            f"{place}.mountPropagation",
            mount.mount_propagation,
            ("Bidirectional", "HostToContainer", "None"),
            optional=True,
        )
    for name, probe in (
        ("livenessProbe", container.liveness_probe),
        ("readinessProbe", container.readiness_probe),
        ("startupProbe", container.startup_probe),
    ):
        if probe is not None:
            _probe(faults, probe, f"{path}.{name}")
            if name != "readinessProbe" and probe.success_threshold not in (None, 1):
                faults.invalid(f"{path}.{name}.successThreshold", probe.success_threshold, "must be 1")
    if container.lifecycle is not None:
        for name, handler in (
            ("postStart", container.lifecycle.post_start),
            ("preStop", container.lifecycle.pre_stop),
        ):
            if handler is not None:
                _handler(faults, handler, f"{path}.lifecycle.{name}")
    requirements(faults, container.resources, f"{path}.resources")
    security = container.security_context
    if security is not None:
        place = f"{path}.securityContext"
        for name, identity in (("runAsUser", security.run_as_user), ("runAsGroup", security.run_as_group)):
            faults.between(f"{place}.{name}", identity, 0, 2**31 - 1)
        if security.allow_privilege_escalation is False and security.privileged:
            faults.invalid(place, security, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true")
        if security.seccomp_profile is not None:
            _seccomp(faults, security.seccomp_profile, f"{place}.seccompProfile")


def _ports(faults: Faults, ports: list[v1.ContainerPort], path: str, host_ports: set[Any]) -> None:
    port_names: set[Any] = set()
    for index, port in enumerate(ports):
        place = f"{path}[{index}]"
        if port.name:
            faults.grammar(f"{place}.name", port.name, names.port_name)
            faults.unique(f"{place}.name", port.name, port_names)
        if port.container_port == 0:
            faults.append(errors.required(f"{place}.containerPort"))
        else:
            faults.port(f"{place}.containerPort", port.container_port)
        faults.one_of(f"{place}.protocol", port.protocol, ("TCP", "UDP", "SCTP"))
        if port.host_port:
            faults.port(f"{place}.hostPort", port.host_port)
            key = (port.protocol, port.host_ip, port.host_port)
            faults.unique(f"{place}.hostPort", key, host_ports, f"{port.protocol}/{port.host_ip}/{port.host_port}")


def _env(faults: Faults, variables: list[v1.EnvVar], path: str) -> None:
    for index, variable in enumerate(variables):
        place = f"{path}[{index}]"
        if faults.required(f"{place}.name", variable.name):
            faults.grammar(f"{place}.name", variable.name, names.env_name)
        source = variable.value_from
        if source is None:
            continue
        place = f"{place}.valueFrom"
        given = [
            value
            for value in (
                source.field_ref,
                source.resource_field_ref,
                source.config_map_key_ref,
                source.secret_key_ref,
                source.file_key_ref,
            )
            if value is not None
        ]
        if not given:
            faults.invalid(
                place,
                "",
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or "
                "`fileKeyRef`",
            )
        elif variable.value:
            faults.invalid(place, "", "may not be specified when `value` is not empty")
        elif len(given) > 1:
            faults.invalid(place, "", "may not have more than one field specified at a time")
        if source.field_ref is not None:
            _field_ref(faults, source.field_ref, f"{place}.fieldRef")
        if source.resource_field_ref is not None:
            resource = source.resource_field_ref.resource
            hugepages = ("limits.hugepages-", "requests.hugepages-")
            if faults.required(f"{place}.resourceFieldRef.resource", resource) and not resource.startswith(hugepages):
                faults.one_of(f"{place}.resourceFieldRef.resource", resource, _RESOURCE_FIELDS)
        for name, key_ref in (("configMapKeyRef", source.config_map_key_ref), ("secretKeyRef", source.secret_key_ref)):
            if key_ref is not None:
                faults.required(f"{place}.{name}.name", key_ref.name)
                faults.name(f"{place}.{name}.key", key_ref.key, names.config_map_key)


def _field_ref(faults: Faults, reference: v1.ObjectFieldSelector, path: str) -> None:
    field = reference.field_path
    faults.required(f"{path}.apiVersion", reference.api_version)
    if not faults.required(f"{path}.fieldPath", field):
        return
    for prefix in ("metadata.annotations", "metadata.labels"):
        if field.startswith(f"{prefix}['") and field.endswith("']"):
            faults.grammar(path, field[len(prefix) + 2 : -2], names.qualified_name)
            return
    faults.one_of(f"{path}.fieldPath", field, _DOWNWARD_FIELDS)


def _env_from(faults: Faults, source: v1.EnvFromSource, path: str) -> None:
    if source.prefix:
        faults.grammar(f"{path}.prefix", source.prefix, names.env_name)
    if source.config_map_ref is None and source.secret_ref is None:
        faults.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")
    elif source.config_map_ref is not None and source.secret_ref is not None:
        faults.invalid(path, "", "may not have more than one field specified at a time")
    for name, reference in (("configMapRef", source.config_map_ref), ("secretRef", source.secret_ref)):
        if reference is not None:
            faults.required(f"{path}.{name}.name", reference.name)


_HANDLERS = {"exec": "exec", "http_get": "httpGet", "tcp_socket": "tcpSocket"}


def _handler(faults: Faults, handler: Any, path: str, extra: dict[str, str] | None = None) -> None:
    members = {**_HANDLERS, **(extra if extra is not None else {"sleep": "sleep"})}
    chosen = faults.exactly_one(path, handler, members, "a handler type")
    if chosen == "exec":
        faults.required(f"{path}.exec.command", handler.exec.command)
    elif chosen == "http_get":
        action: v1.HTTPGetAction = handler.http_get
        faults.required(f"{path}.httpGet.path", action.path)
        faults.port(f"{path}.httpGet.port", action.port)
        faults.one_of(f"{path}.httpGet.scheme", action.scheme, ("HTTP", "HTTPS"))
        for index, header in enumerate(action.http_headers):
            faults.grammar(f"{path}.httpGet.httpHeaders[{index}].name", header.name, names.http_header_name)
    elif chosen == "tcp_socket":
        faults.port(f"{path}.tcpSocket.port", handler.tcp_socket.port)
    elif chosen == "grpc":
        faults.port(f"{path}.grpc.port", handler.grpc.port)


def _probe(faults: Faults, probe: v1.Probe, path: str) -> None:
    _handler(faults, probe, path, {"grpc": "grpc"})
    for name, value in (
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ):
        faults.natural(f"{path}.{name}", value)
    faults.positive(f"{path}.terminationGracePeriodSeconds", probe.termination_grace_period_seconds)


def resource_name(faults: Faults, name: str, path: str) -> None:
    """``cpu``, ``pods``, ``hugepages-2Mi``, ``example.com/gpu``."""
    before = len(faults)
    faults.grammar(path, name, names.qualified_name)
    unqualified = "/" not in name and name not in _STANDARD_RESOURCES and not name.startswith("hugepages-")
    if len(faults) == before and unqualified:
        faults.invalid(path, name, "must be a standard resource type or fully qualified")


def container_resource_name(faults: Faults, name: str, path: str) -> None:
    """A resource that a container can ask for."""
    before = len(faults)
    resource_name(faults, name, path)
    unqualified = "/" not in name and name not in _CONTAINER_RESOURCES and not name.startswith("hugepages-")
    if len(faults) == before and unqualified:
        faults.invalid(path, name, "must be a standard resource for containers")


def requirements(faults: Faults, resources: v1.ResourceRequirements, path: str) -> None:
    """Requests and limits of a container."""
    for name, limit in resources.limits.items():
        container_resource_name(faults, name, f"{path}.limits[{name}]")
        _amount(faults, name, limit, f"{path}.limits[{name}]")
    for name, request in resources.requests.items():
        place = f"{path}.requests[{name}]"
        container_resource_name(faults, name, place)
        _amount(faults, name, request, place)
        bound = resources.limits.get(name)
        if bound is not None and quantity.parse(request) > quantity.parse(bound):
            faults.invalid(f"{path}.requests", request, f"must be less than or equal to {name} limit of {bound}")
        elif bound is not None and not overcommittable(name) and quantity.parse(request) != quantity.parse(bound):
            faults.invalid(f"{path}.requests", request, f"must be equal to {name} limit of {bound}")


def overcommittable(name: str) -> bool:
    """Whether the limit of a resource may exceed its request."""
    return "/" not in name and not name.startswith("hugepages-")


def _amount(faults: Faults, name: str, amount: str, path: str) -> None:
    faults.amount(path, amount)
    if "/" in name and quantity.milli_value(amount) % 1000:
        faults.invalid(path, amount, "must be an integer")


def _security(faults: Faults, spec: v1.PodSpec, path: str) -> None:
    if spec.share_process_namespace and spec.host_pid:
        faults.invalid(
            f"{path}.shareProcessNamespace", True, "ShareProcessNamespace and HostPID cannot both be enabled"
        )
    context = spec.security_context
    if context is None:
        return
    place = f"{path}.securityContext"
    for name, value in (
        ("runAsUser", context.run_as_user),
        ("runAsGroup", context.run_as_group),
        ("fsGroup", context.fs_group),
    ):
        faults.between(f"{place}.{name}", value, 0, 2**31 - 1)
    for index, group in enumerate(context.supplemental_groups):
        faults.between(f"{place}.supplementalGroups[{index}]", group, 0, 2**31 - 1)
    faults.one_of(
        f"{place}.fsGroupChangePolicy", context.fs_group_change_policy, ("Always", "OnRootMismatch"), optional=True
    )
    if context.seccomp_profile is not None:
        _seccomp(faults, context.seccomp_profile, f"{place}.seccompProfile")
    seen: set[Any] = set()
    for index, sysctl in enumerate(context.sysctls):
        if faults.required(f"{place}.sysctls[{index}].name", sysctl.name):
            faults.unique(f"{place}.sysctls[{index}].name", sysctl.name, seen)


def _seccomp(faults: Faults, profile: v1.SeccompProfile, path: str) -> None:
    faults.one_of(f"{path}.type", profile.type, ("Localhost", "RuntimeDefault", "Unconfined"))
    if profile.type == "Localhost":
        faults.required(
            f"{path}.localhostProfile", profile.localhost_profile, "must be set when seccomp type is Localhost"
        )
    elif profile.localhost_profile:
        faults.invalid(
            f"{path}.localhostProfile", profile.localhost_profile, "can only be set when seccomp type is Localhost"
        )


def pod_update(faults: Faults, new: v1.Pod, old: v1.Pod) -> None:
    """The few members of a running pod's spec that may change."""
    if len(new.spec.containers) != len(old.spec.containers) or len(new.spec.init_containers) != len(
        old.spec.init_containers
    ):
        faults.forbidden("spec", "pod updates may not add or remove containers")
        return
    changed, kept = codecs.copy(new.spec), old.spec
    for mine, theirs in zip(
        (*changed.containers, *changed.init_containers), (*kept.containers, *kept.init_containers), strict=True
    ):
        mine.image = theirs.image
    deadline = changed.active_deadline_seconds
    if kept.active_deadline_seconds is not None and (deadline is None or deadline > kept.active_deadline_seconds):
        if deadline is None:
            faults.invalid("spec.activeDeadlineSeconds", None, "must not update from a positive integer to nil value")
        else:
            faults.invalid(
                "spec.activeDeadlineSeconds",
                deadline,
                "must be less than or equal to previous value",
            )
    changed.active_deadline_seconds = kept.active_deadline_seconds
    if (kept.termination_grace_period_seconds or 0) < 0 and changed.termination_grace_period_seconds == 1:
        changed.termination_grace_period_seconds = kept.termination_grace_period_seconds
    wanted = {_tolerated(toleration) for toleration in changed.tolerations}
    if not all(_tolerated(toleration) in wanted for toleration in kept.tolerations):
        faults.forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")
    changed.tolerations = kept.tolerations
    _ungate(faults, changed, kept)
    if changed != kept:
        faults.forbidden("spec", UPDATE_FORBIDDEN)


def _tolerated(toleration: v1.Toleration) -> tuple[str, str, str, str]:
    """What a toleration is about, whatever its time."""
    return toleration.key, toleration.operator, toleration.value, toleration.effect


def _ungate(faults: Faults, changed: v1.PodSpec, kept: v1.PodSpec) -> None:
    """Gates may be removed, and while there are any, the pod may be directed to fewer nodes."""
    before = {gate.name for gate in kept.scheduling_gates}
    added = [gate.name for gate in changed.scheduling_gates if gate.name not in before]
    if added:
        faults.forbidden(
            "spec.schedulingGates", f"only deletion is allowed, but found new scheduling gate '{added[0]}'"
        )
    changed.scheduling_gates = kept.scheduling_gates
    if kept.scheduling_gates and kept.node_selector.items() <= changed.node_selector.items():
        changed.node_selector = kept.node_selector


def pod_status_update(faults: Faults, new: v1.Pod, old: v1.Pod) -> None:
    """The status may not undo what is final."""
    if new.spec.node_name != old.spec.node_name:
        faults.forbidden("status.nodeName", "may not be changed directly")
    if new.status.nominated_node_name:
        faults.grammar("status.nominatedNodeName", new.status.nominated_node_name, names.dns1123_subdomain)


def pod_resize_update(faults: Faults, new: v1.Pod, old: v1.Pod) -> None:
    """New resources of the containers are as good as those of a new pod."""
    for member, containers in (("containers", new.spec.containers), ("initContainers", new.spec.init_containers)):
        for index, container in enumerate(containers):
            requirements(faults, container.resources, f"spec.{member}[{index}].resources")


_NOT_EPHEMERAL = {
    "ports": "ports",
    "liveness_probe": "livenessProbe",
    "readiness_probe": "readinessProbe",
    "startup_probe": "startupProbe",
    "lifecycle": "lifecycle",
    "resize_policy": "resizePolicy",
    "restart_policy": "restartPolicy",
}
NOT_EPHEMERAL = "cannot be set for an Ephemeral Container"


def ephemeral_containers_update(faults: Faults, new: v1.Pod, old: v1.Pod) -> None:
    """Ephemeral containers are only ever added."""
    path = "spec.ephemeralContainers"
    known = {volume.name: volume for volume in new.spec.volumes}
    regular = {container.name for container in (*new.spec.containers, *new.spec.init_containers)}
    seen: set[Any] = set(regular)
    for index, container in enumerate(new.spec.ephemeral_containers):
        place = f"{path}[{index}]"
        _container(faults, container, place, known, seen, set())
        if container.target_container_name and container.target_container_name not in regular:
            faults.append(errors.not_found_value(f"{place}.targetContainerName", container.target_container_name))
        for attribute, name in _NOT_EPHEMERAL.items():
            if getattr(container, attribute):
                faults.forbidden(f"{place}.{name}", NOT_EPHEMERAL)
        if container.resources.limits or container.resources.requests:
            faults.forbidden(f"{place}.resources", NOT_EPHEMERAL)
        for number, mount in enumerate(container.volume_mounts):
            for member, value in (("subPath", mount.sub_path), ("subPathExpr", mount.sub_path_expr)):
                if value:
                    faults.forbidden(f"{place}.volumeMounts[{number}].{member}", NOT_EPHEMERAL)
    given = {container.name: container for container in new.spec.ephemeral_containers}
    for container in old.spec.ephemeral_containers:
        if container.name not in given:
            faults.forbidden(path, f'existing ephemeral containers "{container.name}" may not be removed')
        elif given[container.name] != container:
            faults.forbidden(path, f'existing ephemeral containers "{container.name}" may not be changed')

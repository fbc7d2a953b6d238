"""What may change of a pod: by an update, in its status, by ``/resize`` and ``/ephemeralcontainers``."""

from __future__ import annotations

from collections.abc import Sequence

from steersman.api import codecs, differences
from steersman.api.labels import APP_ARMOR_CONTAINER_PREFIX, MIRROR_POD
from steersman.api.pods import is_sidecar, qos_class
from steersman.api.types import core_v1 as v1

from . import addresses, names
from .containers import Surroundings, ephemeral_containers
from .faults import Faults
from .placement import HARD
from .resources import pod_requirements, requirements
from .volumes import volumes

UPDATE_FORBIDDEN = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_MAX_SECONDS = 2**31 - 1


def _annotations(faults: Faults, new: v1.Pod, old: v1.Pod) -> None:
    """Annotations that say what the pod is cannot be exchanged."""
    after, before = new.metadata.annotations, old.metadata.annotations
    if after == before:
        return
    for key in {**before, **after}:
        if after.get(key) == before.get(key):
            continue
        done = "add" if key not in before else "remove or update"
        if key.startswith(APP_ARMOR_CONTAINER_PREFIX):
            faults.forbidden(f"metadata.annotations[{key}]", f"may not {done} AppArmor annotations")
        if key == MIRROR_POD:
            faults.forbidden(f"metadata.annotations[{key}]", f"may not {done} mirror pod annotation")


# -- the pod itself --------------------------------------------------------------------------------------------------


def pod_update(faults: Faults, new: v1.Pod, old: v1.Pod) -> None:
    """The few members of a running pod's spec that may change; of a gated one, also where it may go."""
    _annotations(faults, new, old)
    if new.spec == old.spec:
        return
    for member, mine, theirs in (
        ("containers", new.spec.containers, old.spec.containers),
        ("initContainers", new.spec.init_containers, old.spec.init_containers),
    ):
        if len(mine) != len(theirs):
            faults.forbidden(f"spec.{member}", "pod updates may not add or remove containers")
            return
    if not _deadline(faults, new.spec.active_deadline_seconds, old.spec.active_deadline_seconds):
        return
    _added_tolerations(faults, new.spec.tolerations, old.spec.tolerations)
    _removed_gates(faults, new.spec, old.spec)
    changed, kept = codecs.copy(new.spec), old.spec
    for after, before in zip(
        (*changed.containers, *changed.init_containers), (*kept.containers, *kept.init_containers), strict=True
    ):
        after.image = before.image
    changed.active_deadline_seconds = kept.active_deadline_seconds
    changed.scheduling_gates = kept.scheduling_gates
    changed.tolerations = kept.tolerations
    if (kept.termination_grace_period_seconds or 0) < 0 and changed.termination_grace_period_seconds == 1:
        changed.termination_grace_period_seconds = kept.termination_grace_period_seconds
    if kept.scheduling_gates:
        _directed(faults, changed, kept)
    if changed != kept:
        faults.forbidden("spec", f"{UPDATE_FORBIDDEN}\n{differences.between(kept, changed)}")


def _deadline(faults: Faults, new: int | None, old: int | None) -> bool:
    """A deadline may be set and shortened; says whether it makes sense to go on."""
    path = "spec.activeDeadlineSeconds"
    if new is None:
        if old is not None:
            faults.invalid(path, None, "must not update from a positive integer to nil value")
        return True
    if not 0 <= new <= _MAX_SECONDS:
        faults.between(path, new, 0, _MAX_SECONDS)
        return False
    if old is not None and old < new:
        faults.invalid(path, new, "must be less than or equal to previous value")
        return False
    return True


def _about(toleration: v1.Toleration) -> tuple[str, str, str, str]:
    """What a toleration is about, whatever its time."""
    return toleration.key, toleration.operator, toleration.value, toleration.effect


def _added_tolerations(faults: Faults, new: list[v1.Toleration], old: list[v1.Toleration]) -> None:
    wanted = {_about(toleration) for toleration in new}
    if any(_about(toleration) not in wanted for toleration in old):
        faults.forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")


def _removed_gates(faults: Faults, new: v1.PodSpec, old: v1.PodSpec) -> None:
    before = {gate.name for gate in old.scheduling_gates}
    for index, gate in enumerate(new.scheduling_gates):
        if gate.name not in before:
            detail = f"only deletion is allowed, but found new scheduling gate '{gate.name}'"
            faults.forbidden(f"spec.schedulingGates[{index}].name", detail)


def _directed(faults: Faults, changed: v1.PodSpec, kept: v1.PodSpec) -> None:
    """While a pod is gated it may be directed to fewer nodes (KEP-3838); takes back what is allowed or told of."""
    if not kept.node_selector.items() <= changed.node_selector.items():
        detail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        faults.invalid("spec.nodeSelector", changed.node_selector, detail)
    changed.node_selector = kept.node_selector
    before = kept.affinity.node_affinity if kept.affinity is not None else None
    after = changed.affinity.node_affinity if changed.affinity is not None else None
    if before == after:
        return
    _narrowed(faults, after, before)
    if changed.affinity is None:
        changed.affinity = v1.Affinity(node_affinity=before)
    elif kept.affinity is None and changed.affinity == v1.Affinity(node_affinity=after):
        changed.affinity = None
    else:
        changed.affinity.node_affinity = before


def _narrowed(faults: Faults, new: v1.NodeAffinity | None, old: v1.NodeAffinity | None) -> None:
    required = old.required_during_scheduling_ignored_during_execution if old is not None else None
    if required is None or not required.node_selector_terms:
        return
    wanted = new.required_during_scheduling_ignored_during_execution if new is not None else None
    terms = wanted.node_selector_terms if wanted is not None else []
    path = f"spec.affinity.nodeAffinity.{HARD}.nodeSelectorTerms"
    if len(terms) != len(required.node_selector_terms):
        faults.invalid(path, terms, "no additions/deletions to non-empty NodeSelectorTerms list are allowed")
        return
    for index, (mine, theirs) in enumerate(zip(terms, required.node_selector_terms, strict=True)):
        if not _grown(mine, theirs):
            faults.invalid(f"{path}[{index}]", mine, "only additions are allowed (no mutations or deletions)")


def _grown(new: v1.NodeSelectorTerm, old: v1.NodeSelectorTerm) -> bool:
    """Whether a term has what it had, and perhaps more; an empty one matches nothing and must stay so."""
    if not old.match_expressions and not old.match_fields:
        return not new.match_expressions and not new.match_fields
    return (
        new.match_expressions[: len(old.match_expressions)] == old.match_expressions
        and new.match_fields[: len(old.match_fields)] == old.match_fields
    )


# -- its status ------------------------------------------------------------------------------------------------------

_STATUSES = {
    "container_statuses": "containerStatuses",
    "init_container_statuses": "initContainerStatuses",
    "ephemeral_container_statuses": "ephemeralContainerStatuses",
}
_OBSERVED = "must be a non-negative integer"
_KUBELETS_CONDITIONS = ("PodScheduled", "Ready", "Initialized")


def pod_status_update(faults: Faults, new: v1.Pod, old: v1.Pod) -> None:
    """The status may not undo what is final."""
    _annotations(faults, new, old)
    status, before = new.status, old.status
    for index, condition in enumerate(status.conditions):
        if (condition.observed_generation or 0) < 0:
            path = f"status.conditions[{index}].observedGeneration"
            faults.invalid(path, condition.observed_generation, _OBSERVED)
        if condition.type not in _KUBELETS_CONDITIONS:
            faults.grammar(f"status.conditions[{index}].Type", condition.type, names.qualified_name)
    if new.spec.node_name != old.spec.node_name:
        faults.forbidden("status.nodeName", "may not be changed directly")
    if status.nominated_node_name and status.nominated_node_name != before.nominated_node_name:
        faults.grammar("status.nominatedNodeName", status.nominated_node_name, names.dns1123_subdomain)
        if old.spec.node_name:
            detail = "may not be set on pods that are already bound to a node"
            faults.forbidden("status.nominatedNodeName", detail)
    if (status.observed_generation or 0) < 0:
        faults.invalid("status.observedGeneration", status.observed_generation, _OBSERVED)
    faults.immutable("status.qosClass", status.qos_class, before.qos_class)
    _transitions(faults, new, old)
    _claim_statuses(faults, new)
    _addresses(faults, [each.ip for each in status.pod_ips], {each.ip for each in before.pod_ips}, "podIPs")
    if status.host_ips and status.host_ip != status.host_ips[0].ip:
        faults.invalid("status.hostIPs[0].ip", status.host_ips[0].ip, "must be equal to `hostIP`")
    _addresses(faults, [each.ip for each in status.host_ips], {each.ip for each in before.host_ips}, "hostIPs")
    for attribute, name in _STATUSES.items():
        for index, container in enumerate(getattr(status, attribute)):
            if container.user is not None:
                _user(faults, container.user, f"status.{name}[{index}].user.linux", new.spec.os)


def _transitions(faults: Faults, new: v1.Pod, old: v1.Pod) -> None:
    """A container that has ended for good does not run again."""
    sorts: dict[str, Sequence[v1.Container]] = {
        "container_statuses": old.spec.containers,
        "init_container_statuses": old.spec.init_containers,
        "ephemeral_container_statuses": (),
    }
    for attribute, declared in sorts.items():
        if not (present := getattr(old.status, attribute)):
            continue
        containers = {container.name: container for container in declared}
        after = {each.name: each for each in getattr(new.status, attribute)}
        for index, before in enumerate(present):
            ended = before.state.terminated
            now = after.get(before.name)
            if ended is None or now is None or now.state.terminated is not None:
                continue
            container = containers.get(before.name)
            if container is None or not restarts(container, old.spec, ended.exit_code):
                detail = "may not be transitioned to non-terminated state"
                faults.forbidden(f"status.{_STATUSES[attribute]}[{index}].state", detail)


def restarts(container: v1.Container, spec: v1.PodSpec, exit_code: int) -> bool:
    """Whether a container runs again after it ended: its rules, its own policy, the pod's (KEP-5307)."""
    for rule in container.restart_policy_rules:
        codes = rule.exit_codes
        if codes is not None and (exit_code in codes.values) == (codes.operator == "In"):
            return rule.action == "Restart"
    match container.restart_policy or spec.restart_policy:
        case "Never":
            return False
        case "OnFailure":
            return exit_code != 0
        case _:
            return True


def _claim_statuses(faults: Faults, obj: v1.Pod) -> None:
    known = {claim.name for claim in obj.spec.resource_claims}
    seen: set[str] = set()
    for index, status in enumerate(obj.status.resource_claim_statuses):
        place = f"status.resourceClaimStatuses[{index}]"
        if status.name not in known:
            faults.invalid(f"{place}.name", status.name, "must match the name of an entry in `spec.resourceClaims`")
        faults.unique(f"{place}.name", status.name, seen)
        if status.resource_claim_name:
            faults.grammar(f"{place}.resourceClaimName", status.resource_claim_name, names.dns1123_subdomain)


def _addresses(faults: Faults, values: list[str], known: set[str], name: str) -> None:
    """At most one address of each family; what was there may stay as it is."""
    wrong = False
    for index, value in enumerate(values):
        if value in known:
            continue
        for fault in addresses.address(value):
            wrong = True
            faults.invalid(f"status.{name}[{index}]", value, fault)
    if len(values) < 2 or wrong:
        return
    parsed = [addresses.parse_address(value) for value in values]
    if len(values) > 2 or len({each.version for each in parsed if each is not None}) != 2:
        shown = [{"ip": value} for value in values]
        faults.invalid(f"status.{name}", shown, "may specify no more than one IP for each IP family")


def _user(faults: Faults, user: v1.ContainerUser, path: str, os: v1.PodOS | None) -> None:
    if user.linux is None:
        return
    if os is not None and os.name == "windows":
        faults.forbidden(path, "cannot be set for a windows pod")
        return
    faults.between(f"{path}.uid", user.linux.uid, 0, _MAX_SECONDS)
    faults.between(f"{path}.gid", user.linux.gid, 0, _MAX_SECONDS)
    for index, group in enumerate(user.linux.supplemental_groups):
        faults.between(f"{path}.supplementalGroups[{index}]", group, 0, _MAX_SECONDS)


# -- /resize ---------------------------------------------------------------------------------------------------------

_RESIZABLE = ("cpu", "memory")
_ONLY_RESIZABLE = "only cpu and memory resources are mutable"


def pod_resize_update(faults: Faults, new: v1.Pod, old: v1.Pod) -> None:
    """New amounts of cpu and memory (KEP-1287); they are as good as those of a new pod."""
    claims = {claim.name for claim in new.spec.resource_claims}
    for member, containers in (("containers", new.spec.containers), ("initContainers", new.spec.init_containers)):
        for index, container in enumerate(containers):
            requirements(faults, container.resources, f"spec.{member}[{index}].resources", claims)
    pod_requirements(faults, new.spec, "spec.resources")
    if MIRROR_POD in old.metadata.annotations:
        faults.forbidden("", "static pods cannot be resized")
        return
    if old.spec.os is not None and old.spec.os.name == "windows":
        faults.forbidden("", "windows pods cannot be resized")
        return
    if qos_class(old.spec) != qos_class(new.spec):
        faults.invalid("spec", new.status.qos_class, "Pod QOS Class may not change as a result of resizing")
    running = next((each for each in old.status.container_statuses if each.state.running is not None), None)
    if running is not None and running.resources is None:
        faults.forbidden("spec", "Pod running on node without support for resize")
    if _pod_level(old.spec) or _pod_level(new.spec):
        detail = (
            "resize of pods with pod-level resources is forbidden when InPlacePodLevelResourcesVerticalScalingEnabled "
            "feature gate is disabled"
        )
        faults.forbidden("", detail)
        return
    before = len(faults)
    _same_containers(faults, "containers", new.spec.containers, old.spec.containers)
    _same_containers(faults, "initContainers", new.spec.init_containers, old.spec.init_containers)
    if len(faults) > before:
        return
    _resized(faults, new.spec, old.spec)


def _pod_level(spec: v1.PodSpec) -> bool:
    return spec.resources is not None and bool(spec.resources.requests or spec.resources.limits)


def _same_containers(faults: Faults, member: str, new: list[v1.Container], old: list[v1.Container]) -> None:
    if len(new) != len(old):
        faults.forbidden(f"spec.{member}", f"{member} may not be added or removed on resize")
        return
    for index, (mine, theirs) in enumerate(zip(new, old, strict=True)):
        if mine.name != theirs.name:
            faults.forbidden(f"spec.{member}[{index}].name", f"{member} may not be renamed or reordered on resize")


def _resized(faults: Faults, new: v1.PodSpec, old: v1.PodSpec) -> None:
    for member, mine, theirs in (
        ("initContainers", new.init_containers, old.init_containers),
        ("containers", new.containers, old.containers),
    ):
        for index, (wanted, present) in enumerate(zip(mine, theirs, strict=True)):
            place = f"spec.{member}[{index}]"
            if member == "initContainers" and not is_sidecar(present):
                if wanted != present:
                    faults.forbidden("spec", "resources for non-sidecar init containers are immutable")
                continue
            for part in ("requests", "limits"):
                if getattr(present.resources, part).keys() - getattr(wanted.resources, part).keys():
                    faults.forbidden(f"{place}.resources.{part}", f"resource {part} cannot be removed")
            if _without_resizable(wanted) != _without_resizable(present):
                sidecars = "only cpu and memory resources for sidecar containers are mutable"
                faults.forbidden("spec", _ONLY_RESIZABLE if member == "containers" else sidecars)


def _without_resizable(container: v1.Container) -> v1.Container:
    rest = codecs.copy(container)
    for amounts in (rest.resources.requests, rest.resources.limits):
        for name in _RESIZABLE:
            amounts.pop(name, None)
    return rest


# -- /ephemeralcontainers --------------------------------------------------------------------------------------------


def ephemeral_containers_update(faults: Faults, new: v1.Pod, old: v1.Pod) -> None:
    """Ephemeral containers are only ever added."""
    if MIRROR_POD in old.metadata.annotations:
        faults.forbidden("", "static pods do not support ephemeral containers")
        return
    spec = new.spec
    claims = frozenset(claim.name for claim in spec.resource_claims)
    ephemeral_containers(faults, Surroundings(spec, volumes(Faults(), spec.volumes, "spec.volumes"), claims), "spec")
    _annotations(faults, new, old)
    given = {container.name: container for container in spec.ephemeral_containers}
    for container in old.spec.ephemeral_containers:
        kept = given.get(container.name)
        if kept is None:
            detail = f'existing ephemeral containers "{container.name}" may not be removed\n'
            faults.forbidden("spec.ephemeralContainers", detail)
        elif kept != container:
            diff = differences.between(container, kept)
            detail = f'existing ephemeral containers "{container.name}" may not be changed\n{diff}'
            faults.forbidden("spec.ephemeralContainers", detail)

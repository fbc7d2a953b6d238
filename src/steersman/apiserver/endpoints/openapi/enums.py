"""The values of fields that have few, which version 3 tells and ``kubectl explain`` shows.

The published schema leaves them out: they are the types that upstream marks as enumerations.
"""

from __future__ import annotations

_PROTOCOL = "SCTP TCP UDP"
_ACCESS_MODE = "ReadOnlyMany ReadWriteMany ReadWriteOnce ReadWriteOncePod"
_VOLUME_MODE = "Block Filesystem"
_RECLAIM = "Delete Recycle Retain"
_PREEMPTION = "Never PreemptLowerPriority"
_PROFILE = "Localhost RuntimeDefault Unconfined"
_EFFECT = "NoExecute NoSchedule PreferNoSchedule"
_TRAFFIC = "Cluster Local"
_HONOR = "Honor Ignore"
_SCOPE = (
    "BestEffort CrossNamespacePodAffinity NotBestEffort NotTerminating PriorityClass Terminating VolumeAttributesClass"
)
_CONTAINER = {
    "imagePullPolicy": "Always IfNotPresent Never",
    "terminationMessagePolicy": "FallbackToLogsOnError File",
}
_WEBHOOK = {
    "failurePolicy": "Fail Ignore",
    "matchPolicy": "Equivalent Exact",
    "sideEffects": "None NoneOnDryRun Some Unknown",
}
_ANY = "* CONNECT CREATE DELETE UPDATE"

_FIELDS: dict[str, dict[str, str]] = {
    "core.v1.AppArmorProfile": {"type": _PROFILE},
    "core.v1.AzureDiskVolumeSource": {"cachingMode": "None ReadOnly ReadWrite", "kind": "Dedicated Managed Shared"},
    "core.v1.Container": _CONTAINER,
    "core.v1.ContainerPort": {"protocol": _PROTOCOL},
    "core.v1.EndpointPort": {"protocol": _PROTOCOL},
    "core.v1.EphemeralContainer": _CONTAINER,
    "core.v1.HTTPGetAction": {"scheme": "HTTP HTTPS"},
    "core.v1.ModifyVolumeStatus": {"status": "InProgress Infeasible Pending"},
    "core.v1.NamespaceStatus": {"phase": "Active Terminating"},
    "core.v1.NodeSelectorRequirement": {"operator": "DoesNotExist Exists Gt In Lt NotIn"},
    "core.v1.NodeStatus": {"phase": "Pending Running Terminated"},
    "core.v1.PersistentVolumeClaimSpec": {"accessModes": _ACCESS_MODE, "volumeMode": _VOLUME_MODE},
    "core.v1.PersistentVolumeClaimStatus": {"accessModes": _ACCESS_MODE, "phase": "Bound Lost Pending"},
    "core.v1.PersistentVolumeSpec": {
        "accessModes": _ACCESS_MODE,
        "persistentVolumeReclaimPolicy": _RECLAIM,
        "volumeMode": _VOLUME_MODE,
    },
    "core.v1.PersistentVolumeStatus": {"phase": "Available Bound Failed Pending Released"},
    "core.v1.PodSecurityContext": {
        "fsGroupChangePolicy": "Always OnRootMismatch",
        "supplementalGroupsPolicy": "Merge Strict",
    },
    "core.v1.PodSpec": {
        "dnsPolicy": "ClusterFirst ClusterFirstWithHostNet Default None",
        "preemptionPolicy": _PREEMPTION,
        "restartPolicy": "Always Never OnFailure",
    },
    "core.v1.PodStatus": {
        "phase": "Failed Pending Running Succeeded Unknown",
        "qosClass": "BestEffort Burstable Guaranteed",
    },
    "core.v1.PortStatus": {"protocol": _PROTOCOL},
    "core.v1.ResourceQuotaSpec": {"scopes": _SCOPE},
    "core.v1.ScopedResourceSelectorRequirement": {"operator": "DoesNotExist Exists In NotIn", "scopeName": _SCOPE},
    "core.v1.SeccompProfile": {"type": _PROFILE},
    "core.v1.SecurityContext": {"procMount": "Default Unmasked"},
    "core.v1.ServicePort": {"protocol": _PROTOCOL},
    "core.v1.ServiceSpec": {
        "externalTrafficPolicy": _TRAFFIC,
        "internalTrafficPolicy": _TRAFFIC,
        "ipFamilyPolicy": "PreferDualStack RequireDualStack SingleStack",
        "sessionAffinity": "ClientIP None",
        "type": "ClusterIP ExternalName LoadBalancer NodePort",
    },
    "core.v1.Taint": {"effect": _EFFECT},
    "core.v1.Toleration": {"effect": _EFFECT, "operator": "Equal Exists Gt Lt"},
    "core.v1.TopologySpreadConstraint": {
        "nodeAffinityPolicy": _HONOR,
        "nodeTaintsPolicy": _HONOR,
        "whenUnsatisfiable": "DoNotSchedule ScheduleAnyway",
    },
    "core.v1.VolumeMount": {"mountPropagation": "Bidirectional HostToContainer None"},
    "apps.v1.DaemonSetUpdateStrategy": {"type": "OnDelete RollingUpdate"},
    "apps.v1.DeploymentStrategy": {"type": "Recreate RollingUpdate"},
    "apps.v1.StatefulSetSpec": {"podManagementPolicy": "OrderedReady Parallel"},
    "apps.v1.StatefulSetUpdateStrategy": {"type": "OnDelete RollingUpdate"},
    "batch.v1.CronJobSpec": {"concurrencyPolicy": "Allow Forbid Replace"},
    "batch.v1.JobSpec": {"completionMode": "Indexed NonIndexed", "podReplacementPolicy": "Failed TerminatingOrFailed"},
    "batch.v1.PodFailurePolicyOnExitCodesRequirement": {"operator": "In NotIn"},
    "batch.v1.PodFailurePolicyRule": {"action": "Count FailIndex FailJob Ignore"},
    "discovery.v1.EndpointPort": {"protocol": _PROTOCOL},
    "discovery.v1.EndpointSlice": {"addressType": "FQDN IPv4 IPv6"},
    "networking.v1.HTTPIngressPath": {"pathType": "Exact ImplementationSpecific Prefix"},
    "networking.v1.IngressPortStatus": {"protocol": _PROTOCOL},
    "networking.v1.NetworkPolicyPort": {"protocol": _PROTOCOL},
    "networking.v1.NetworkPolicySpec": {"policyTypes": "Egress Ingress"},
    "policy.v1.PodDisruptionBudgetSpec": {"unhealthyPodEvictionPolicy": "AlwaysAllow IfHealthyBudget"},
    "scheduling.v1.PriorityClass": {"preemptionPolicy": _PREEMPTION},
    "storage.v1.StorageClass": {"reclaimPolicy": _RECLAIM, "volumeBindingMode": "Immediate WaitForFirstConsumer"},
    "admissionregistration.v1.MatchResources": {"matchPolicy": "Equivalent Exact"},
    "admissionregistration.v1.MutatingWebhook": {**_WEBHOOK, "reinvocationPolicy": "IfNeeded Never"},
    "admissionregistration.v1.NamedRuleWithOperations": {"operations": _ANY},
    "admissionregistration.v1.ParamRef": {"parameterNotFoundAction": "Allow Deny"},
    "admissionregistration.v1.RuleWithOperations": {"operations": _ANY},
    "admissionregistration.v1.ValidatingAdmissionPolicySpec": {"failurePolicy": "Fail Ignore"},
    "admissionregistration.v1.ValidatingWebhook": _WEBHOOK,
}

# Besides words, the empty one.
_EMPTY: dict[tuple[str, str], str] = {
    ("core.v1.HostPathVolumeSource", "type"): (
        "BlockDevice CharDevice Directory DirectoryOrCreate File FileOrCreate Socket"
    ),
    ("core.v1.ServiceSpec", "ipFamilies"): "IPv4 IPv6",
}

PREFIX = "io.k8s.api."

ENUMS: dict[tuple[str, str], list[str]] = {
    **{
        (PREFIX + definition, member): values.split()
        for definition, members in _FIELDS.items()
        for member, values in members.items()
    },
    **{(PREFIX + definition, member): ["", *values.split()] for (definition, member), values in _EMPTY.items()},
}
"""By definition and member; of a list, what its items may be."""

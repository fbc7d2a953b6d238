"""The order in which plugins are asked: upstream's, whoever adds them when.

ResourceQuota MUST come last of those that count: what it has counted may not be refused afterwards.
"""

from __future__ import annotations

ORDER = (
    "NamespaceLifecycle",
    "LimitRanger",
    "ServiceAccount",
    "NodeRestriction",
    "TaintNodesByCondition",
    "PodSecurity",
    "Priority",
    "DefaultTolerationSeconds",
    "DefaultStorageClass",
    "StorageObjectInUseProtection",
    "RuntimeClass",
    "CertificateApproval",
    "CertificateSigning",
    "ClusterTrustBundleAttest",
    "CertificateSubjectRestriction",
    "DefaultIngressClass",
    "PersistentVolumeClaimResize",
    "PodTopologyLabels",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionWebhook",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionWebhook",
    "ResourceQuota",
)
_RANKS = {name: rank for rank, name in enumerate(ORDER)}


def rank(name: str) -> int:
    """A plugin's place; one that upstream does not have comes after all others."""
    return _RANKS.get(name, len(ORDER))

"""The plugins that are on by default; :mod:`.order` says when each is asked.

What people configure (:mod:`steersman.apiserver.extensions.plugins`) is added to them.  Absent still: PodSecurity,
ResourceQuota, StorageObjectInUseProtection (it needs the controllers that take its finalizers away).
"""

from __future__ import annotations

from .certificates import (
    CertificateApproval,
    CertificateSigning,
    CertificateSubjectRestriction,
    ClusterTrustBundleAttest,
)
from .claims import PersistentVolumeClaimResize
from .default_classes import DefaultIngressClass, DefaultStorageClass
from .limits import LimitRanger
from .namespaces import NamespaceLifecycle
from .nodes import NodeRestriction, TaintNodesByCondition
from .plugin import Plugin
from .priority import Priority
from .runtime_class import RuntimeClassAdmission
from .service_accounts import ServiceAccountAdmission
from .tolerations import DefaultTolerationSeconds
from .topology_labels import PodTopologyLabels


def default_plugins() -> list[Plugin]:
    """A new instance of each."""
    return [
        NamespaceLifecycle(),
        LimitRanger(),
        ServiceAccountAdmission(),
        NodeRestriction(),
        TaintNodesByCondition(),
        Priority(),
        DefaultTolerationSeconds(),
        DefaultStorageClass(),
        RuntimeClassAdmission(),
        CertificateApproval(),
        CertificateSigning(),
        ClusterTrustBundleAttest(),
        CertificateSubjectRestriction(),
        DefaultIngressClass(),
        PersistentVolumeClaimResize(),
        PodTopologyLabels(),
    ]

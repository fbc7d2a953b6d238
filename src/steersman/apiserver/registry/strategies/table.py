"""Which strategy each kind has; kinds that are not named have nothing particular."""

from __future__ import annotations

from steersman.apiserver.registry.strategy import Strategy

from .apps import (
    DeploymentStrategy,
    JobStrategy,
    ReplicationControllerStrategy,
    ScalableStrategy,
    WorkloadStrategy,
)
from .certificates import CertificateSigningRequestStrategy
from .core import (
    EndpointsStrategy,
    EventStrategy,
    LimitRangeStrategy,
    NodeStrategy,
    PersistentVolumeClaimStrategy,
    PersistentVolumeStrategy,
    PodTemplateStrategy,
    SecretStrategy,
)
from .namespaces import NamespaceStrategy
from .pods import PodStrategy
from .service_accounts import ServiceAccountStrategy
from .services import ServiceStrategy
from .simple import (
    ConditionalCountingStrategy,
    ConditionalStrategy,
    CountingStrategy,
    LeaseStrategy,
    RoleStrategy,
)

_RBAC = "rbac.authorization.k8s.io"

TABLE: dict[str, type[Strategy]] = {
    "endpoints": EndpointsStrategy,
    "events": EventStrategy,
    "limitranges": LimitRangeStrategy,
    "namespaces": NamespaceStrategy,
    "nodes": NodeStrategy,
    "persistentvolumeclaims": PersistentVolumeClaimStrategy,
    "persistentvolumes": PersistentVolumeStrategy,
    "pods": PodStrategy,
    "podtemplates": PodTemplateStrategy,
    "replicationcontrollers": ReplicationControllerStrategy,
    "secrets": SecretStrategy,
    "serviceaccounts": ServiceAccountStrategy,
    "services": ServiceStrategy,
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": ConditionalCountingStrategy,
    "validatingadmissionpolicies.admissionregistration.k8s.io": ConditionalCountingStrategy,
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": ConditionalCountingStrategy,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": ConditionalCountingStrategy,
    "customresourcedefinitions.apiextensions.k8s.io": ConditionalCountingStrategy,
    "apiservices.apiregistration.k8s.io": ConditionalStrategy,
    "daemonsets.apps": WorkloadStrategy,
    "deployments.apps": DeploymentStrategy,
    "replicasets.apps": ScalableStrategy,
    "statefulsets.apps": ScalableStrategy,
    "cronjobs.batch": WorkloadStrategy,
    "jobs.batch": JobStrategy,
    "certificatesigningrequests.certificates.k8s.io": CertificateSigningRequestStrategy,
    "leases.coordination.k8s.io": LeaseStrategy,
    "endpointslices.discovery.k8s.io": CountingStrategy,
    "flowschemas.flowcontrol.apiserver.k8s.io": CountingStrategy,
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": CountingStrategy,
    "ingressclasses.networking.k8s.io": CountingStrategy,
    "ingresses.networking.k8s.io": CountingStrategy,
    "networkpolicies.networking.k8s.io": CountingStrategy,
    "runtimeclasses.node.k8s.io": ConditionalStrategy,
    "poddisruptionbudgets.policy": ConditionalCountingStrategy,
    f"clusterrolebindings.{_RBAC}": RoleStrategy,
    f"clusterroles.{_RBAC}": RoleStrategy,
    f"rolebindings.{_RBAC}": RoleStrategy,
    f"roles.{_RBAC}": RoleStrategy,
    "resourceslices.resource.k8s.io": CountingStrategy,
    "priorityclasses.scheduling.k8s.io": CountingStrategy,
    "csidrivers.storage.k8s.io": ConditionalCountingStrategy,
    "csinodes.storage.k8s.io": ConditionalStrategy,
    "volumeattachments.storage.k8s.io": ConditionalStrategy,
}
"""By qualified name, in the order of the REST table."""

"""Which strategy each kind has; kinds that are not named have nothing particular."""

from __future__ import annotations

from steersman.apiserver.registry.strategy import Strategy

from .admission import BindingStrategy, PolicyStrategy, WebhookConfigurationStrategy
from .apps import (
    DaemonSetStrategy,
    DeploymentStrategy,
    ReplicationControllerStrategy,
    ScalableStrategy,
    StatefulSetStrategy,
)
from .batch import CronJobStrategy, JobStrategy
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
from .devices import (
    DeviceClassStrategy,
    DeviceTaintRuleStrategy,
    ResourceClaimStrategy,
    ResourceClaimTemplateStrategy,
    ResourceSliceStrategy,
)
from .extensions import APIServiceStrategy, CustomResourceDefinitionStrategy
from .namespaces import NamespaceStrategy
from .networking import EndpointSliceStrategy, IngressStrategy, NetworkPolicyStrategy
from .pods import PodStrategy
from .service_accounts import ServiceAccountStrategy
from .services import ServiceStrategy
from .simple import (
    CandidateStrategy,
    ConditionalCountingStrategy,
    ConditionalStrategy,
    CountingSeparateStatusStrategy,
    CountingStrategy,
    FirstGenerationStrategy,
    LateGenerationStrategy,
    LeaseStrategy,
    RoleStrategy,
    SeparateStatusStrategy,
)
from .topology import RuntimeClassStrategy, StorageCapacityStrategy, StorageClassStrategy

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
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": WebhookConfigurationStrategy,
    "mutatingadmissionpolicies.admissionregistration.k8s.io": PolicyStrategy,
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io": BindingStrategy,
    "validatingadmissionpolicies.admissionregistration.k8s.io": PolicyStrategy,
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": BindingStrategy,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": WebhookConfigurationStrategy,
    "customresourcedefinitions.apiextensions.k8s.io": CustomResourceDefinitionStrategy,
    "apiservices.apiregistration.k8s.io": APIServiceStrategy,
    "daemonsets.apps": DaemonSetStrategy,
    "deployments.apps": DeploymentStrategy,
    "replicasets.apps": ScalableStrategy,
    "statefulsets.apps": StatefulSetStrategy,
    "cronjobs.batch": CronJobStrategy,
    "jobs.batch": JobStrategy,
    "certificatesigningrequests.certificates.k8s.io": CertificateSigningRequestStrategy,
    "clustertrustbundles.certificates.k8s.io": ConditionalStrategy,
    "podcertificaterequests.certificates.k8s.io": SeparateStatusStrategy,
    "leasecandidates.coordination.k8s.io": CandidateStrategy,
    "leases.coordination.k8s.io": LeaseStrategy,
    "endpointslices.discovery.k8s.io": EndpointSliceStrategy,
    "flowschemas.flowcontrol.apiserver.k8s.io": CountingSeparateStatusStrategy,
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": CountingSeparateStatusStrategy,
    "storageversions.internal.apiserver.k8s.io": SeparateStatusStrategy,
    "ingressclasses.networking.k8s.io": CountingStrategy,
    "ingresses.networking.k8s.io": IngressStrategy,
    "networkpolicies.networking.k8s.io": NetworkPolicyStrategy,
    "runtimeclasses.node.k8s.io": RuntimeClassStrategy,
    "poddisruptionbudgets.policy": ConditionalCountingStrategy,
    f"clusterrolebindings.{_RBAC}": RoleStrategy,
    f"clusterroles.{_RBAC}": RoleStrategy,
    f"rolebindings.{_RBAC}": RoleStrategy,
    f"roles.{_RBAC}": RoleStrategy,
    "deviceclasses.resource.k8s.io": DeviceClassStrategy,
    "devicetaintrules.resource.k8s.io": DeviceTaintRuleStrategy,
    "resourceclaims.resource.k8s.io": ResourceClaimStrategy,
    "resourceclaimtemplates.resource.k8s.io": ResourceClaimTemplateStrategy,
    "resourceslices.resource.k8s.io": ResourceSliceStrategy,
    "priorityclasses.scheduling.k8s.io": FirstGenerationStrategy,
    "workloads.scheduling.k8s.io": CountingStrategy,
    "csidrivers.storage.k8s.io": LateGenerationStrategy,
    "csinodes.storage.k8s.io": ConditionalStrategy,
    "csistoragecapacities.storage.k8s.io": StorageCapacityStrategy,
    "storageclasses.storage.k8s.io": StorageClassStrategy,
    "volumeattachments.storage.k8s.io": SeparateStatusStrategy,
    "storageversionmigrations.storagemigration.k8s.io": SeparateStatusStrategy,
}
"""By qualified name, in the order of the REST table."""

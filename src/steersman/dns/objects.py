"""The API objects that make the cluster's DNS reachable under its well-known name and address."""

from __future__ import annotations

from collections.abc import Sequence

from steersman.api.scheme import Object
from steersman.api.types.core_v1 import Service, ServicePort, ServiceSpec
from steersman.api.types.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from steersman.api.types.meta_v1 import ObjectMeta

NAME, NAMESPACE = "kube-dns", "kube-system"
# Not labelled kubernetes.io/cluster-service: `kubectl cluster-info` would name a proxy URL that is not served yet.
_LABELS = {"k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS"}


def service_objects(cluster_ip: str, addresses: Sequence[str], port: int) -> list[Object]:
    """The ``kube-dns`` Service without a selector, and its EndpointSlice to the DNS servers' own addresses."""
    service = Service(
        metadata=ObjectMeta(name=NAME, namespace=NAMESPACE, labels=dict(_LABELS)),
        spec=ServiceSpec(
            type="ClusterIP",
            cluster_ip=cluster_ip,
            cluster_ips=[cluster_ip],
            ports=[
                ServicePort(name="dns", port=53, protocol="UDP", target_port=port),
                ServicePort(name="dns-tcp", port=53, protocol="TCP", target_port=port),
            ],
        ),
    )
    slice_labels = {
        **_LABELS,
        "kubernetes.io/service-name": NAME,
        "endpointslice.kubernetes.io/managed-by": "steersman",
    }
    endpoints = EndpointSlice(
        metadata=ObjectMeta(name=f"{NAME}-nodes", namespace=NAMESPACE, labels=slice_labels),
        address_type="IPv4",
        endpoints=[
            Endpoint(addresses=[address], conditions=EndpointConditions(ready=True, serving=True, terminating=False))
            for address in addresses
        ],
        ports=[
            EndpointPort(name="dns", port=port, protocol="UDP"),
            EndpointPort(name="dns-tcp", port=port, protocol="TCP"),
        ],
    )
    return [service, endpoints]

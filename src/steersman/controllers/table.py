"""The controllers there are, under upstream's names, in the order in which they are started."""

from __future__ import annotations

from .bootstrap import RootCACertPublisher, ServiceAccountController
from .clusterrole_aggregation import ClusterRoleAggregationController
from .deployment import DeploymentController
from .endpoints import EndpointsController
from .endpointslice import EndpointSliceController
from .garbage_collector import GarbageCollector
from .kit import Controller
from .namespace import NamespaceController
from .node_ipam import NodeIPAMController
from .node_lifecycle import NodeLifecycleController
from .pod_gc import PodGarbageCollector
from .replicaset import ReplicaSetController
from .servicecidr import ServiceCIDRController
from .taint_eviction import TaintEvictionController
from .ttl import TTLController

TABLE: tuple[type[Controller], ...] = (
    NodeIPAMController,
    ServiceCIDRController,
    ServiceAccountController,
    RootCACertPublisher,
    ClusterRoleAggregationController,
    NamespaceController,
    DeploymentController,
    ReplicaSetController,
    EndpointSliceController,
    EndpointsController,
    NodeLifecycleController,
    TaintEvictionController,
    GarbageCollector,
    PodGarbageCollector,
    TTLController,
)

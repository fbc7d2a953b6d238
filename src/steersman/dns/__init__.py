"""Cluster DNS: Services, headless endpoints and pods by name, everything else from upstream resolvers.

Theory of operation
-------------------
*Watches* Services, EndpointSlices and Namespaces; writes nothing.  Implements the Kubernetes DNS specification 1.1.0
(``pods insecure`` as kubeadm configures CoreDNS).  :mod:`.zone` keeps, for every question about a cluster name, the
bytes of its answer: a query is answered by one dictionary lookup (:mod:`.wire`), without parsing or encoding records.
What has no prebuilt answer goes through :mod:`.resolver`: negative answers, pod names, ExternalName targets,
and names outside the cluster, which :mod:`.forward` asks upstream and caches for at most 30 seconds.

Dying loses nothing but the cache.  Without the API server it answers with what it last knew.
"""

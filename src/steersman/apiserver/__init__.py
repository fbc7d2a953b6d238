"""The API server: the one door to the cluster's state.

:class:`.server.ApiServer` composes it for one store, which its caller opens.  A request passes ``http`` (TLS,
HTTP/1.1), ``endpoints`` (who, as whom, whether they may, what: :mod:`.endpoints.pipeline`), with ``authn`` and
``authz`` deciding, and reaches ``registry``, which does what is asked: ``admission``, ``patch``, validation and the
store are behind it. Components in the same process use :meth:`.server.ApiServer.local_client` and enter at the
registry.

What it watches: its own store, one stream for each resource that somebody reads, into a watch cache; every read but
the oldest is answered from there, as the bytes that the write made.  RBAC policy, and the objects that tokens are
bound to, are read from the same caches.

What it writes: what clients ask for, each as one commit compared on the revision it was decided upon; at start, the
namespaces, priority classes, policy and ``kubernetes`` Service that every cluster has, and its own address among that
Service's endpoints; the removal of events that are old.

What it guarantees: an acknowledged write is durable and visible to every later consistent read; watches are ordered
and gap-free from the version they name, or end with 410.  It keeps no state beside the store: dying at any line loses
nothing that was acknowledged, and several may serve one store.

It stops in the reverse order of its start: first it stops listening, ends streams at once and lets what is being
written be answered; then the registry and its caches end.
"""

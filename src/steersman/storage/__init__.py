"""Storage: what the cluster remembers.

:mod:`.store` is the contract: a multi-version key-value store with etcd v3's semantics.  Three keep it: :mod:`.memory`
and :mod:`.sqlite`, which are embedded and share their decisions (:mod:`.embedded`), and :mod:`.etcd`.
:mod:`.datastore` chooses one by the text of ``--datastore``.

A commit to an embedded store waits in a queue on the event loop.  When the group before it has been written, all that
waits becomes the next: each commit's comparisons are decided against the state that the ones before it leave, what
holds is written as one durable transaction, then delivered to the followers, then acknowledged, in order.  What is
read, watched or acknowledged is therefore always durable.  Dying at any line loses only what nobody was told.

:mod:`.watch_cache` holds the present state of one resource as the bytes that clients are sent, with the recent changes.
Over an embedded store it never lags; over etcd it waits for the revision that a consistent read needs.
"""

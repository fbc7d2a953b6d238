"""HTTP/1.1 over TLS on ``httptools`` and asyncio.

:mod:`.protocol` is the life of a connection, :mod:`.reading` its requests, :mod:`.answering` its answers,
:mod:`.server` the set of all connections, :mod:`.messages` what handlers see: a request in, and a
:class:`~.messages.Response`, a :class:`~.messages.Stream` or an :class:`~.messages.Upgrade` out.
Nothing here knows of Kubernetes; only ``http/1.1`` is offered by ALPN.  Time-outs are enforced by one sweep a
second over all connections, not by a timer each.
"""

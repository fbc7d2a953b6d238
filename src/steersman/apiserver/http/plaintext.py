"""Clients that speak HTTP where TLS is spoken: they are told so, as Go's server tells them."""

from __future__ import annotations

import ssl
from typing import Any

_TEXT = b"Client sent an HTTP request to an HTTPS server.\n"
ANSWER = b"HTTP/1.0 400 Bad Request\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(_TEXT), _TEXT)


class _Handshake(ssl.SSLObject):
    """A handshake that answers a request in plain text before it fails."""

    outgoing: ssl.MemoryBIO | None = None
    failure: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        if self.failure is not None:
            raise self.failure
        try:
            super().do_handshake()
        except ssl.SSLError as error:
            if error.reason != "HTTP_REQUEST" or self.outgoing is None:
                raise
            self.outgoing.write(ANSWER)
            self.failure = error
            # What is written is sent only by a handshake that goes on.  This one ends when the client leaves or sends
            # more, or when the time for a handshake is over.
            raise ssl.SSLWantReadError from None


class ServerContext(ssl.SSLContext):
    """Of a server's side."""

    sslobject_class = _Handshake

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **options: Any) -> ssl.SSLObject:
        wrapped = super().wrap_bio(incoming, outgoing, *args, **options)
        if isinstance(wrapped, _Handshake):
            wrapped.outgoing = outgoing
        return wrapped

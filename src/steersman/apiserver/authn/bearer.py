"""Where a request carries its token: in a header, or among the protocols of a WebSocket.

Browsers cannot set headers on a WebSocket; theirs is a protocol that is named after the token.
"""

from __future__ import annotations

import base64
import binascii

from steersman.api.errors import unauthorized
from steersman.apiserver.http.messages import Request
from steersman.client.streaming import BEARER_PREFIX, websocket_protocols


def bearer_token(request: Request) -> str:
    """The token, empty where there is none; raises a 401 for one that is malformed."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    offered = websocket_protocols(request.headers)
    tokens = [name.removeprefix(BEARER_PREFIX) for name in offered if name.startswith(BEARER_PREFIX)]
    if not tokens:
        return ""
    # Without another one the server would have to agree on the token as the protocol, and so send it back.
    if len(tokens) > 1 or len(offered) == 1 or "=" in tokens[0]:
        raise unauthorized()
    try:
        return base64.b64decode(tokens[0] + "=" * (-len(tokens[0]) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise unauthorized() from error

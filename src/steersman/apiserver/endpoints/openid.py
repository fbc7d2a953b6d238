"""OpenID discovery of the issuer of service-account tokens."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from steersman.apiserver.authn.service_account import ServiceAccountTokens
from steersman.apiserver.http.messages import Request, Response

CONFIGURATION, KEYS = "/.well-known/openid-configuration", "/openid/v1/jwks"


class OpenID:
    """Answers both documents; ``address`` gives ``host:port`` of this server."""

    def __init__(self, tokens: ServiceAccountTokens, address: Callable[[], str]) -> None:
        self._tokens = tokens
        self._address = address

    def respond(self, request: Request) -> Response | None:
        """The answer, None for other paths."""
        headers = {"Cache-Control": "public, max-age=3600"}
        path = request.path.rstrip("/")
        if path == KEYS:
            body = msgspec.json.encode(self._tokens.keys)
            return Response(body, 200, "application/jwk-set+json", headers)
        if path == CONFIGURATION:
            document = {
                "issuer": self._tokens.issuer,
                "jwks_uri": f"https://{self._address()}{KEYS}",
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": self._tokens.algorithms,
            }
            return Response(msgspec.json.encode(document), 200, "application/json", headers)
        return None

"""What is told to another server of a request that is passed on: who makes it, and nothing of how that was proved."""

from __future__ import annotations

from urllib.parse import quote

from steersman.api.user import User
from steersman.apiserver.endpoints.connecting.proxy import forwarded_headers
from steersman.apiserver.http.messages import Request

Headers = list[tuple[str, str]]

_LEGAL = "!#$&'*+-.^_`|~"
"""What the names of headers may consist of, beside letters and digits; all else of a key is escaped."""

_OURS = frozenset({"Audit-Id", "Host", "X-Forwarded-Host", "X-Forwarded-Proto"})


def front_proxy(user: User) -> Headers:
    """The user, as a front proxy names one."""
    named = [("X-Remote-User", user.name)]
    if user.uid:
        named.append(("X-Remote-Uid", user.uid))
    named += [("X-Remote-Group", group) for group in user.groups]
    for key, values in user.extra.items():
        named += [(f"X-Remote-Extra-{quote(key, safe=_LEGAL)}", value) for value in values]
    return named


def passed_on(request: Request, authority: str, path: str) -> Headers:
    """The headers of a request that is passed on; those of its client that name a user or prove one are left out."""
    kept = [each for each in forwarded_headers(request) if each[0] not in _OURS]
    return [
        ("Host", authority),
        *kept,
        ("X-Forwarded-Uri", path),
        ("X-Forwarded-Host", authority),
        ("X-Forwarded-Proto", "https"),
        ("Audit-Id", request.audit_id),
        *front_proxy(request.user),
    ]

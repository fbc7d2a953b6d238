"""What is answered to paths and methods that do not exist, and to callers who may not."""

from __future__ import annotations

from steersman.api.errors import StatusError, forbidden
from steersman.api.types.meta_v1 import Status, StatusDetails
from steersman.apiserver.http.messages import Response
from steersman.apiserver.seams import Attributes


def _plain(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    """Text instead of a Status, as Go's own handlers have it; clients take the reason from the code."""
    return Response(
        f"{text}\n".encode(),
        status,
        "text/plain; charset=utf-8",
        {"Cache-Control": "no-cache, private", "X-Content-Type-Options": "nosniff", **(headers or {})},
    )


def no_page() -> Response:
    """404 for a path below which nothing is served."""
    return _plain(404, "404 page not found")


def overloaded() -> Response:
    """429: as many requests as may be are being handled."""
    return _plain(429, "Too many requests, please try again later.", {"Retry-After": "1"})


def shutting_down() -> Response:
    """429: this server ends, another one or the next may take it."""
    return _plain(429, "The apiserver is shutting down, please try again later.", {"Retry-After": "5"})


def proxy_failure(status: int, text: str) -> Response:
    """A server that answers in this one's place could not be asked, or may not answer so."""
    return _plain(status, text)


def no_method() -> StatusError:
    """405: the path exists, the method does not."""
    return StatusError(
        Status(
            status="Failure",
            code=405,
            reason="MethodNotAllowed",
            message="the server does not allow this method on the requested resource",
            details=StatusDetails(),
        )
    )


def refusal(attributes: Attributes, reason: str = "") -> StatusError:
    """The 403 in upstream's words."""
    user, verb = attributes.user.name, attributes.verb
    if not attributes.resource:
        text = f'User "{user}" cannot {verb} path "{attributes.path}"'
        return forbidden("", "", f"{text}: {reason}" if reason else text)
    resource = attributes.resource + (f"/{attributes.subresource}" if attributes.subresource else "")
    text = f'User "{user}" cannot {verb} resource "{resource}" in API group "{attributes.group}"'
    text += f' in the namespace "{attributes.namespace}"' if attributes.namespace else " at the cluster scope"
    return forbidden(attributes.resource, attributes.name, f"{text}: {reason}" if reason else text, attributes.group)

"""What is answered to paths and methods that do not exist, and to callers who may not."""

from __future__ import annotations

from steersman.api.errors import StatusError, forbidden
from steersman.api.types.meta_v1 import Status, StatusDetails
from steersman.apiserver.registry.seams import Attributes


def no_route() -> StatusError:
    """404: no such path."""
    return StatusError(
        Status(
            status="Failure",
            code=404,
            reason="NotFound",
            message="the server could not find the requested resource",
            details=StatusDetails(),
        )
    )


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

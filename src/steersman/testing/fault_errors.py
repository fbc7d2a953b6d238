"""The errors that faults answer by, in upstream's words."""

from __future__ import annotations

import msgspec

from steersman.api import errors
from steersman.api.errors import StatusError
from steersman.api.types.meta_v1 import Status, StatusDetails
from steersman.api.user import User
from steersman.apiserver.endpoints.refusals import refusal
from steersman.apiserver.seams import Attributes

from .selection import Asked


def refused(code: int, asked: Asked) -> StatusError:
    """An error in upstream's words."""
    resource, name, group = asked.resource, asked.name, asked.group
    match code:
        case 401:
            return errors.unauthorized()
        case 403:
            user = User(asked.user)
            if asked.verb == "create" and not asked.subresource:
                name = ""  # who may not is told before anybody reads what he would make
            attributes = Attributes(
                user, asked.verb, group, asked.version, resource, asked.subresource, asked.namespace, name, asked.path
            )
            return refusal(attributes)
        case 404:
            return errors.not_found(resource, name, group) if name else errors.no_route()
        case 409 if asked.verb == "create":
            return errors.already_exists(resource, name, group)
        case 409:
            return errors.conflict(resource, name, errors.MODIFIED, group)
        case 410:
            return errors.expired("The resourceVersion for the provided list is too old.")
        case 429:
            return errors.too_many_requests("Too many requests, please try again later.")
        case 500:
            return errors.internal_error("etcdserver: request timed out")
        case 503:
            return errors.service_unavailable("the server is currently unable to handle the request")
        case 504:
            return errors.timeout(resource, asked.verb, "request did not complete within the allotted timeout")
    return StatusError(Status(status="Failure", code=code, reason=_REASONS.get(code, ""), message=""))


_REASONS = {
    400: "BadRequest",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
}


def reworded(error: StatusError, reason: str, message: str, retry_after: int) -> StatusError:
    status = error.status
    status = msgspec.structs.replace(
        status,
        reason=reason or status.reason,
        message=message or status.message or "the server rejected our request for an unknown reason",
    )
    if retry_after:
        details = status.details or StatusDetails()
        status.details = msgspec.structs.replace(details, retry_after_seconds=retry_after)
    return StatusError(status)

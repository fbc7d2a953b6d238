"""API errors: one exception that carries a ``Status``, and a function for each reason upstream has.

The words and codes follow apimachinery's ``StatusError`` constructors, because clients match on them.
Server and clients raise the same exception.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from .rendering import rendered
from .types.meta_v1 import Status, StatusCause, StatusDetails


class StatusError(Exception):
    """An operation that the API refused; ``status`` is what a client is sent."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message)
        self.status = status

    @property
    def code(self) -> int:
        """The HTTP status code."""
        return self.status.code or 500

    @property
    def reason(self) -> str:
        """The machine-readable reason, such as ``NotFound``; empty when unknown."""
        return self.status.reason


class FieldError(msgspec.Struct, frozen=True):
    """One fault of one field, with its path in JSON names (``spec.containers[0].image``).

    ``type`` is one of apimachinery's causes (``FieldValueRequired``, ...); ``message`` is the complete
    text after the path.
    """

    field: str
    type: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def go_value(value: Any) -> str:
    """A value as upstream prints it in messages: strings quoted, objects and lists as JSON."""
    return rendered(value)


def required(field: str, detail: str = "") -> FieldError:
    """A value is missing."""
    return FieldError(field, "FieldValueRequired", f"Required value: {detail}" if detail else "Required value")


def invalid_value(field: str, value: Any, detail: str) -> FieldError:
    """A value is malformed or breaks a rule."""
    return FieldError(field, "FieldValueInvalid", f"Invalid value: {go_value(value)}: {detail}")


def not_supported(field: str, value: Any, supported: Sequence[str]) -> FieldError:
    """A value is not one of an enumeration, which is shown in the order given."""
    values = ", ".join(go_value(value) for value in supported)
    return FieldError(
        field, "FieldValueNotSupported", f"Unsupported value: {go_value(value)}: supported values: {values}"
    )


def duplicate(field: str, value: Any, detail: str = "") -> FieldError:
    """A value that must be unique occurs twice."""
    text = f"Duplicate value: {go_value(value)}"
    return FieldError(field, "FieldValueDuplicate", f"{text}: {detail}" if detail else text)


def forbidden_field(field: str, detail: str) -> FieldError:
    """A value may not be set here."""
    return FieldError(field, "FieldValueForbidden", f"Forbidden: {detail}")


def not_found_value(field: str, value: Any, detail: str = "") -> FieldError:
    """A value refers to something that does not exist."""
    text = f"Not found: {go_value(value)}"
    return FieldError(field, "FieldValueNotFound", f"{text}: {detail}" if detail else text)


def too_long(field: str, limit: int) -> FieldError:
    """A value exceeds a length limit, in bytes."""
    return FieldError(field, "FieldValueTooLong", f"Too long: may not be more than {_counted(limit, 'byte')}")


def too_many(field: str, count: int, limit: int) -> FieldError:
    """A list exceeds a number of items."""
    return FieldError(field, "FieldValueTooMany", f"Too many: {count}: must have at most {_counted(limit, 'item')}")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _error(code: int, reason: str, message: str, details: StatusDetails | None = None) -> StatusError:
    return StatusError(Status(status="Failure", code=code, reason=reason, message=message, details=details))


def _qualified(resource: str, group: str) -> str:
    return f"{resource}.{group}" if group else resource


def no_route() -> StatusError:
    """404: no such path."""
    return _error(404, "NotFound", "the server could not find the requested resource", StatusDetails())


def not_found(resource: str, name: str, group: str = "") -> StatusError:
    """404: ``pods "x" not found``."""
    details = StatusDetails(group=group, kind=resource, name=name)
    return _error(404, "NotFound", f'{_qualified(resource, group)} "{name}" not found', details)


def already_exists(resource: str, name: str, group: str = "") -> StatusError:
    """409: the name is taken."""
    details = StatusDetails(group=group, kind=resource, name=name)
    return _error(409, "AlreadyExists", f'{_qualified(resource, group)} "{name}" already exists', details)


def conflict(resource: str, name: str, detail: str, group: str = "") -> StatusError:
    """409: the write was based on an outdated version, or its precondition failed."""
    details = StatusDetails(group=group, kind=resource, name=name)
    message = f'Operation cannot be fulfilled on {_qualified(resource, group)} "{name}": {detail}'
    return _error(409, "Conflict", message, details)


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"
"""The detail of a conflict over ``resourceVersion``."""


_MOST_FAULTS = 500
"""What a client is told of at once: more would be megabytes, which are made and written while others wait."""


def invalid(kind: str, name: str, errors: Sequence[FieldError], group: str = "") -> StatusError:
    """422: validation failed; all faults at once, or the first few hundred; the text has each once."""
    errors = errors[:_MOST_FAULTS]
    texts = list(dict.fromkeys(str(error) for error in errors))
    summary = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    causes = [StatusCause(reason=error.type, message=error.message, field=error.field) for error in errors]
    details = StatusDetails(group=group, kind=kind, name=name, causes=causes)
    return _error(422, "Invalid", f'{_qualified(kind, group)} "{name}" is invalid: {summary}', details)


def bad_request(message: str) -> StatusError:
    """400: the request cannot be read."""
    return _error(400, "BadRequest", message)


def unauthorized(message: str = "Unauthorized") -> StatusError:
    """401: no authenticator accepted the caller."""
    return _error(401, "Unauthorized", message)


def forbidden(resource: str, name: str, detail: str, group: str = "") -> StatusError:
    """403: authorization or admission refused."""
    details = StatusDetails(group=group, kind=resource, name=name)
    if not resource:
        message = f"forbidden: {detail}"
    elif name:
        message = f'{_qualified(resource, group)} "{name}" is forbidden: {detail}'
    else:
        message = f"{_qualified(resource, group)} is forbidden: {detail}"
    return _error(403, "Forbidden", message, details)


def method_not_allowed(message: str) -> StatusError:
    """405: not now, or not in this way."""
    return _error(405, "MethodNotAllowed", message, StatusDetails())


def method_not_supported(resource: str, verb: str, group: str = "") -> StatusError:
    """405: the resource exists but lacks this verb."""
    details = StatusDetails(group=group, kind=resource)
    message = f'{verb} is not supported on resources of kind "{_qualified(resource, group)}"'
    return _error(405, "MethodNotAllowed", message, details)


def not_acceptable(message: str) -> StatusError:
    """406: none of the accepted representations is served."""
    return _error(406, "NotAcceptable", message)


def gone(message: str) -> StatusError:
    """410 ``Gone``."""
    return _error(410, "Gone", message)


def expired(message: str) -> StatusError:
    """410 ``Expired``: a resource version or a continue token is too old."""
    return _error(410, "Expired", message)


def too_large(message: str) -> StatusError:
    """413: the request's body exceeds the limit."""
    return _error(413, "RequestEntityTooLarge", message)


def unsupported_media_type(message: str) -> StatusError:
    """415: the request's body is in a format that is not read here."""
    return _error(415, "UnsupportedMediaType", message)


def too_many_requests(message: str, retry_after_seconds: int = 1) -> StatusError:
    """429: try again after a while."""
    return _error(429, "TooManyRequests", message, StatusDetails(retry_after_seconds=retry_after_seconds))


def internal_error(message: str) -> StatusError:
    """500: a fault of the server."""
    details = StatusDetails(causes=[StatusCause(message=message)])
    return _error(500, "InternalError", f"Internal error occurred: {message}", details)


def service_unavailable(message: str) -> StatusError:
    """503: the server cannot serve this now."""
    return _error(503, "ServiceUnavailable", message)


def timeout(resource: str, verb: str, detail: str, retry_after_seconds: int = 0, group: str = "") -> StatusError:
    """504: the operation did not end in time, or the server is starting."""
    details = StatusDetails(group=group, kind=resource, retry_after_seconds=retry_after_seconds or None)
    return _error(504, "Timeout", f"Timeout: {detail}", details)


def is_not_found(error: BaseException) -> bool:
    """Whether an error says that the object does not exist."""
    return isinstance(error, StatusError) and error.reason == "NotFound"


def is_conflict(error: BaseException) -> bool:
    """Whether an error is a lost race that a fresh read and another try can mend."""
    return isinstance(error, StatusError) and error.reason == "Conflict"


def is_already_exists(error: BaseException) -> bool:
    """Whether an error says that the name is taken."""
    return isinstance(error, StatusError) and error.reason == "AlreadyExists"


TOO_LARGE_RESOURCE_VERSION = "ResourceVersionTooLarge"
"""The cause of a timeout: what was asked for has not happened yet, or never will."""


def is_too_large_resource_version(error: BaseException) -> bool:
    """Whether an error says that a resource version lies in the future."""
    details = error.status.details if isinstance(error, StatusError) else None
    return details is not None and any(cause.reason == TOO_LARGE_RESOURCE_VERSION for cause in details.causes)

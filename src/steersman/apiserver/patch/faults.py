"""The errors that patches have in common."""

from __future__ import annotations

from steersman.api.errors import StatusError
from steersman.api.types.meta_v1 import Status, StatusDetails


def does_not_apply(cause: str) -> StatusError:
    """422: a well-formed patch that cannot be applied to this object.

    Upstream answers one fixed sentence; the cause is kept on the exception for the log.
    """
    error = StatusError(
        Status(
            status="Failure",
            code=422,
            reason="Invalid",
            message="the server rejected our request due to an error in our request",
            details=StatusDetails(),
        )
    )
    error.add_note(cause)
    return error


def unexpected(message: str) -> StatusError:
    """500 without a reason, as upstream answers merge faults that it has no code for."""
    return StatusError(Status(status="Failure", code=500, message=message))

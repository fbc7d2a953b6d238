"""What is answered to paths and methods that do not exist."""

from __future__ import annotations

from steersman.api.errors import StatusError
from steersman.api.types.meta_v1 import Status, StatusDetails


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

"""Refusals of the API server that are no failure of a controller."""

from __future__ import annotations

from steersman.api.errors import StatusError, is_already_exists, is_not_found


def harmless(error: StatusError) -> bool:
    """Whether a creation failed because the namespace is terminating or gone, or because somebody was faster."""
    details = error.status.details
    terminating = details is not None and any(cause.reason == "NamespaceTerminating" for cause in details.causes)
    return terminating or is_already_exists(error) or is_not_found(error)

"""The order of API versions."""

from __future__ import annotations

import re

_VERSION = re.compile(r"v([0-9]+)(?:(alpha|beta)([0-9]+))?")


def version_rank(version: str) -> tuple[int, int, int, str]:
    """Sorts versions as upstream prefers them: ``v2``, ``v1``, ``v1beta1``, ``v1alpha1``, then others by name."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return 3, 0, 0, version
    stability = {None: 0, "beta": 1, "alpha": 2}[match[2]]
    return stability, -int(match[1]), -int(match[3] or 0), version

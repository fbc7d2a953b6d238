"""The message classes, built when this module is imported."""

from __future__ import annotations

from typing import Any

from steersman.api import protobuf

_API = protobuf.load("steersman.kubelet.cri_api", "cri.proto")


def __getattr__(name: str) -> Any:
    return getattr(_API, name)

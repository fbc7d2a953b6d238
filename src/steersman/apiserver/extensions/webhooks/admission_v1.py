"""``admission.k8s.io``: what an admission webhook answers, of which both versions are alike."""

from __future__ import annotations

import msgspec

from steersman.api.types.meta_v1 import Status
from steersman.api.types.scalars import APIStruct


class AdmissionResponse(APIStruct):
    uid: str = ""
    allowed: bool = False
    status: Status | None = None
    patch: bytes = b""
    patch_type: str | None = None
    audit_annotations: dict[str, str] = msgspec.field(default_factory=dict)
    warnings: list[str] = msgspec.field(default_factory=list)


class AdmissionReview(APIStruct):
    kind: str = ""
    api_version: str = ""
    response: AdmissionResponse | None = None

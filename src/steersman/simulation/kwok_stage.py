"""kwok's ``Stage`` (``kwok.x-k8s.io/v1alpha1``) as it is written.

Both forms are read: expressions as ``key`` and ``expressionFrom``, or below ``jq`` or ``cel``; what comes next as
``next``, or as ``steps``.  Specification: kwok's API reference.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

API_VERSION = "kwok.x-k8s.io/v1alpha1"


Natural = Annotated[int, msgspec.Meta(ge=0)]


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Unknown fields are refused."""


class JQ(_Strict, frozen=True, kw_only=True):
    """An expression, for a value."""

    expression: str


class CEL(_Strict, frozen=True, kw_only=True):
    """An expression in CEL."""

    expression: str


class From(_Strict, frozen=True, kw_only=True):
    """Where a value comes from: one of these."""

    expression_from: str = ""
    jq: JQ | None = None
    cel: CEL | None = None


class JQRequirement(_Strict, frozen=True, kw_only=True):
    """What an expression's values must be."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class Requirement(_Strict, frozen=True, kw_only=True):
    """A requirement, in one of its forms; ``expression`` is CEL."""

    expression: str = ""
    key: str = ""
    operator: str = ""
    values: tuple[str, ...] = ()
    jq: JQRequirement | None = None
    cel: CEL | None = None


class Selector(_Strict, frozen=True, kw_only=True):
    """All of it must match."""

    match_labels: dict[str, str] = {}
    match_annotations: dict[str, str] = {}
    match_expressions: tuple[Requirement, ...] = ()


class Delay(_Strict, frozen=True, kw_only=True):
    """How long it takes."""

    duration_milliseconds: Natural | None = None
    duration_from: From | None = None
    jitter_duration_milliseconds: Natural | None = None
    jitter_duration_from: From | None = None


class StageEvent(_Strict, frozen=True, kw_only=True):
    """An event."""

    type: str = "Normal"
    reason: str = ""
    message: str = ""


class Finalizer(_Strict, frozen=True, kw_only=True):
    """One finalizer."""

    value: str


class Finalizers(_Strict, frozen=True, kw_only=True):
    """How finalizers change."""

    add: tuple[Finalizer, ...] = ()
    remove: tuple[Finalizer, ...] = ()
    empty: bool = False


class Impersonation(_Strict, frozen=True, kw_only=True):
    """As whom."""

    username: str


class StagePatch(_Strict, frozen=True, kw_only=True):
    """A patch by a template."""

    subresource: str = ""
    root: str = ""
    template: str = ""
    type: str = ""
    impersonation: Impersonation | None = None


class StageApply(_Strict, frozen=True, kw_only=True):
    """Another object, by a template."""

    template: str
    subresource: str = ""
    type: str = ""


class Step(_Strict, frozen=True, kw_only=True):
    """One of the steps."""

    event: StageEvent | None = None
    finalizers: Finalizers | None = None
    delete: bool = False
    patch: StagePatch | None = None
    apply: StageApply | None = None


class Next(_Strict, frozen=True, kw_only=True):
    """What a stage brings about, in the older form."""

    event: StageEvent | None = None
    finalizers: Finalizers | None = None
    delete: bool = False
    patches: tuple[StagePatch, ...] = ()
    status_template: str = ""
    status_subresource: str = "status"
    status_patch_as: Impersonation | None = None


class ResourceRef(_Strict, frozen=True, kw_only=True):
    """Of what kind the objects are."""

    api_group: str = "v1"
    kind: str


class StageSpec(_Strict, frozen=True, kw_only=True):
    """What a stage is."""

    resource_ref: ResourceRef
    selector: Selector | None = None
    weight: Natural = 0
    weight_from: From | None = None
    delay: Delay | None = None
    next: Next | None = None
    steps: tuple[Step, ...] = ()
    immediate_next_stage: bool = False


class Metadata(msgspec.Struct, frozen=True):
    """What matters of it."""

    name: str = ""


class KwokStage(_Strict, frozen=True, kw_only=True):
    """A stage in a file."""

    api_version: str
    kind: str
    metadata: Metadata = Metadata()
    spec: StageSpec
    status: dict[str, Any] = {}

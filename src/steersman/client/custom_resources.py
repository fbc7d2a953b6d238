"""Types of custom resources, for clients that know what a definition says.

    class WebsiteSpec(APIStruct):
        host: str = ""
        replicas: int | None = None

    class Website(CustomObject):
        API_VERSION = "example.com/v1"
        PLURAL = "websites"
        spec: WebsiteSpec = field(default_factory=WebsiteSpec)

Members are snake_case here and camelCase in JSON, every one has a default, and one that has its default is not written;
so let it be the schema's own, or None.  Members that a type does not have are dropped when an object is read: where
somebody else may write such, change objects by patch or apply, not by update.
"""

from __future__ import annotations

from typing import ClassVar, TypeVar

from msgspec import field

from steersman.api.scheme import Resource, Subresource
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.types.scalars import APIStruct


class CustomObject(APIStruct):
    """The base of the type of a custom resource's objects; the type is called as their kind."""

    API_VERSION: ClassVar[str] = ""
    """Group and version, such as ``example.com/v1``."""

    PLURAL: ClassVar[str] = ""
    """The resource's name in paths."""

    NAMESPACED: ClassVar[bool] = True

    kind: str = ""
    api_version: str = ""
    metadata: ObjectMeta = field(default_factory=lambda: ObjectMeta())

    def __post_init__(self) -> None:
        self.kind = self.kind or type(self).__name__
        self.api_version = self.api_version or self.API_VERSION


C = TypeVar("C", bound=CustomObject)


def custom_resource(type_: type[C]) -> Resource[C]:
    """The resource whose objects are of a type; raises ValueError where the type does not say enough."""
    group, _, version = type_.API_VERSION.rpartition("/")
    if not (group and version and type_.PLURAL):
        raise ValueError(f"{type_.__name__} needs an API_VERSION with a group, and a PLURAL")
    return Resource(
        group,
        version,
        type_.PLURAL,
        type_.__name__,
        namespaced=type_.NAMESPACED,
        subresources=(Subresource("status"), Subresource("scale")),
        type_=type_,
    )

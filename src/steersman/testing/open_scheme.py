"""What ``cluster.client`` knows: more than a client can know that is not in the server's process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from steersman.api.resources import builtin_scheme
from steersman.api.scheme import Object, Resource, Scheme
from steersman.api.unstructured import Unstructured
from steersman.client.custom_resources import CustomObject, custom_resource

T = TypeVar("T", bound=Object)


class OpenScheme(Scheme):
    """The built-in resources, those that a server has by definitions, and whatever CustomObject it is asked for."""

    def __init__(self, served: Callable[[], Scheme]) -> None:
        super().__init__(builtin_scheme())
        self._served = served

    def by_name(self, group: str, version: str, name: str) -> Resource[Any] | None:
        return super().by_name(group, version, name) or self._served().by_name(group, version, name)

    def by_kind(self, api_version: str, kind: str) -> Resource[Any] | None:
        return super().by_kind(api_version, kind) or self._served().by_kind(api_version, kind)

    def for_type(self, type_: type[T]) -> Resource[T]:
        given: Any = type_
        if not (isinstance(given, type) and issubclass(given, (msgspec.Struct, Unstructured))):
            raise TypeError(
                f"{given!r} is no type of objects, such as Pod; the cluster's own apply and wait_for take data"
            )
        if issubclass(type_, CustomObject) and super().by_kind(type_.API_VERSION, type_.__name__) is None:
            self.add(custom_resource(type_))
        elif issubclass(type_, Unstructured):  # of a definition, which may go and come again: nothing is kept of it
            if (found := self.by_kind(type_.API_VERSION, type_.KIND)) is None:
                raise KeyError(type_)
            return found
        return super().for_type(type_)

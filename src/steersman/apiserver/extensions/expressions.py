"""Expressions about requests that want to be admitted: match conditions (KEP-3716), and those of policies.

:class:`Asked` is a request as they see it.  CEL's checker is loaded for the first expression that there is: it takes
70 ms and 9 MiB, which few servers need.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from steersman.api import codecs
from steersman.api.errors import go_value
from steersman.api.scheme import Resource
from steersman.api.types.admissionregistration_v1 import MatchCondition
from steersman.api.types.core_v1 import Namespace
from steersman.api.user import User
from steersman.apiserver.admission.plugin import Request
from steersman.apiserver.seams import Attributes, Surroundings

if TYPE_CHECKING:
    from steersman.apiserver.extensions.cel import Environment, Program
    from steersman.apiserver.extensions.cel.library.authorizing import Check, Decision


class Asked:
    """What expressions see of a request; made of it once for all of them.

    ``told_as`` is the resource in the version in which ``obj`` and ``old`` are.
    """

    def __init__(
        self,
        request: Request,
        surroundings: Surroundings,
        *,
        told_as: Resource[Any] | None = None,
        obj: Any = None,
        old: Any = None,
        namespace: Namespace | None = None,
    ) -> None:
        self.request = request
        self._surroundings = surroundings
        self._told_as = told_as or request.resource
        self._obj = obj if told_as is not None else request.obj
        self._old = old if told_as is not None else request.old
        self._namespace = namespace

    @cached_property
    def variables(self) -> Mapping[str, Any]:
        """By name."""
        from steersman.apiserver.extensions.cel.admission import REQUEST_RESOURCE
        from steersman.apiserver.extensions.cel.library.authorizing import RESOURCE, Authorizer, Check

        request, resource = self.request, self.request.resource
        authorizer = Authorizer(self)
        return {
            "object": codecs.to_builtins(self._obj) if self._obj is not None else None,
            "oldObject": codecs.to_builtins(self._old) if self._old is not None else None,
            "request": self._about(),
            "namespaceObject": codecs.to_builtins(self._namespace) if self._namespace is not None else None,
            "authorizer": authorizer,
            REQUEST_RESOURCE: Check(
                authorizer,
                RESOURCE,
                group=resource.group,
                resource=resource.name,
                subresource=request.subresource,
                namespace=request.namespace,
                name=request.name,
            ),
        }

    def _about(self) -> dict[str, Any]:
        request, own, told = self.request, self.request.resource, self._told_as
        user = request.user
        return {
            "kind": {"group": told.group, "version": told.version, "kind": told.kind},
            "resource": {"group": told.group, "version": told.version, "resource": told.name},
            "subResource": request.subresource,
            "requestKind": {"group": own.group, "version": own.version, "kind": own.kind},
            "requestResource": {"group": own.group, "version": own.version, "resource": own.name},
            "requestSubResource": request.subresource,
            "name": request.name,
            "namespace": request.namespace,
            "operation": request.verb,
            "userInfo": {
                "username": user.name,
                "uid": user.uid,
                "groups": list(user.groups),
                "extra": dict(user.extra),
            },
            "dryRun": request.dry_run,
            "options": codecs.to_builtins(request.options) if request.options is not None else None,
        }

    def decide(self, check: Check, verb: str, service_account: tuple[str, str] | None) -> Decision:
        """Whether the caller, or a service account, may do what an expression asks about."""
        from steersman.apiserver.extensions.cel.library.authorizing import Decision

        user = self.request.user
        if service_account is not None:
            namespace, name = service_account
            groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
            user = User(f"system:serviceaccount:{namespace}:{name}", groups)
        if self._surroundings.authorizer is None:
            return Decision(False, error="there is no authorizer")
        found = self._surroundings.authorizer.decide(
            Attributes(
                user,
                verb,
                check.group,
                "*" if check.resource else "",
                check.resource,
                check.subresource,
                check.namespace,
                check.name,
                check.path,
            )
        )
        return Decision(found.allowed and not found.denied, found.reason, found.error)


class MatchExpression:
    """One condition, compiled."""

    def __init__(self, declared: MatchCondition, program: Program) -> None:
        self.name = declared.name
        self._program = program

    def holds(self, asked: Asked, variables: Mapping[str, Any] | None = None) -> bool:
        """Whether it holds, for a policy with more variables; raises ValueError where it cannot be told."""
        result = self._program.evaluate(variables or asked.variables)
        if result.error is not None:
            raise ValueError(f"expression {go_value(self.name)} resulted in error: {result.error}")
        return bool(result.value)


@cache
def environment() -> Environment:
    """The variables of match conditions of webhooks."""
    from steersman.apiserver.extensions.cel import admission

    return admission.environment(namespace=False)


def compile_conditions(
    conditions: Sequence[MatchCondition], declared: Environment | None = None
) -> list[MatchExpression]:
    """Compile conditions; raises ValueError."""
    if not conditions:
        return []
    from steersman.apiserver.extensions.cel import CompileError

    try:
        made = declared or environment()
        return [MatchExpression(each, made.compile(each.expression, "bool")) for each in conditions]
    except CompileError as error:
        raise ValueError(str(error)) from None

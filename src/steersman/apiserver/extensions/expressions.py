"""Expressions about requests that want to be admitted: match conditions of webhooks (KEP-3716) and of policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from steersman.api import codecs
from steersman.api.errors import go_value
from steersman.api.types.admissionregistration_v1 import MatchCondition
from steersman.apiserver.admission.plugin import Request
from steersman.apiserver.seams import Surroundings

if TYPE_CHECKING:
    from steersman.apiserver.extensions.cel import Environment, Program

_VARIABLES = ("object", "oldObject", "request")


@cache
def _environment() -> Environment:
    # The checker is 20 MiB that a server does not need whom nobody gives expressions.
    from steersman.apiserver.extensions.cel import DYN, Environment

    return Environment(dict.fromkeys(_VARIABLES, DYN))


class MatchExpression:
    """One condition, compiled."""

    def __init__(self, declared: MatchCondition, program: Program) -> None:
        self.name = declared.name
        self._program = program

    async def holds(self, request: Request) -> bool:
        """Whether it holds for a request; raises ValueError where it cannot be told."""
        result = self._program.evaluate(variables(request))
        if result.error is not None:
            raise ValueError(f"expression {go_value(self.name)} resulted in error: {result.error}")
        return bool(result.value)


def compile_conditions(conditions: Sequence[MatchCondition], surroundings: Surroundings) -> list[MatchExpression]:
    """Compile conditions; raises ValueError."""
    from steersman.apiserver.extensions.cel import CompileError

    try:
        return [MatchExpression(each, _environment().compile(each.expression, "bool")) for each in conditions]
    except CompileError as error:
        raise ValueError(str(error)) from None


def variables(request: Request) -> Mapping[str, Any]:
    """What expressions see of a request."""
    user, resource = request.user, request.resource
    return {
        "object": codecs.to_builtins(request.obj) if request.obj is not None else None,
        "oldObject": codecs.to_builtins(request.old) if request.old is not None else None,
        "request": {
            "kind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
            "resource": {"group": resource.group, "version": resource.version, "resource": resource.name},
            "subResource": request.subresource,
            "requestKind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
            "requestResource": {"group": resource.group, "version": resource.version, "resource": resource.name},
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
        },
    }

"""Expressions about requests that want to be admitted: match conditions (KEP-3716), and those of policies.

:class:`Asked` is a request as they see it, :class:`Evaluation` what they come to.  Small objects may cost much: what is
not done soon is done in a thread (:func:`evaluated`).  CEL's checker is loaded for the
first expression that there is: it takes 70 ms and 9 MiB, which few servers need.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from steersman.api import codecs
from steersman.api.errors import FieldError, invalid_value
from steersman.api.scheme import Resource
from steersman.api.types.core_v1 import Namespace
from steersman.api.user import User
from steersman.apiserver.admission.observer import Observer, Outcome, Step
from steersman.apiserver.admission.plugin import Request
from steersman.apiserver.seams import Attributes, Surroundings

if TYPE_CHECKING:
    from steersman.cel import Environment, Program
    from steersman.cel.library.authorizing import Check, Decision


T = TypeVar("T")

_PATIENCE = 10.0
"""Seconds that the authorizer has."""

QUICK = 10_000
"""What may be spent on the loop: some two milliseconds."""

QUICK_SECONDS = 0.003
"""What it may take there, which does not follow from what it costs where lists are compared or joined."""


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
        self._decided: dict[tuple[Check, str, tuple[str, str] | None], Decision] = {}
        self.loop: asyncio.AbstractEventLoop | None = None
        """Where the authorizer is asked by those who read this in a thread."""

    @cached_property
    def variables(self) -> Mapping[str, Any]:
        """By name."""
        from steersman.cel.admission import REQUEST_RESOURCE
        from steersman.cel.library.authorizing import RESOURCE, Authorizer, Check

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
        """Whether the caller, or a service account, may do what an expression asks about; decided once."""
        asked = (check, verb, service_account)
        if (decided := self._decided.get(asked)) is None:
            decided = self._decided[asked] = self._decide(check, verb, service_account)
        return decided

    def _decide(self, check: Check, verb: str, service_account: tuple[str, str] | None) -> Decision:
        from steersman.cel.library.authorizing import Decision

        user = self.request.user
        if service_account is not None:
            namespace, name = service_account
            groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
            user = User(f"system:serviceaccount:{namespace}:{name}", groups)
        if self._surroundings.authorizer is None:
            return Decision(False, error="there is no authorizer")
        authorizer = self._surroundings.authorizer
        wanted = Attributes(
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
        if self.loop is None:
            found = authorizer.decide(wanted)
        else:

            async def ask() -> Any:
                return await authorizer.authorize(wanted)

            # Bounded, because a loop that ends answers nobody.
            found = asyncio.run_coroutine_threadsafe(ask(), self.loop).result(_PATIENCE)
        return Decision(found.allowed and not found.denied, found.reason, found.error)


class EvaluationFailed(ValueError):
    """There is no result; the message is upstream's."""

    def __init__(self, message: str, outcome: Outcome = "invalid_error") -> None:
        super().__init__(message)
        self.outcome: Outcome = outcome


class OutOfBudget(EvaluationFailed):
    """Expressions that are evaluated together cost too much: none of their results counts."""

    def __init__(self) -> None:
        super().__init__(
            "validation failed due to running out of cost budget, no further validation rules will be run",
            "out_of_budget",
        )


class TooSlow(Exception):
    """What is evaluated on the loop costs more than that has time for."""


async def evaluated(asked: Asked, elsewhere: Callable[[Callable[[], T]], Awaitable[T]], work: Callable[[bool], T]) -> T:
    """What ``work`` gives, which is told whether it must be quick; what is not is done again, ``elsewhere``."""
    try:
        return work(True)
    except TooSlow:
        asked.loop = asyncio.get_running_loop()
        try:
            return await elsewhere(lambda: work(False))
        finally:
            asked.loop = None


class Fault(NamedTuple):
    """What does not compile: where, what, and why."""

    path: str
    expression: str
    detail: str

    def error(self) -> FieldError:
        """As it is told of an object."""
        return invalid_value(self.path, self.expression, self.detail)


class Expression:
    """One that people wrote.  One that does not compile fails whenever it is evaluated."""

    __slots__ = ("fault", "program", "text")

    def __init__(self, text: str, environment: Environment, result: str = "dyn") -> None:
        from steersman.cel import CompileError

        self.text = text
        self.fault = ""
        self.program: Program | None = None
        try:
            self.program = environment.compile(text, result)
        except CompileError as error:
            self.fault = str(error)


class Evaluation:
    """Expressions about one request, evaluated within a budget that they share.

    ``composed`` are the variables that a policy defines; each is evaluated when an expression first asks for it.
    ``quick``: beyond :data:`QUICK` it raises :class:`TooSlow`.
    """

    def __init__(
        self,
        given: Mapping[str, Any],
        budget: int,
        composed: Mapping[str, Expression] | None = None,
        *,
        quick: bool = False,
    ) -> None:
        self._left = budget
        self._soon = QUICK if quick else budget
        self._until = time.monotonic() + QUICK_SECONDS if quick else None
        self._variables = {**given, "variables": _Composed(self, composed)} if composed is not None else given

    def evaluate(self, expression: Expression) -> Any:
        """Raises :class:`EvaluationFailed`."""
        if expression.program is None:
            raise EvaluationFailed(f"compilation error: {expression.fault}", "compile_error")
        found = self.run(expression.program)
        if isinstance(found, _Value):
            return found.value
        raise EvaluationFailed(f"expression '{expression.text}' resulted in error: {found}")

    def run(self, program: Program) -> _Value | Exception:
        """The value, or what CEL says is wrong; raises :class:`OutOfBudget`."""
        result = program.evaluate(self._variables, max(min(self._left, self._soon), 0), self._until)
        if self._until is not None and result.error is not None:
            from steersman.cel.errors import TimeExceeded

            if isinstance(result.error, TimeExceeded):
                raise TooSlow
        self._left -= result.cost
        self._soon -= result.cost
        if self._soon < 0 <= self._left:
            raise TooSlow
        if self._left < 0:
            raise OutOfBudget
        return _Value(result.value) if result.error is None else result.error


class _Value(NamedTuple):
    value: Any


class _Composed(Mapping[str, Any]):
    """A policy's variables: a value that is not known yet is found when it is asked for."""

    def __init__(self, evaluation: Evaluation, declared: Mapping[str, Expression]) -> None:
        self._evaluation = evaluation
        self._declared = declared
        self._known: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            self._known[name] = self._find(name, self._declared[name])
        if isinstance(known := self._known[name], Exception):
            raise known
        return known

    def _find(self, name: str, declared: Expression) -> Any:
        from steersman.cel import CELError

        if declared.program is None:
            return CELError(f'composited variable "{name}" fails to compile: {declared.fault}')
        found = self._evaluation.run(declared.program)
        if isinstance(found, _Value):
            return found.value
        return CELError(f'composited variable "{name}" fails to evaluate: {found}')

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def __len__(self) -> int:
        return len(self._declared)


class Condition(Protocol):
    """A match condition, in any version of the API."""

    expression: str


class Conditions:
    """The match conditions of one webhook or policy, compiled; all must hold.

    ``kind`` is what has them (``webhook``, ``policy``), ``name`` its name.
    """

    def __init__(
        self, declared: Sequence[Condition], name: str, kind: str, step: Step, *, params: bool = False
    ) -> None:
        self._name, self._kind, self._step = name, kind, step
        self._expressions = [Expression(each.expression.strip(), environment(params), "bool") for each in declared]

    def __bool__(self) -> bool:
        return bool(self._expressions)

    def hold(self, variables: Mapping[str, Any], operation: str, observer: Observer, *, quick: bool = False) -> bool:
        """Whether all hold; one that does not counts more than those that fail, of which it tells who raises."""
        from steersman.cel.admission import MATCH_BUDGET

        started, failures = time.perf_counter(), dict[str, None]()
        evaluation, refused = Evaluation(variables, MATCH_BUDGET, quick=quick), False
        outcome: Outcome = "invalid_error"
        for expression in self._expressions:
            try:
                if evaluation.evaluate(expression) is not True:
                    refused = True
                    break
            except EvaluationFailed as error:
                failures[str(error)] = None
                outcome = error.outcome
                if isinstance(error, OutOfBudget):
                    failures = {str(error): None}
                    break
        seconds = time.perf_counter() - started
        observer.conditions(self._name, self._kind, self._step, operation, seconds, len(failures))
        if refused:
            observer.excluded(self._name, self._kind, self._step, operation)
            return False
        if failures:
            raise EvaluationFailed(next(iter(failures)) if len(failures) == 1 else f"[{', '.join(failures)}]", outcome)
        return True


@cache
def environment(params: bool = False) -> Environment:
    """The variables of match conditions."""
    from steersman.cel import DYN, admission

    return admission.environment(params=DYN if params else None)


def condition_faults(conditions: Sequence[Condition], path: str, *, params: bool = False) -> Iterator[Fault]:
    """Which conditions do not compile; ``path`` is that of the list."""
    for index, condition in enumerate(conditions):
        text = condition.expression.strip()
        if text and (fault := Expression(text, environment(params), "bool").fault):
            yield Fault(f"{path}[{index}].expression", text, fault)

"""Who is told what admission does, and how long it takes: in practice, metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

Step = Literal["admit", "validate"]
HookStep = Literal["admit", "validating"]
"""What upstream calls the step in the metrics of webhooks."""

Cause = Literal["calling_webhook_error", "apiserver_internal_error", "no_error"]
"""Why a webhook's request was refused; ``no_error``: it said so."""

Outcome = Literal["compile_error", "invalid_error", "out_of_budget", "no_error"]
"""What went wrong with an expression."""


Seconds = Callable[[float], None]
"""Is told what something took."""


class Observer(Protocol):
    """Seconds are what the matter took; names are those of the configuration."""

    def plugin(self, name: str, operation: str, rejected: bool, step: Step, seconds: float) -> None:
        """A plugin was asked."""

    def admitting(self, name: str, operation: str, step: Step) -> Seconds:
        """Whom to tell each time that a plugin was asked and did not refuse."""

    def step(self, operation: str, rejected: bool, step: Step, seconds: float) -> None:
        """All plugins were asked."""

    def webhook(self, name: str, step: HookStep, operation: str, rejected: bool, code: int, seconds: float) -> None:
        """A webhook was asked; ``code`` is what it came to, as HTTP has it."""

    def webhook_rejected(self, name: str, step: HookStep, operation: str, cause: Cause, code: int) -> None:
        """A request is refused because of a webhook."""

    def webhook_failed_open(self, name: str, step: HookStep) -> None:
        """A webhook failed, and nobody cares."""

    def conditions(self, name: str, kind: str, step: Step, operation: str, seconds: float, errors: int) -> None:
        """The match conditions of a ``webhook`` or a ``policy`` were evaluated; so many failed."""

    def excluded(self, name: str, kind: str, step: Step, operation: str) -> None:
        """Match conditions kept a request from a webhook or a policy."""

    def validation(self, policy: str, binding: str, outcome: Outcome, action: str, seconds: float) -> None:
        """A validation had a consequence: ``allow``, ``deny``, ``audit``, ``warn``."""

    def mutation(self, policy: str, binding: str, outcome: Outcome, seconds: float) -> None:
        """A mutation was evaluated."""


class Unobserved:
    """Nobody is told."""

    def plugin(self, name: str, operation: str, rejected: bool, step: Step, seconds: float) -> None: ...
    def step(self, operation: str, rejected: bool, step: Step, seconds: float) -> None: ...
    def admitting(self, name: str, operation: str, step: Step) -> Seconds:
        return _unheard

    def webhook(self, name: str, step: HookStep, operation: str, rejected: bool, code: int, seconds: float) -> None: ...
    def webhook_rejected(self, name: str, step: HookStep, operation: str, cause: Cause, code: int) -> None: ...
    def webhook_failed_open(self, name: str, step: HookStep) -> None: ...
    def conditions(self, name: str, kind: str, step: Step, operation: str, seconds: float, errors: int) -> None: ...
    def excluded(self, name: str, kind: str, step: Step, operation: str) -> None: ...
    def validation(self, policy: str, binding: str, outcome: Outcome, action: str, seconds: float) -> None: ...
    def mutation(self, policy: str, binding: str, outcome: Outcome, seconds: float) -> None: ...


def _unheard(_: float) -> None: ...

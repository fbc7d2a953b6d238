"""What admission does, and how long it takes, under upstream's names."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from steersman.apiserver.admission.observer import Cause, HookStep, Outcome, Seconds, Step

from .measuring import Counter, Histogram

_SECONDS = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5)
_HOOK_SECONDS = (*_SECONDS, 10.0, 25.0)
_EXPRESSION_SECONDS = (0.0000005, 0.001, 0.01, 0.1, 1.0)
_CONDITION = ("name", "kind", "operation", "type")


class AdmissionMetrics:
    """Is told by admission; see :class:`~steersman.apiserver.admission.observer.Observer`."""

    def __init__(self) -> None:
        self._plugins = Histogram(
            "apiserver_admission_controller_admission_duration_seconds",
            "How long an admission plugin took.",
            ("name", "operation", "rejected", "type"),
            _SECONDS,
        )
        self._steps = Histogram(
            "apiserver_admission_step_admission_duration_seconds",
            "How long all admission plugins took.",
            ("operation", "rejected", "type"),
            _SECONDS,
        )
        self._hooks = Histogram(
            "apiserver_admission_webhook_admission_duration_seconds",
            "How long an admission webhook took.",
            ("name", "operation", "rejected", "type"),
            _HOOK_SECONDS,
        )
        self._asked = Counter(
            "apiserver_admission_webhook_request_total",
            "Requests to admission webhooks, by what came of them.",
            ("code", "name", "operation", "rejected", "type"),
        )
        self._rejections = Counter(
            "apiserver_admission_webhook_rejection_count",
            "Requests that were refused because of a webhook.",
            ("error_type", "name", "operation", "rejection_code", "type"),
        )
        self._open = Counter(
            "apiserver_admission_webhook_fail_open_count",
            "Failures of webhooks that were ignored.",
            ("name", "type"),
        )
        self._conditions = Histogram(
            "apiserver_admission_match_condition_evaluation_seconds",
            "How long match conditions took.",
            _CONDITION,
            _SECONDS,
        )
        self._errors = Counter(
            "apiserver_admission_match_condition_evaluation_errors_total",
            "Match conditions that could not be evaluated.",
            _CONDITION,
        )
        self._exclusions = Counter(
            "apiserver_admission_match_condition_exclusions_total",
            "Requests that match conditions kept from a webhook or a policy.",
            _CONDITION,
        )
        checked = ("enforcement_action", "error_type", "policy", "policy_binding")
        self._validations = Counter(
            "apiserver_validating_admission_policy_check_total",
            "Validations of policies, by their consequence.",
            checked,
        )
        self._validating = Histogram(
            "apiserver_validating_admission_policy_check_duration_seconds",
            "How long a validation of a policy took.",
            checked,
            _EXPRESSION_SECONDS,
        )
        mutated = ("error_type", "policy", "policy_binding")
        self._mutations = Counter(
            "apiserver_mutating_admission_policy_check_total", "Mutations of policies, by how they ended.", mutated
        )
        self._mutating = Histogram(
            "apiserver_mutating_admission_policy_check_duration_seconds",
            "How long a mutation of a policy took.",
            mutated,
            _EXPRESSION_SECONDS,
        )

    def plugin(self, name: str, operation: str, rejected: bool, step: Step, seconds: float) -> None:
        self._plugins.observe((name, operation, _BOOLEANS[rejected], step), seconds)

    def admitting(self, name: str, operation: str, step: Step) -> Seconds:
        return self._plugins.observer((name, operation, _BOOLEANS[False], step))

    def step(self, operation: str, rejected: bool, step: Step, seconds: float) -> None:
        self._steps.observe((operation, _BOOLEANS[rejected], step), seconds)

    def webhook(self, name: str, step: HookStep, operation: str, rejected: bool, code: int, seconds: float) -> None:
        self._hooks.observe((name, operation, _BOOLEANS[rejected], step), seconds)
        self._asked.add((str(code), name, operation, _BOOLEANS[rejected], step))

    def webhook_rejected(self, name: str, step: HookStep, operation: str, cause: Cause, code: int) -> None:
        self._rejections.add((cause, name, operation, str(code), step))

    def webhook_failed_open(self, name: str, step: HookStep) -> None:
        self._open.add((name, step))

    def conditions(self, name: str, kind: str, step: Step, operation: str, seconds: float, errors: int) -> None:
        labels = (name, kind, operation, step)
        self._conditions.observe(labels, seconds)
        if errors:
            self._errors.add(labels, errors)

    def excluded(self, name: str, kind: str, step: Step, operation: str) -> None:
        self._exclusions.add((name, kind, operation, step))

    def validation(self, policy: str, binding: str, outcome: Outcome, action: str, seconds: float) -> None:
        labels = (action, outcome, policy, binding)
        self._validations.add(labels)
        self._validating.observe(labels, seconds)

    def mutation(self, policy: str, binding: str, outcome: Outcome, seconds: float) -> None:
        labels = (outcome, policy, binding)
        self._mutations.add(labels)
        self._mutating.observe(labels, seconds)

    def collect(self) -> Iterator[Metric]:
        """As Prometheus has them."""
        for source in (
            self._plugins,
            self._steps,
            self._hooks,
            self._asked,
            self._rejections,
            self._open,
            self._conditions,
            self._errors,
            self._exclusions,
            self._validations,
            self._validating,
            self._mutations,
            self._mutating,
        ):
            yield from source.collect()


_BOOLEANS = {True: "true", False: "false"}

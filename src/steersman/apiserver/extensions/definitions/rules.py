"""Validation rules where schemas have some: CEL's checker takes 70 ms to import and 9 MiB, which few servers need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from steersman.apiserver.extensions.structural import NodeRules, RuleCompiler


class LateRules:
    """Imports the compiler of rules for the first that there is."""

    def __init__(self) -> None:
        self._compiler: RuleCompiler | None = None

    def compile(self, schema: Mapping[str, Any], rules: Sequence[Mapping[str, Any]], *, resource: bool) -> NodeRules:
        if self._compiler is None:
            from steersman.apiserver.extensions import validation_rules

            self._compiler = validation_rules.Compiler()
        return self._compiler.compile(schema, rules, resource=resource)

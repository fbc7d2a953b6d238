"""Structural schemas (KEP-1979): what custom resources may be, compiled once to closures over JSON data.

:class:`.compiler.Compiler` turns an ``openAPIV3Schema`` into :mod:`.nodes`, equal parts into one; everything else walks
an object along them: :mod:`.pruning` removes what is unknown, :mod:`.defaulting` completes, :mod:`.values` and
:mod:`.alternatives` check, :mod:`.lists` looks for duplicates, :mod:`.embedded` minds the metadata of embedded
resources, :mod:`.evaluation` has the validation rules evaluated by what :mod:`.rules` describes, and
:mod:`.correlation` says what of the old object a value is compared with; :mod:`.declared` checks a
schema's defaults.  Faults have upstream's words.

It holds no state beside the schemas, reads nothing, writes nothing, and knows no API server.
"""

from .compiler import Compiler, SchemaTooDeep
from .declared import default_faults
from .embedded import NotCoercible
from .findings import ABSENT
from .rules import RUNTIME_COST_BUDGET, Budget, NodeRules, RuleCompiler, RuleFault
from .schema import StructuralSchema, compile_schema

__all__ = [
    "ABSENT",
    "RUNTIME_COST_BUDGET",
    "Budget",
    "Compiler",
    "NodeRules",
    "NotCoercible",
    "RuleCompiler",
    "RuleFault",
    "SchemaTooDeep",
    "StructuralSchema",
    "compile_schema",
    "default_faults",
]

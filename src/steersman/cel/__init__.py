"""CEL as Kubernetes has it (v1.35), for rules of schemas, admission policies, match conditions and simulated stages.

The official checker parses, expands macros and finds types (:mod:`.checking`); closures of our own evaluate the tree
(:mod:`.evaluation`) and count cost as cel-go does.  Values are JSON data as they are; what JSON has none of is in
:mod:`.values`.  Nothing here reads or writes anything else than its arguments.
"""

from .errors import CELError, CompileError, CostExceeded, ResultTypeError
from .estimate import STATIC_LIMIT, STATIC_TOTAL_LIMIT, exceeds
from .program import PER_CALL_LIMIT, RUNTIME_COST_BUDGET, Environment, Program, Result
from .types import DYN, REQUEST, Decl, escape, from_schema, optional

__all__ = (
    "DYN",
    "PER_CALL_LIMIT",
    "REQUEST",
    "RUNTIME_COST_BUDGET",
    "STATIC_LIMIT",
    "STATIC_TOTAL_LIMIT",
    "CELError",
    "CompileError",
    "CostExceeded",
    "Decl",
    "Environment",
    "Program",
    "Result",
    "ResultTypeError",
    "escape",
    "exceeds",
    "from_schema",
    "optional",
)

"""JSON text into data, with Go's reading of it: what is refused, in which words, and what is mended."""

from __future__ import annotations

import json
import math
from typing import Any

from . import json_faults

TOO_DEEP = "json: exceeded max depth"


class FieldProblem(ValueError):
    """A body that does not fit its type; the message is what follows ``cannot be handled as a Pod:``."""


class Number(float):
    """A number with a fraction or an exponent, and how it was written."""

    def __new__(cls, text: str) -> Number:
        self = super().__new__(cls, text)
        if math.isinf(self):
            raise FieldProblem(f"json: cannot unmarshal number {text} into Go value of type float64")
        self.text = text
        return self

    text: str


class Members(list[tuple[str, Any]]):
    """The members of a JSON object in their order, those included that occur again."""


def load_json(data: bytes | str) -> Any:
    """Parse JSON without a type; fractional numbers keep their text.  Raises :class:`FieldProblem`."""
    return _load(data, None)


def syntax_fault(data: bytes | str) -> str:
    """What Go's decoder says of a text that is no JSON, empty for one that is."""
    try:
        # Go looks at bytes: one that is no ASCII is told as the character of its number.
        load_json(data.decode("latin-1") if isinstance(data, bytes) else data)
    except FieldProblem as error:
        return str(error)
    return ""


def load_members(data: bytes) -> Any:
    """Like :func:`load_json`, but objects are :class:`Members`."""
    return _load(data, Members)


def _load(data: bytes | str, hook: type[Members] | None) -> Any:
    # Bytes that are no UTF-8 are replaced, as Go does; other encodings and byte order marks are no JSON.
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    try:
        if text.startswith("\ufeff"):
            raise FieldProblem("invalid character 'ï' looking for beginning of value")
        tree = json.loads(text, parse_float=Number, parse_constant=_constant, object_pairs_hook=hook)
    except RecursionError:
        raise FieldProblem(TOO_DEEP) from None
    except json.JSONDecodeError as error:
        raise FieldProblem(json_faults.fault(error)) from None
    except FieldProblem:
        raise
    except ValueError:  # Python's limit on the digits of an integer
        raise FieldProblem("json: number out of range") from None
    # Escaped halves of surrogate pairs are no text; Go replaces them.
    return _mend(tree) if "\\u" in text else tree


def _mend(tree: Any) -> Any:
    if isinstance(tree, str):
        return tree if tree.isascii() else tree.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(tree, Members):
        return Members((_mend(key), _mend(value)) for key, value in tree)
    if isinstance(tree, dict):
        return {_mend(key): _mend(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_mend(value) for value in tree]
    return tree


def plain(tree: Any) -> Any:
    """JSON data without the marks that reading it left; of members that occur again the last one counts."""
    if isinstance(tree, Number):
        return float(tree)
    if isinstance(tree, Members):
        return {key: plain(value) for key, value in tree}
    if isinstance(tree, dict):
        return {key: plain(item) for key, item in tree.items()}
    if isinstance(tree, list):
        return [plain(item) for item in tree]
    return tree


def _constant(text: str) -> Any:
    raise FieldProblem(json_faults.constant(text))

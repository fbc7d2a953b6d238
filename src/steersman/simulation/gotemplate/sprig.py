"""The functions of sprig that deal with text, numbers, lists and maps, under sprig's names and with its conversions."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import posixpath
import random
import re
import string
import textwrap
import uuid
import zlib
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from typing import Any

from .errors import TemplateError
from .values import formatted, kind, truth


def to_text(value: Any) -> str:
    """Sprig's ``toString``."""
    return formatted(value)


def to_int(value: Any) -> int:
    """Sprig's ``int64``: 0 for what is no number."""
    if isinstance(value, str):
        try:
            return int(value, 0)
        except ValueError:
            return int(to_float(value))
    return int(value) if isinstance(value, int | float) else 0


def to_float(value: Any) -> float:
    """Sprig's ``float64``: 0 for what is no number."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def _divided(first: Any, second: Any) -> int:
    """Towards zero."""
    whole, by = to_int(first), to_int(second)
    return abs(whole) // abs(by) * (1 if (whole < 0) == (by < 0) else -1)


def _remainder(first: Any, second: Any) -> int:
    return to_int(first) - _divided(first, second) * to_int(second)


def _product(values: Iterable[Any]) -> int:
    return math.prod(map(to_int, values))


def _rounded(value: Any, places: Any, half: Any = 0.5) -> float:
    scale = 10 ** to_int(places)
    scaled = to_float(value) * scale
    below = math.floor(scaled)
    return float((below + (scaled - below >= to_float(half))) / scale)


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TemplateError(f"expected a list, got {kind(value)}")
    return value


def _mapped(value: Any) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise TemplateError(f"expected a map, got {kind(value)}")
    return value


def dict_(*pairs: Any) -> dict[str, Any]:
    """Keys and values in turn; a key without one has the empty text."""
    values = [*pairs, ""] if len(pairs) % 2 else pairs
    return {to_text(key): value for key, value in zip(values[::2], values[1::2], strict=True)}


def _set(target: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    _mapped(target)[key] = value
    return target


def _unset(target: dict[str, Any], key: str) -> dict[str, Any]:
    _mapped(target).pop(key, None)
    return target


def _dig(*arguments: Any) -> Any:
    *path, default, target = arguments
    for key in path:
        if not isinstance(target, dict) or key not in target:
            return default
        target = target[key]
    return target


def _merged(target: dict[str, Any], *others: dict[str, Any], over: bool = False) -> dict[str, Any]:
    for other in others:
        for key, value in _mapped(other).items():
            present = _mapped(target).get(key)
            if isinstance(present, dict) and isinstance(value, dict):
                _merged(present, value, over=over)
            elif over or not truth(present):
                target[key] = value
    return target


def _until(end: Any) -> list[int]:
    count = to_int(end)
    return [*range(0, count, 1 if count >= 0 else -1)]


def _until_step(start: int, end: int, step: int) -> list[int]:
    return [*range(start, end, step)] if step and (end > start) == (step > 0) else []


def _coalesce(*values: Any) -> Any:
    return next((value for value in values if truth(value)), None)


def _fail(message: str) -> None:
    raise TemplateError(message)


def _required(message: str, value: Any) -> Any:
    return value if truth(value) else _fail(message)


def _indented(spaces: Any, text: str) -> str:
    pad = " " * to_int(spaces)
    return pad + text.replace("\n", "\n" + pad)


def _titled(text: str) -> str:
    return re.sub(r"\b\w", lambda match: match[0].upper(), text)


def _truncated(length: Any, text: str) -> str:
    count = to_int(length)
    return text[:count] if count >= 0 else text[count:]


def _random(alphabet: str) -> Callable[[Any], str]:
    return lambda count: "".join(random.choices(alphabet, k=to_int(count)))


def _joined(separator: str, values: Any) -> str:
    items = values if isinstance(values, list) else [values]
    return separator.join(to_text(each) for each in items if each is not None)


def _go_pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _replaced(pattern: str, text: str, replacement: str) -> str:
    template = re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda match: f"\\g<{match[1] or match[2]}>", replacement)
    return _go_pattern(pattern).sub(template, text)


def _unique(values: list[Any]) -> list[Any]:
    result: list[Any] = []
    for value in _listed(values):
        if value not in result:
            result.append(value)
    return result


def _quoted(*values: Any) -> str:
    return " ".join(json.dumps(to_text(each), ensure_ascii=False) for each in values if each is not None)


def _from_json(text: str) -> Any:
    return json.loads(text)


def _wrapped(width: Any, text: str, new_line: str = "\n", *, cut: bool = False) -> str:
    """Lines no longer than that, where there are blanks; ``cut`` words that are longer, too."""
    count = max(1, to_int(width))
    return new_line.join(textwrap.wrap(text, count, break_long_words=cut, break_on_hyphens=False))


def _split_at_most(separator: str, count: Any, text: str) -> dict[str, str]:
    parts = text.split(separator, to_int(count) - 1) if to_int(count) > 0 else text.split(separator)
    return {f"_{place}": part for place, part in enumerate(parts)}


def _found_all(pattern: str, text: str, count: Any) -> list[str]:
    found = [match[0] for match in _go_pattern(pattern).finditer(text)]
    return found if to_int(count) < 0 else found[: to_int(count)]


def _split_by(pattern: str, text: str, count: Any) -> list[str]:
    most = to_int(count)
    if not most:
        return []
    parts: list[str] = []
    end = 0
    for match in _go_pattern(pattern).finditer(text):
        if len(parts) + 1 == most:
            break
        parts.append(text[end : match.start()])
        end = match.end()
    return [*parts, text[end:]]


def _chunks(size: Any, values: list[Any]) -> list[list[Any]]:
    count = max(1, to_int(size))
    return [_listed(values)[start : start + count] for start in range(0, len(values), count)]


def _abbreviated(width: Any, text: str) -> str:
    count = to_int(width)
    return text if count < 4 or len(text) <= count else text[: count - 3] + "..."


SPRIG: dict[str, Callable[..., Any]] = {
    # Text
    "trim": lambda text: text.strip(),
    "trimAll": lambda cut, text: text.strip(cut),
    "trimSuffix": lambda end, text: text.removesuffix(end),
    "trimPrefix": lambda start, text: text.removeprefix(start),
    "upper": lambda text: text.upper(),
    "lower": lambda text: text.lower(),
    "title": _titled,
    "untitle": lambda text: re.sub(r"\b\w", lambda match: match[0].lower(), text),
    "repeat": lambda count, text: text * to_int(count),
    "substr": lambda start, end, text: text[max(0, start) : end if end >= 0 else None],
    "nospace": lambda text: re.sub(r"\s", "", text),
    "trunc": _truncated,
    "contains": lambda part, text: part in text,
    "hasPrefix": lambda start, text: text.startswith(start),
    "hasSuffix": lambda end, text: text.endswith(end),
    "quote": _quoted,
    "squote": lambda *values: " ".join(f"'{to_text(each)}'" for each in values if each is not None),
    "cat": lambda *values: " ".join(to_text(each) for each in values if each is not None),
    "indent": _indented,
    "nindent": lambda spaces, text: "\n" + _indented(spaces, text),
    "replace": lambda old, new, text: text.replace(old, new),
    "join": _joined,
    "splitList": lambda separator, text: text.split(separator),
    "split": lambda separator, text: {f"_{place}": part for place, part in enumerate(text.split(separator))},
    "snakecase": lambda text: re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower(),
    "kebabcase": lambda text: re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", "-", text).lower(),
    "camelcase": lambda text: "".join(part.capitalize() for part in re.split(r"[_\- ]+", text)),
    "regexMatch": lambda pattern, text: _go_pattern(pattern).search(text) is not None,
    "regexFind": lambda pattern, text: found[0] if (found := _go_pattern(pattern).search(text)) else "",
    "regexReplaceAll": _replaced,
    "regexReplaceAllLiteral": lambda pattern, text, new: _go_pattern(pattern).sub(lambda _: new, text),
    "regexFindAll": _found_all,
    "regexSplit": _split_by,
    "regexQuoteMeta": lambda text: re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", text),
    "trimall": lambda cut, text: text.strip(cut),
    "swapcase": lambda text: text.swapcase(),
    "abbrev": _abbreviated,
    "initials": lambda text: "".join(word[0] for word in text.split()),
    "plural": lambda one, many, count: one if count == 1 else many,
    "wrap": _wrapped,
    "wrapWith": lambda width, new_line, text: _wrapped(width, text, new_line, cut=True),
    "splitn": _split_at_most,
    "b32enc": lambda text: base64.b32encode(text.encode()).decode(),
    "b32dec": lambda text: base64.b32decode(text).decode(),
    "sha512sum": lambda text: hashlib.sha512(text.encode()).hexdigest(),
    "adler32sum": lambda text: str(zlib.adler32(text.encode())),
    "base": lambda path: PurePosixPath(path).name or path[:1] or ".",
    "dir": lambda path: str(PurePosixPath(path).parent),
    "ext": lambda path: PurePosixPath(path).suffix,
    "clean": lambda path: posixpath.normpath(path),
    "isAbs": lambda path: path.startswith("/"),
    "toString": to_text,
    "toStrings": lambda values: [to_text(each) for each in _listed(values)],
    "b64enc": lambda text: base64.b64encode(text.encode()).decode(),
    "b64dec": lambda text: base64.b64decode(text).decode(),
    "sha1sum": lambda text: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(),
    "sha256sum": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "randAlphaNum": _random(string.ascii_letters + string.digits),
    "randAlpha": _random(string.ascii_letters),
    "randNumeric": _random(string.digits),
    "uuidv4": lambda: str(uuid.uuid4()),
    # Numbers
    "atoi": lambda text: to_int(text),
    "int": to_int,
    "int64": to_int,
    "float64": to_float,
    "add": lambda *values: sum(map(to_int, values)),
    "add1": lambda value: to_int(value) + 1,
    "sub": lambda first, second: to_int(first) - to_int(second),
    "mul": lambda *values: _product(values),
    "div": _divided,
    "mod": _remainder,
    "add1f": lambda value: to_float(value) + 1.0,
    "maxf": lambda *values: max(map(to_float, values)),
    "minf": lambda *values: min(map(to_float, values)),
    "toDecimal": lambda value: int(to_text(value), 8),
    "addf": lambda *values: sum(map(to_float, values)),
    "subf": lambda first, *others: to_float(first) - sum(map(to_float, others)),
    "mulf": lambda *values: math.prod(map(to_float, values)),
    "divf": lambda first, *others: to_float(first) / math.prod(map(to_float, others)),
    "max": lambda *values: max(map(to_int, values)),
    "min": lambda *values: min(map(to_int, values)),
    "floor": lambda value: float(math.floor(to_float(value))),
    "ceil": lambda value: float(math.ceil(to_float(value))),
    "round": _rounded,
    "randInt": lambda low, high: random.randrange(to_int(low), to_int(high)),
    "until": _until,
    "untilStep": _until_step,
    # What there is and what there is instead
    "default": lambda default, value=None: value if truth(value) else default,
    "empty": lambda value: not truth(value),
    "coalesce": _coalesce,
    "all": lambda *values: all(map(truth, values)),
    "any": lambda *values: any(map(truth, values)),
    "ternary": lambda yes, no, condition: yes if condition else no,
    "fail": _fail,
    "required": _required,
    "deepEqual": lambda first, second: first == second,
    "typeIs": lambda name, value: kind(value) == name,
    "kindOf": kind,
    "kindIs": lambda name, value: kind(value) == name,
    "typeOf": kind,
    # Lists
    "list": lambda *values: [*values],
    "tuple": lambda *values: [*values],
    "first": lambda values: values[0] if values else None,
    "last": lambda values: values[-1] if values else None,
    "rest": lambda values: _listed(values)[1:],
    "initial": lambda values: _listed(values)[:-1],
    "append": lambda values, value: [*_listed(values), value],
    "prepend": lambda values, value: [value, *_listed(values)],
    "concat": lambda *lists: [each for values in lists for each in _listed(values)],
    "reverse": lambda values: _listed(values)[::-1],
    "uniq": _unique,
    "without": lambda values, *others: [each for each in _listed(values) if each not in others],
    "has": lambda value, values: values is not None and value in _listed(values),
    "chunk": _chunks,
    "push": lambda values, value: [*_listed(values), value],
    "compact": lambda values: [each for each in _listed(values) if truth(each)],
    "sortAlpha": lambda values: sorted(map(to_text, _listed(values))),
    "seq": lambda *ends: " ".join(map(str, range(ends[0] if len(ends) > 1 else 1, ends[-1] + 1))),
    # Maps
    "dict": dict_,
    "get": lambda values, key: _mapped(values).get(key, ""),
    "set": _set,
    "unset": _unset,
    "hasKey": lambda values, key: key in _mapped(values),
    "keys": lambda *maps: [key for each in maps for key in _mapped(each)],
    "values": lambda values: [*_mapped(values).values()],
    "pick": lambda values, *keys: {key: _mapped(values)[key] for key in keys if key in values},
    "omit": lambda values, *keys: {key: value for key, value in _mapped(values).items() if key not in keys},
    "pluck": lambda key, *maps: [each[key] for each in maps if key in _mapped(each)],
    "dig": _dig,
    "merge": _merged,
    "mergeOverwrite": lambda target, *others: _merged(target, *others, over=True),
    "deepCopy": lambda value: json.loads(json.dumps(value)),
    "toJson": lambda value: json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False),
    "toRawJson": lambda value: json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False),
    "toPrettyJson": lambda value: json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False),
    "fromJson": _from_json,
}

_FAILING = (
    "toJson", "toRawJson", "toPrettyJson", "fromJson", "regexMatch", "regexFind", "regexFindAll", "regexReplaceAll",
    "regexReplaceAllLiteral", "regexSplit", "first", "last", "rest", "initial", "append", "prepend", "push", "reverse",
    "uniq", "without", "has", "compact", "chunk", "merge", "mergeOverwrite", "deepCopy",
)  # fmt: skip
"""These have another name, by which Go's say that something is wrong; here all do."""

SPRIG |= {f"must{name[0].upper()}{name[1:]}": SPRIG[name] for name in _FAILING}

"""Strategic merge patch: lists merge by key, as the API types declare it.

Directives: ``$patch`` (``replace``, ``delete``, ``merge``) in maps and list elements, ``$retainKeys`` in maps,
``$setElementOrder/<list>`` and ``$deleteFromPrimitiveList/<list>`` beside the list they speak of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from steersman.api.errors import bad_request
from steersman.api.shapes import Shape, struct_shape
from steersman.api.types.scalars import APIStruct

from .faults import does_not_apply, unexpected

_PATCH = "$patch"
_RETAIN_KEYS = "$retainKeys"
_SET_ORDER = "$setElementOrder"
_DELETE_PRIMITIVE = "$deleteFromPrimitiveList"


def apply(target: dict[str, Any], patch: dict[str, Any], type_: type[APIStruct]) -> dict[str, Any]:
    """Merge a patch into an object of a type."""
    return _merge_map(target, patch, Shape("struct", struct=type_))


def _member(shape: Shape | None, name: str) -> Shape | None:
    """The shape of a member, None where nothing is known (free-form data)."""
    if shape is None:
        return None
    if shape.kind == "struct" and shape.struct is not None:
        member = struct_shape(shape.struct).members.get(name)
        return member.shape if member else None
    return shape.item if shape.kind == "map" else None


def _strategies(shape: Shape | None) -> tuple[str, ...]:
    return shape.merge.patch_strategy if shape is not None and shape.merge is not None else ()


def _merge_map(original: dict[str, Any], patch: dict[str, Any], shape: Shape | None) -> dict[str, Any]:
    if _PATCH in patch:
        directive = patch[_PATCH]
        if directive == "replace":
            return {name: _clean(value) for name, value in patch.items() if name != _PATCH and value is not None}
        if directive == "delete":
            return {}
        if directive != "merge":
            raise unexpected(f"unknown patch type: {directive} in map: {go_text(patch)}")
    result = dict(original)
    patch = dict(patch)
    patch.pop(_PATCH, None)
    _retain_keys(result, patch)
    orders = {name: patch.pop(name) for name in list(patch) if name.startswith(_SET_ORDER)}
    for name, order in orders.items():
        _merge_ordered(result, patch, name.partition("/")[2], order, shape)
    for name, value in patch.items():
        if name.startswith(_DELETE_PRIMITIVE):
            _delete_primitives(result, name.partition("/")[2], value)
            continue
        if value is None:
            result.pop(name, None)
            continue
        result[name] = _merge_value(result.get(name), value, _member(shape, name))
    return result


def _merge_value(original: Any, value: Any, shape: Shape | None) -> Any:
    strategies = _strategies(shape)
    if isinstance(original, dict) and isinstance(value, dict) and "replace" not in strategies:
        return _merge_map(original, value, shape)
    if isinstance(original, list) and isinstance(value, list) and "merge" in strategies:
        return _merge_list(original, value, shape)
    return _clean(value)


def _retain_keys(result: dict[str, Any], patch: dict[str, Any]) -> None:
    """Drop the members that ``$retainKeys`` does not name; the patch may only speak of members it names."""
    if _RETAIN_KEYS not in patch:
        return
    keep = patch.pop(_RETAIN_KEYS)
    if not isinstance(keep, list):
        raise bad_request("invalid patch format of retainKeys")
    named = {name for name, value in patch.items() if not name.startswith("$") and value is not None}
    if not named <= set(keep):
        raise bad_request("invalid patch format of retainKeys")
    for name in list(result):
        if name not in keep:
            del result[name]


def _delete_primitives(result: dict[str, Any], name: str, values: Any) -> None:
    if not isinstance(values, list):
        raise bad_request("invalid patch format of primitive list")
    if isinstance(present := result.get(name), list):
        result[name] = [item for item in present if item not in values]


def _merge_list(original: list[Any], patch: list[Any], shape: Shape | None) -> list[Any]:
    """Merge lists of maps by their key, lists of scalars as sets that keep their order."""
    if not original and not patch:
        return original
    elements = original + patch
    if any(isinstance(element, list) for element in elements):
        raise does_not_apply("lists of lists are not supported")
    if not any(isinstance(element, dict) for element in elements):
        return list(dict.fromkeys(elements))
    if not all(isinstance(element, dict) for element in elements):
        raise unexpected("list element types are not identical")
    key = shape.merge.patch_merge_key if shape is not None and shape.merge is not None else ""
    if not key:
        raise unexpected("cannot merge lists without merge key for list")
    replace = False
    deleted: list[Any] = []
    changes = []
    for element in patch:
        directive = element.get(_PATCH)
        if directive == "delete":
            deleted.append(_identity(element, key))
        elif directive == "replace":
            replace = True
            if len(element) > 1:
                changes.append({name: value for name, value in element.items() if name != _PATCH})
        elif directive == "merge":
            raise unexpected("merging lists cannot yet be specified in the patch")
        elif directive is not None:
            raise unexpected(f"unknown patch type: {directive} in map: {go_text(element)}")
        else:
            changes.append(element)
    if replace:
        return [_clean(element) for element in changes]
    result = [element for element in original if element.get(key) not in deleted] if deleted else list(original)
    positions = {str(element.get(key)): index for index, element in reversed(list(enumerate(result)))}
    item = shape.item if shape is not None else None
    for element in changes:
        identity = str(_identity(element, key))
        if (index := positions.get(identity)) is not None:
            result[index] = _merge_map(result[index], element, item)
        else:
            positions[identity] = len(result)
            result.append(_clean(element))
    return result


def _merge_ordered(result: dict[str, Any], patch: dict[str, Any], name: str, order: Any, shape: Shape | None) -> None:
    """Merge one list and put its elements into the order the patch asks for.

    Elements that only the server has keep their place relative to the patch's elements where both had one.
    """
    if not isinstance(order, list):
        raise bad_request("invalid patch format of setElementOrder list")
    value, original = patch.pop(name, None), result.get(name)
    if value is None and not isinstance(original, list):
        return
    if value is not None and not isinstance(value, list):
        patch[name] = value
        return
    member = _member(shape, name)
    key = member.merge.patch_merge_key if member is not None and member.merge is not None else ""
    if key:
        wanted = [str(_identity(element, key)) for element in _maps(order)]
        identify: Callable[[Any], str] = lambda element: str(element.get(key))  # noqa: E731
    else:
        wanted = [str(element) for element in order]
        identify = str
    rank = {identity: index for index, identity in enumerate(wanted)}
    if value is not None:
        present = [identify(e) for e in value if not (isinstance(e, dict) and e.get(_PATCH) in ("delete", "replace"))]
        ranks = [rank.get(identity, -1) for identity in present]
        if -1 in ranks or ranks != sorted(ranks):
            raise unexpected(
                f"The order in patch list:\n{_go_list(value)}\n doesn't match {_SET_ORDER} list:\n{_go_list(order)}\n"
            )
    live = original if isinstance(original, list) else []
    merged = _merge_list(live, value, member) if value is not None else live
    place = {identify(element): index for index, element in enumerate(live)}
    ours = sorted((e for e in merged if identify(e) in rank), key=lambda e: rank[identify(e)])
    theirs = sorted((e for e in merged if identify(e) not in rank), key=lambda e: place.get(identify(e), len(place)))
    ordered: list[Any] = []
    while ours and theirs:
        left, right = place.get(identify(theirs[0])), place.get(identify(ours[0]))
        first = theirs if left is not None and right is not None and left < right else ours
        ordered.append(first.pop(0))
    result[name] = ordered + theirs + ours


def _maps(elements: Iterable[Any]) -> list[dict[str, Any]]:
    maps = [element for element in elements if isinstance(element, dict)]
    if len(maps) != len(list(elements)):
        raise bad_request("invalid patch format of setElementOrder list")
    return maps


def _identity(element: dict[str, Any], key: str) -> Any:
    if key not in element:
        raise unexpected(f"map: {go_text(element)} does not contain declared merge key: {key}")
    return element[key]


def _clean(value: Any) -> Any:
    """A value taken over whole: without directives and without nulls."""
    if isinstance(value, dict):
        return {
            name: _clean(member)
            for name, member in value.items()
            if member is not None
            and name not in (_PATCH, _RETAIN_KEYS)
            and not name.startswith((_SET_ORDER, _DELETE_PRIMITIVE))
        }
    if isinstance(value, list):
        return [_clean(item) for item in value if not (isinstance(item, dict) and item.get(_PATCH) == "delete")]
    return value


def go_text(value: Any) -> str:
    """A value as Go's ``%v`` prints it."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{name}:{go_text(member)}' for name, member in sorted(value.items()))}]"
    if isinstance(value, list):
        return _go_list(value)
    return "<nil>" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _go_list(values: list[Any]) -> str:
    return f"[{' '.join(map(go_text, values))}]"

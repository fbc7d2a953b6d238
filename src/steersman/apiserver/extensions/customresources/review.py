"""The question that is put to a conversion webhook, and what may be made of the answer (``ConversionReview``).

Objects are JSON data.  Of an object's metadata a webhook changes labels and annotations; all else stays as it was.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from steersman.api.errors import go_value
from steersman.api.json_text import syntax_fault
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.unstructured import Tree
from steersman.api.validation import meta
from steersman.api.validation.faults import Faults

from .go_types import go_type

VERSIONS = ("v1", "v1beta1")
_GROUP = "apiextensions.k8s.io"


class Review(NamedTuple):
    """A question: its body, and what its answer must repeat."""

    uid: str
    version: str
    body: bytes


class Unusable(Exception):
    """An answer that is none; ``malformed`` where it says nothing of the objects at all."""

    def __init__(self, text: str, *, malformed: bool = False) -> None:
        super().__init__(text)
        self.malformed = malformed


class _Result(msgspec.Struct):
    status: str | None = None
    message: str | None = None


class _Response(msgspec.Struct, rename="camel"):
    uid: str | None = None
    converted_objects: list[msgspec.Raw] | None = None
    result: _Result | None = None


class _Answer(msgspec.Struct, rename="camel"):
    kind: str | None = None
    api_version: str | None = None
    response: _Response | None = None


_decode = msgspec.json.Decoder(_Answer).decode


def review(objects: Sequence[bytes], target: str, accepted: Sequence[str]) -> Review:
    """The question about objects in the first version that we both speak; raises Unusable where there is none."""
    version = next((each for each in accepted if each in VERSIONS), "")
    if not version:
        raise Unusable("no supported conversion review versions")
    uid = str(uuid.uuid4())
    request = {"uid": uid, "desiredAPIVersion": target, "objects": [msgspec.Raw(each) for each in objects]}
    body = {"kind": "ConversionReview", "apiVersion": f"{_GROUP}/{version}", "request": request}
    return Review(uid, version, msgspec.json.encode(body))


def answered(asked: Review, body: bytes) -> list[msgspec.Raw]:
    """The objects of an answer, unread; raises Unusable where it is no answer to the question, or says no."""
    if not body:
        raise Unusable("0-length response with status code: 200 and content type: application/json")
    try:
        answer = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        fault = f"couldn't get version/kind; json parse error: {syntax_fault(body) or error}"
        raise Unusable(fault) from None
    response = answer.response
    if asked.version == "v1":
        found = f"{answer.api_version or '/'}, Kind={answer.kind or ''}"
        wanted = f"{_GROUP}/v1, Kind=ConversionReview"
        if found != wanted:
            raise Unusable(f"expected webhook response of {wanted}, got {found}", malformed=True)
    if response is None:
        raise Unusable("no response provided", malformed=True)
    if asked.version == "v1" and response.uid != asked.uid:
        told = f"expected response.uid={go_value(asked.uid)}, got {go_value(response.uid or '')}"
        raise Unusable(told, malformed=True)
    result = response.result or _Result()
    if result.status != "Success":
        told = result.message or f"response.result.status was '{result.status or ''}', not 'Success'"
        raise Unusable(told, malformed=True)
    return response.converted_objects or []


def converted(original: Tree, raw: bytes | msgspec.Raw, target: str, index: int, *, alone: bool) -> Tree:
    """The object that a webhook made of another one; raises Unusable, to be read after ``returned``.

    ``index`` is its place in the answer; ``alone`` says that it is the only one, of which upstream speaks otherwise.
    """
    invalid = "invalid object" if alone else f"invalid converted object at index {index}"
    placed = "invalid object at index 0" if alone else invalid
    try:
        tree = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unusable(f"{placed}: {error}") from None
    if not isinstance(tree, dict) or not isinstance(tree.get("kind"), str) or not tree["kind"]:
        shown = bytes(raw)[:1000].decode("utf-8", "replace")
        raise Unusable(f"{placed}: Object 'Kind' is missing in '{shown}'")
    version = tree.get("apiVersion")
    if version != target:
        told = version if isinstance(version, str) else ""
        raise Unusable(f"{placed}: invalid groupVersion (expected {target}, received {told})")
    if tree["kind"] != original["kind"]:
        raise Unusable(f"{placed}: invalid kind (expected {original['kind']}, received {tree['kind']})")
    if fault := _identity_fault(original["metadata"], tree.get("metadata")):
        raise Unusable(f"{invalid}: {fault}")
    try:
        tree["metadata"] = _metadata(original["metadata"], tree)
    except Unusable as fault:
        where = "metadata" if alone else f"metadata in object at index {index}"
        raise Unusable(f"invalid {where}: {fault}") from None
    return tree


def _identity_fault(before: Tree, after: Any) -> str:
    found = after if isinstance(after, dict) else {}
    for name, told in (("name", "name"), ("namespace", "namespace"), ("uid", "UID")):
        left, right = before.get(name, ""), found.get(name)
        right = right if isinstance(right, str) else ""
        if left != right:
            return f"must have the same {told}: {left} != {right}"
    return ""


def _metadata(before: Tree, tree: Tree) -> Tree:
    """The metadata of an original, with the labels and annotations of what it became."""
    if "metadata" not in tree:
        raise Unusable("missing metadata in converted object")
    after = tree["metadata"]
    if not isinstance(after, dict):
        raise Unusable(f"invalid metadata of type {go_type(after)} in converted object")
    result = {name: value for name, value in before.items() if name not in ("labels", "annotations")}
    for name in ("labels", "annotations"):
        values = after.get(name)
        if values is None:
            continue
        if not isinstance(values, dict):
            raise Unusable(f"invalid metadata.{name} of type {go_type(values)} in converted object")
        for key, value in values.items():
            if not isinstance(value, str):
                found = go_type(value)
                raise Unusable(f"metadata.{name}[{key}] must be a string, but is {found} in converted object")
        if values != before.get(name, {}) and (fault := _fault(name, values)):
            raise Unusable(fault)
        if values:
            result[name] = values
    return result


def _fault(name: str, values: dict[str, str]) -> str:
    """What is wrong with labels or annotations, in the words of an aggregate."""
    faults = Faults()
    if name == "labels":
        faults.labels("metadata.labels", values)
    else:
        meta.annotation_rules(faults, ObjectMeta(annotations=values), "metadata.annotation")
    told = list(dict.fromkeys(map(str, faults)))
    return told[0] if len(told) == 1 else f"[{', '.join(told)}]" if told else ""

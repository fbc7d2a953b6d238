"""Stages from files of kwok's ``Stage``: read, checked, and made what the engine works with."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import msgspec

from steersman.api.scheme import Resource
from steersman.api.time import parse_rfc3339
from steersman.api.yaml import YAMLError, load_documents, load_yaml
from steersman.client.client import Patch

from .cel_expressions import compile_condition, compile_number, compile_seconds
from .durations import parse_duration
from .gotemplate import Template, TemplateError
from .kwok_stage import (
    API_VERSION,
    Delay,
    Finalizers,
    From,
    KwokStage,
    Requirement,
    ResourceRef,
    Selector,
    StageApply,
    StageEvent,
    StagePatch,
    Step,
)
from .queries import Query, compile_query
from .stage import Act, Amend, Apply, Outcome, Stage, StageFault, Subject, Tell, resource_of
from .template_functions import OBJECT_FUNCTIONS, TEMPLATE_FUNCTIONS
from .usage import KINDS as USAGE_KINDS
from .usage import UsageRule

T = TypeVar("T")
R = TypeVar("R")

ON_NODES = (("v1", "Pod"), ("v1", "Node"))
"""Kinds whose objects are simulated nodes, or on them; of others all objects go through stages."""

PATCH_TYPES = {
    "strategic": "application/strategic-merge-patch+json",
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
}


def load_stages(path: Path) -> tuple[Stage, ...]:
    """The stages of a file or directory; raises ValueError that names what is wrong with which, OSError for no file."""
    found = [_read(each, path, KwokStage, compile_stage) for each in _documents(path) if each["kind"] == "Stage"]
    for (_, kind, name), number in Counter((*stage.is_of, stage.name) for stage in found).items():
        if number > 1:
            raise ValueError(f"{path}: there are {number} stages {name!r} of {kind}: each needs a name of its own")
    return tuple(found)


def load_usages(path: Path) -> tuple[UsageRule, ...]:
    """What a file says of the use of resources; raises ValueError, OSError."""

    def checked(rule: UsageRule) -> UsageRule:
        rule.check()
        return rule

    return tuple(_read(each, path, UsageRule, checked) for each in _documents(path) if each["kind"] in USAGE_KINDS)


def _documents(path: Path) -> list[dict[str, Any]]:
    """All of kwok's kinds that are known here, of a file or of those of a directory."""
    files = sorted(each for each in path.iterdir() if _is_manifest(each)) if path.is_dir() else [path]
    found = [document for file in files for document in _documents_of(file)]
    if not found:
        raise ValueError(f"{path}: there are no stages")
    return found


def _is_manifest(path: Path) -> bool:
    return path.suffix in (".yaml", ".yml", ".json") and path.stem != "kustomization" and path.is_file()


def _documents_of(path: Path) -> list[dict[str, Any]]:
    try:
        documents = [each for each in load_documents(path.read_bytes()) if each]
    except YAMLError as error:
        raise ValueError(f"{path}: {error}") from None
    return [found for each in documents for found in _listed(each, path)]


def _listed(document: Any, path: Path) -> list[dict[str, Any]]:
    if not isinstance(document, dict):
        raise ValueError(f"{path}: expected an object, got {type(document).__name__}")
    if str(document.get("kind")).endswith("List"):
        items = document.get("items") or []
        if not isinstance(items, list):
            raise ValueError(f"{path}: items: expected a list, got {type(items).__name__}")
        return [found for each in items for found in _listed(each, path)]
    if document.get("apiVersion") != API_VERSION or document.get("kind") not in ("Stage", *USAGE_KINDS):
        what = f"{document.get('apiVersion')} {document.get('kind')} {_name(document)!r}"
        raise ValueError(f"{path}: {what} is no stage; expected {API_VERSION} Stage")
    return [document]


def _name(document: dict[str, Any]) -> str:
    metadata = document.get("metadata")
    return str(metadata.get("name", "")) if isinstance(metadata, dict) else ""


def _read(document: dict[str, Any], path: Path, type_: type[T], make: Callable[[T], R]) -> R:
    try:
        return make(msgspec.convert(document, type_))
    except (ValueError, msgspec.ValidationError) as error:
        what = "stage" if document["kind"] == "Stage" else document["kind"]
        raise ValueError(f"{path}: {what} {_name(document)!r}: {error}") from None


def compile_stage(written: KwokStage) -> Stage:
    """What a stage says, as closures; raises ValueError for what it cannot say."""
    spec, name = written.spec, written.metadata.name
    if not name:
        raise ValueError("metadata.name: a stage needs one")
    resource = _resource(spec.resource_ref)
    if (spec.next is None) == (not spec.steps):
        raise ValueError("spec: one of next and steps is needed")
    moves = spec.delay is not None and bool(spec.delay.duration_from or spec.delay.jitter_duration_from)
    on_node = (resource.group_version, resource.kind) in ON_NODES
    return Stage(
        name=name,
        api_version=resource.group_version,
        kind=resource.kind,
        matches=_matches(spec.selector, resource),
        weight=_weight(spec.weight, spec.weight_from, resource),
        delay=_delay(spec.delay, resource) if spec.delay is not None else None,
        delay_moves=moves,
        next=_next(_Maker(name, on_node=on_node), _steps(written, on_node=on_node)),
        immediate_next=spec.immediate_next_stage,
    )


def _resource(reference: ResourceRef) -> Resource[Any]:
    version = "v1" if reference.api_group in ("", "core/v1") else reference.api_group
    try:
        return resource_of(version, reference.kind)
    except ValueError as error:
        raise ValueError(f"resourceRef: {error}") from None


# Which objects --------------------------------------------------------------------------------------------------


def _matches(selector: Selector | None, resource: Resource[Any]) -> Callable[[Subject], bool]:
    if selector is None:
        return lambda _: False
    labels, annotations = selector.match_labels.items(), selector.match_annotations.items()
    requirements = [_requirement(each, resource) for each in selector.match_expressions]

    def matches(subject: Subject) -> bool:
        metadata = subject.object.metadata
        if any(metadata.labels.get(key) != value for key, value in labels):
            return False
        if any(metadata.annotations.get(key) != value for key, value in annotations):
            return False
        return all(holds(subject) for holds in requirements)

    return matches


def _requirement(written: Requirement, resource: Resource[Any]) -> Callable[[Subject], bool]:
    forms = (written.expression or written.cel, written.key or written.jq)
    if sum(map(bool, forms)) != 1:
        raise ValueError("selector: an expression is one of key, jq, expression and cel")
    if written.cel is not None or written.expression:
        return compile_condition(written.cel.expression if written.cel is not None else written.expression, resource)
    key, operator, values = written.key, written.operator, frozenset(written.values)
    if written.jq is not None:
        key, operator, values = written.jq.key, written.jq.operator, frozenset(written.jq.values)
    if operator in ("In", "NotIn"):
        if not values:
            raise ValueError(f"selector: {operator} needs values")
    elif operator not in ("Exists", "DoesNotExist"):
        raise ValueError(f"selector: there is no operator {operator!r}; choose In, NotIn, Exists or DoesNotExist")
    elif values:
        raise ValueError(f"selector: {operator} takes no values")
    query = compile_query(key)
    wanted = operator in ("In", "Exists")
    if operator in ("Exists", "DoesNotExist"):
        return lambda subject: any(each is not None for each in query(subject.tree)) is wanted
    return lambda subject: any(_as_text(each) in values for each in query(subject.tree)) is wanted


def _as_text(value: Any) -> str | None:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
    return None


# How likely, and when -------------------------------------------------------------------------------------------


def _in_cel(source: From | None) -> str | None:
    """The expression where that is one in CEL; raises ValueError where it is not one of its forms."""
    if source is not None and sum(map(bool, (source.jq, source.cel, source.expression_from))) != 1:
        raise ValueError("an expression is one of expressionFrom, jq and cel")
    return source.cel.expression if source is not None and source.cel is not None else None


def _query(source: From | None) -> Query | None:
    if source is None:
        return None
    return compile_query(source.jq.expression if source.jq is not None else source.expression_from)


def _first(query: Query | None, subject: Subject) -> Any:
    """The first result; None where there is none."""
    return next(iter(query(subject.tree)), None) if query is not None else None


def _weight(constant: int, source: From | None, resource: Resource[Any]) -> Callable[[Subject], int | None]:
    if (text := _in_cel(source)) is not None:
        return compile_number(text, resource)
    query = _query(source)
    if query is None:
        return lambda _: constant

    def weight(subject: Subject) -> int | None:
        found = _first(query, subject)
        if isinstance(found, str):
            try:
                return int(found, 0)
            except ValueError:
                return None
        return int(found) if isinstance(found, int | float) else constant

    return weight


def _delay(delay: Delay, resource: Resource[Any]) -> Callable[[Subject], float]:
    duration = _seconds(delay.duration_milliseconds or 0, delay.duration_from, resource)
    jitter = _seconds(delay.jitter_duration_milliseconds, delay.jitter_duration_from, resource)

    def seconds(subject: Subject) -> float:
        low, high = duration(subject), jitter(subject)
        if low is None:
            return 0.0
        return _between(low, high, subject.rng)

    return seconds


def _between(low: float, high: float | None, rng: random.Random) -> float:
    if high is None:
        return low
    return high if high <= low else rng.uniform(low, high)


def _seconds(
    milliseconds: int | None, source: From | None, resource: Resource[Any]
) -> Callable[[Subject], float | None]:
    if (text := _in_cel(source)) is not None:
        return compile_seconds(text, resource)
    constant = milliseconds / 1000 if milliseconds is not None else None
    query = _query(source)
    if query is None:
        return lambda _: constant

    def seconds(subject: Subject) -> float | None:
        found = _first(query, subject)
        if not isinstance(found, str):
            return constant
        try:
            return _remaining(parse_rfc3339(found), subject.instant)
        except ValueError:
            pass
        try:
            return parse_duration(found)
        except ValueError:
            return None

    return seconds


def _remaining(until: datetime, since: datetime) -> float:
    return (until - since).total_seconds()


# What it brings about -------------------------------------------------------------------------------------------


def _steps(written: KwokStage, *, on_node: bool) -> tuple[Step, ...]:
    spec = written.spec
    if spec.next is None:
        return spec.steps
    following = spec.next
    if following.status_patch_as is not None:
        raise ValueError("next: statusPatchAs is not available here: nobody is impersonated")
    if on_node and following.status_subresource != "status":
        raise ValueError("next: statusSubresource is not available for Pods and Nodes")
    first = Step(event=following.event, finalizers=following.finalizers)
    if following.delete:
        return (first, Step(delete=True))
    patches = following.patches
    if following.status_template:
        patches = (
            *patches,
            StagePatch(subresource=following.status_subresource, root="status", template=following.status_template),
        )
    return (first, *(Step(patch=each) for each in patches))


class _Maker(NamedTuple):
    """What makes the parts of a stage."""

    stage: str
    on_node: bool

    def template(self, text: str) -> Template:
        return Template(self.stage, text, TEMPLATE_FUNCTIONS if self.on_node else OBJECT_FUNCTIONS)


def _next(maker: _Maker, steps: tuple[Step, ...]) -> Callable[[Subject], Outcome]:
    parts: list[Part] = []
    deletes = False
    for step in steps:
        if step.event is not None:
            parts.append(_event(maker, step.event))
        if not deletes:  # of what is gone there is nothing to change
            parts += _changes(maker, step)
            deletes = step.delete

    def next_(subject: Subject) -> Outcome:
        return Outcome(acts=tuple(act for part in parts if (act := part(subject)) is not None), delete=deletes)

    return next_


Part = Callable[[Subject], Act | None]


def _changes(maker: _Maker, step: Step) -> list[Part]:
    parts: list[Part] = []
    if step.finalizers is not None:
        parts.append(_finalizers(step.finalizers))
    if step.patch is not None and not step.delete:
        parts.append(_patch(maker, step.patch))
    if step.apply is not None and not step.delete:
        parts.append(_apply(maker, step.apply))
    return parts


def _event(maker: _Maker, event: StageEvent) -> Part:
    template = maker.template(event.message)
    return lambda subject: Tell(event.type, event.reason, _executed(template, subject))


def _executed(template: Template, subject: Subject) -> str:
    try:
        return template.execute(subject.tree, subject)
    except TemplateError as error:
        raise StageFault(str(error)) from error


def _finalizers(written: Finalizers) -> Part:
    added, removed = [each.value for each in written.add], {each.value for each in written.remove}

    def part(subject: Subject) -> Amend | None:
        metadata = subject.object.metadata
        kept = [] if written.empty else [each for each in metadata.finalizers if each not in removed]
        wanted = [*kept, *(each for each in added if each not in kept)]
        if wanted == metadata.finalizers:
            return None
        body = {"metadata": {"finalizers": wanted, "uid": metadata.uid, "resourceVersion": metadata.resource_version}}
        return Amend(Patch("application/merge-patch+json", msgspec.json.encode(body)))

    return part


def _patch(maker: _Maker, written: StagePatch) -> Part:
    if written.type and written.type not in PATCH_TYPES:
        raise ValueError(f"patch: there is no type {written.type!r}; choose json, merge or strategic")
    if written.impersonation is not None:
        raise ValueError("patch: impersonation is not available here")
    media_type = cast("Any", PATCH_TYPES[written.type or ("strategic" if maker.on_node else "merge")])
    template = maker.template(written.template.strip())

    def part(subject: Subject) -> Amend | None:
        content = _made(_executed(template, subject))
        if written.type == "json":
            content = _operations(written.root, content)
        else:
            content = {written.root: content} if written.root else _mapping(content)
            # Not another object of the same name that was made meanwhile.
            content["metadata"] = {**_mapping(content.get("metadata")), "uid": subject.object.metadata.uid}
        return Amend(Patch(media_type, msgspec.json.encode(content)), written.subresource)

    return part


def _apply(maker: _Maker, written: StageApply) -> Part:
    template = maker.template(written.template.strip())

    def part(subject: Subject) -> Apply:
        content = _mapping(_made(_executed(template, subject)))
        metadata = _mapping(content.get("metadata"))
        if not content.get("apiVersion") or not content.get("kind") or not metadata.get("name"):
            raise StageFault("its template makes an object without apiVersion, kind or name")
        return Apply(content, written.subresource)

    return part


def _made(text: str) -> Any:
    try:
        return load_yaml(text.encode())
    except YAMLError as error:
        raise StageFault(f"its template makes no YAML: {error}") from None


def _mapping(content: Any) -> dict[str, Any]:
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise StageFault(f"its template makes {_shown(content)}, and no object")
    return content


def _operations(root: str, content: Any) -> list[dict[str, Any]]:
    operations = [] if content is None else content
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise StageFault(f"its template makes {_shown(content)}, and no operations of a JSON patch")
    if not root:
        return operations
    return [{**each, "path": f"/{root}{each.get('path', '')}"} for each in operations]


def _shown(content: Any) -> str:
    shown = repr(content)
    return shown if len(shown) <= 60 else f"{shown[:60]}…"

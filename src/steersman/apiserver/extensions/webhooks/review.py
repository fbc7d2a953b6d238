"""The question that is put to an admission webhook, and what may be made of the answer (``admission.k8s.io``)."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

import msgspec

from steersman.api import codecs
from steersman.api.errors import StatusError, go_value
from steersman.api.json_text import FieldProblem, load_json, syntax_fault
from steersman.api.lenient import json_kind, read_tree
from steersman.api.scheme import Resource
from steersman.api.types.authentication_v1 import UserInfo
from steersman.api.types.meta_v1 import Status
from steersman.apiserver.admission.plugin import Request
from steersman.apiserver.extensions.webhook_client import CallFailed

from .admission_v1 import AdmissionResponse, AdmissionReview

VERSIONS = ("v1", "v1beta1")
_OPTIONS = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}


class Review(NamedTuple):
    """A question: its body, and what its answer must repeat."""

    uid: str
    version: str
    body: bytes


class Verdict(NamedTuple):
    """An answer.  ``patch`` are the operations of a JSON patch, ``annotations`` is for the audit log."""

    allowed: bool
    status: Status | None
    patch: list[Any]
    warnings: list[str]
    annotations: dict[str, str]


_decode = msgspec.json.Decoder(AdmissionReview).decode


def review(request: Request, accepted: list[str], told_as: Resource[Any], obj: Any, old: Any) -> Review:
    """The question about a request in the first version that we both speak; raises CallFailed where there is none.

    ``told_as`` is the resource in the version in which ``obj`` and ``old`` are.
    """
    version = next((each for each in accepted if each in VERSIONS), "")
    if not version:
        raise CallFailed("webhook does not accept known AdmissionReview versions (v1, v1beta1)")
    uid, own = str(uuid.uuid4()), request.resource
    user = request.user
    namespace = request.namespace
    if own.name == "namespaces" and not own.group:
        namespace = request.name
    tree: dict[str, Any] = {
        "uid": uid,
        "kind": _kind(obj if obj is not None else old, told_as),
        "resource": _resource(told_as),
        "requestKind": _kind(request.obj if request.obj is not None else request.old, own),
        "requestResource": _resource(own),
        "name": request.name,
        "namespace": namespace,
        "operation": request.verb,
        "userInfo": UserInfo(username=user.name, uid=user.uid, groups=list(user.groups), extra=dict(user.extra)),
        "object": _raw(obj),
        "oldObject": _raw(old),
        "dryRun": request.dry_run,
        "options": _options(request),
    }
    if request.subresource:
        tree |= {"subResource": request.subresource, "requestSubResource": request.subresource}
    body = {"kind": "AdmissionReview", "apiVersion": f"admission.k8s.io/{version}", "request": tree}
    return Review(uid, version, codecs.encode(body))


def _kind(obj: Any, resource: Resource[Any]) -> dict[str, str]:
    """That of the object: what is posted below a resource is of another kind than the resource."""
    if obj is None:
        return {"group": resource.group, "version": resource.version, "kind": resource.kind}
    group, _, version = obj.api_version.rpartition("/")
    return {"group": group, "version": version, "kind": obj.kind}


def _resource(resource: Resource[Any]) -> dict[str, str]:
    return {"group": resource.group, "version": resource.version, "resource": resource.name}


def _raw(obj: Any) -> msgspec.Raw | None:
    return msgspec.Raw(codecs.encode(obj)) if obj is not None else None


def _options(request: Request) -> Any:
    if request.options is not None:
        return {**codecs.to_builtins(request.options), "kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1"}
    kind = _OPTIONS.get(request.verb)
    if kind is None:
        return None
    options: dict[str, Any] = {"kind": kind, "apiVersion": "meta.k8s.io/v1"}
    if request.dry_run:
        options["dryRun"] = ["All"]
    if request.field_manager:
        options["fieldManager"] = request.field_manager
    return options


def verdict(asked: Review, body: bytes, *, mutating: bool) -> Verdict:
    """What an answer says; raises CallFailed where it is no answer to the question."""
    answer = _read(body)
    response = answer.response
    if response is None:
        raise _invalid("webhook response was absent")
    if asked.version == "v1":
        if response.uid != asked.uid:
            raise _invalid(f'expected response.uid="{asked.uid}", got {go_value(response.uid)}')
        if (answer.api_version, answer.kind) != ("admission.k8s.io/v1", "AdmissionReview"):
            version = answer.api_version if "/" in answer.api_version else f"/{answer.api_version}"
            found = f"{version}, Kind={answer.kind}"
            raise _invalid(f"expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got {found}")
    patch = _patch(response, asked.version) if mutating else _no_patch(response, asked.version)
    status = None
    if response.status is not None:
        given = response.status
        status = Status(
            status=given.status, message=given.message, reason=given.reason, code=given.code, details=given.details
        )
    return Verdict(response.allowed, status, patch, response.warnings, response.audit_annotations)


def _read(body: bytes) -> AdmissionReview:
    """What was answered; raises CallFailed in the words of Go's decoder."""
    if not body:
        raise _unreadable("0-length response with status code: 200 and content type: application/json")
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass  # null says nothing in any place, base64 may be wrapped
    try:
        tree = load_json(body)
    except FieldProblem as error:
        raise _unreadable(f"couldn't get version/kind; json parse error: {error}") from None
    try:
        return read_tree(AdmissionReview, tree)
    except FieldProblem as error:
        raise _unreadable(str(error)) from None


def _unreadable(problem: str) -> CallFailed:
    return CallFailed(f"failed to call webhook: {problem}")


def _patch(response: AdmissionResponse, version: str) -> list[Any]:
    if version == "v1":
        if response.patch and response.patch_type is None:
            raise _invalid("webhook returned response.patch but not response.patchType")
        if not response.patch and response.patch_type is not None:
            raise _invalid("webhook returned response.patchType but not response.patch")
        if response.patch_type == "":
            raise _invalid('webhook returned invalid response.patchType of ""')
    if not response.patch:
        return []
    if response.patch_type not in (None, "JSONPatch"):
        raise CallFailed(f"unsupported patch type {go_value(response.patch_type)}")
    try:
        operations: Any = msgspec.json.decode(response.patch)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _undecodable(syntax_fault(response.patch) or str(error)) from None
    if operations is None:
        return []
    if not isinstance(operations, list):
        raise _undecodable(f"json: cannot unmarshal {json_kind(operations)} into Go value of type jsonpatch.Patch")
    for each in operations:
        if each is not None and not isinstance(each, dict):
            raise _undecodable(f"json: cannot unmarshal {json_kind(each)} into Go value of type jsonpatch.Operation")
    return operations


def _undecodable(problem: str) -> CallFailed:
    return CallFailed(f"received undecodable patch in webhook response: {problem}")


def _no_patch(response: AdmissionResponse, version: str) -> list[Any]:
    if version == "v1":
        if response.patch:
            raise _invalid("validating webhook may not return response.patch")
        if response.patch_type is not None:
            raise _invalid("validating webhook may not return response.patchType")
    return []


def _invalid(problem: str) -> CallFailed:
    return CallFailed(f"received invalid webhook response: {problem}")


def denied(name: str, status: Status | None) -> StatusError:
    """The refusal that a webhook decided on, with the code and the words that it gives."""
    result = status if status is not None else Status()
    result.code = result.code if result.code and result.code >= 400 else 400
    result.status = "Failure"
    by = f"admission webhook {go_value(name)} denied the request"
    if result.message or result.reason:
        result.message = f"{by}: {result.message or result.reason}"
    else:
        result.message = f"{by} without explanation"
    return StatusError(result)

"""Resources that nobody stores: reviews answer a question, bindings act on a pod, component statuses ask around."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from steersman.api import codecs
from steersman.api.errors import (
    FieldError,
    bad_request,
    forbidden_field,
    invalid,
    invalid_value,
    method_not_supported,
    not_found,
    service_unavailable,
)
from steersman.api.errors import required as required_field
from steersman.api.scheme import Resource
from steersman.api.types import authentication_v1, authorization_v1, core_v1
from steersman.api.types.meta_v1 import DeleteOptions, ObjectMeta, Status
from steersman.api.user import User
from steersman.apiserver.admission.plugin import Chain, Request
from steersman.apiserver.seams import Attributes, Surroundings
from steersman.client.client import Patch
from steersman.storage.watch_cache import Entry

from .contract import Context, ListOptions, Page, Subscription, WatchSink
from .strategies.binding import bind
from .strategy import Handlers
from .watching import Selection

_STATUS = msgspec.json.Decoder(Status)

Create = Callable[[Context, str, Any], Awaitable[Any]]


class EphemeralHandler:
    """A resource without a store.  What a resource does not serve is refused with 405."""

    def __init__(self, resource: Resource[Any], create: Create | None = None, admission: Chain | None = None) -> None:
        self.resource = resource
        self._create = create
        self._admission = admission

    def _refuse(self, verb: str) -> Exception:
        return method_not_supported(self.resource.name, verb, self.resource.group)

    def _entry(self, obj: Any) -> Entry[Any]:
        if isinstance(obj, Status):
            return Entry(self.resource.key(), 0, codecs.encode(obj), _STATUS.decode)
        key = self.resource.key(obj.metadata.namespace, obj.metadata.name)
        return Entry(key, 0, codecs.encode(obj), self.resource.decode)

    async def create(self, context: Context, namespace: str, obj: Any) -> Entry[Any]:
        """Answer an object."""
        if self._create is None:
            raise self._refuse("create")
        if self._admission is not None:
            request = Request(
                "CREATE", self.resource, "", namespace, obj.metadata.name, obj, None, context.user,
                dry_run=context.dry_run, warnings=context.warnings,
                annotations=context.annotations, field_manager=context.field_manager, own=context.own,
            )  # fmt: skip
            await self._admission.admit(request)
        return self._entry(await self._create(context, namespace, obj))

    async def get(self, namespace: str, name: str, *, resource_version: str = "") -> Entry[Any]:
        """See :class:`.contract.ResourceHandler`, as for every method here."""
        raise self._refuse("get")

    async def list(self, namespace: str, options: ListOptions) -> Page:
        raise self._refuse("list")

    async def watch(self, namespace: str, options: ListOptions, sink: WatchSink) -> Subscription:
        raise self._refuse("watch")

    async def update(
        self, context: Context, namespace: str, name: str, obj: Any, *, subresource: str = "", lent: bool = False
    ) -> tuple[Entry[Any], bool]:
        raise self._refuse("update")

    async def patch(
        self, context: Context, namespace: str, name: str, patch: Patch, *, subresource: str = ""
    ) -> tuple[Entry[Any], bool]:
        raise self._refuse("patch")

    async def delete(self, context: Context, namespace: str, name: str, options: DeleteOptions) -> Entry[Any] | Status:
        raise self._refuse("delete")

    async def delete_collection(
        self, context: Context, namespace: str, options: ListOptions, delete_options: DeleteOptions
    ) -> Page:
        raise self._refuse("deletecollection")

    async def get_subresource(self, namespace: str, name: str, subresource: str) -> Any:
        raise self._refuse("get")

    async def update_subresource(
        self, context: Context, namespace: str, name: str, subresource: str, transform: Callable[[Any], Any]
    ) -> Any:
        raise self._refuse("update")

    async def patch_subresource(
        self, context: Context, namespace: str, name: str, subresource: str, patch: Patch
    ) -> Any:
        raise self._refuse("patch")

    async def create_subresource(self, context: Context, namespace: str, name: str, subresource: str, body: Any) -> Any:
        raise self._refuse("create")


class ComponentStatuses(EphemeralHandler):
    """How the control plane's components are, asked when somebody wants to know."""

    def __init__(self, resource: Resource[Any], surroundings: Surroundings) -> None:
        super().__init__(resource)
        self._surroundings = surroundings

    async def _ask(self, name: str) -> Entry[Any]:
        status = core_v1.ComponentStatus()
        status.metadata.name = name
        condition = core_v1.ComponentCondition(type="Healthy")
        try:
            async with asyncio.timeout(5):
                condition.message = await self._surroundings.component_checks[name]()
            condition.status = "True"
        except Exception as error:
            condition.status, condition.message = "False", str(error) or "timeout"
        status.conditions = [condition]
        return self._entry(status)

    async def get(self, namespace: str, name: str, *, resource_version: str = "") -> Entry[Any]:
        if name not in self._surroundings.component_checks:
            raise not_found(self.resource.name, name)
        return await self._ask(name)

    async def list(self, namespace: str, options: ListOptions) -> Page:
        select = Selection(self.resource, options.label_selector, options.field_selector).select
        asked = await asyncio.gather(*(self._ask(name) for name in sorted(self._surroundings.component_checks)))
        return Page([entry for entry in asked if select is None or select(entry)], "")


class Reviews:
    """The questions that ``authentication.k8s.io`` and ``authorization.k8s.io`` answer."""

    def __init__(self, surroundings: Surroundings, cluster: Handlers) -> None:
        self._surroundings = surroundings
        self._cluster = cluster
        self.table: dict[str, Create] = {
            "selfsubjectreviews": self.self_subject,
            "tokenreviews": self.token,
            "localsubjectaccessreviews": self.local_access,
            "selfsubjectaccessreviews": self.self_access,
            "selfsubjectrulesreviews": self.self_rules,
            "subjectaccessreviews": self.access,
            "bindings": self.bind,
        }

    async def self_subject(self, context: Context, namespace: str, obj: authentication_v1.SelfSubjectReview) -> Any:
        """Answer who the caller is."""
        obj.metadata.creation_timestamp = self._cluster.now()
        obj.status = authentication_v1.SelfSubjectReviewStatus(user_info=_user_info(context.user))
        return obj

    async def token(self, context: Context, namespace: str, obj: authentication_v1.TokenReview) -> Any:
        """Answer whose token it is."""
        authenticator = self._surroundings.authenticator
        if authenticator is None:
            raise service_unavailable("this server authenticates no tokens")
        if not obj.spec.token:
            raise bad_request("token is required for TokenReview in authentication")
        found = await authenticator.authenticate_token(obj.spec.token, obj.spec.audiences)
        obj.status = authentication_v1.TokenReviewStatus()
        if found is not None:
            user, audiences = found
            obj.status.authenticated = True
            obj.status.user = _user_info(user)
            obj.status.audiences = list(audiences)
        else:
            obj.status.error = "invalid bearer token"
        return obj

    async def access(self, context: Context, namespace: str, obj: authorization_v1.SubjectAccessReview) -> Any:
        """Answer whether somebody may do something."""
        spec = obj.spec
        faults = _attribute_faults(spec)
        if not spec.user and not spec.groups:
            detail = "at least one of user or group must be specified"
            faults.append(invalid_value("spec.user", spec.user, detail))
        faults += _metadata_faults(obj.metadata)
        if faults:
            raise invalid(self._kind(obj), "", faults, "authorization.k8s.io")
        user = User(spec.user, tuple(spec.groups), spec.uid, spec.extra)
        obj.status = await self._decide(user, spec)
        return obj

    async def local_access(
        self, context: Context, namespace: str, obj: authorization_v1.LocalSubjectAccessReview
    ) -> Any:
        """Answer whether somebody may do something in this namespace."""
        attributes = obj.spec.resource_attributes
        if obj.spec.non_resource_attributes is not None:
            detail = "disallowed on this kind of request"
            fault = invalid_value("spec.nonResourceAttributes", obj.spec.non_resource_attributes, detail)
            raise invalid(self._kind(obj), "", [fault], "authorization.k8s.io")
        if attributes is not None and attributes.namespace != namespace:
            fault = invalid_value(
                "spec.resourceAttributes.namespace", attributes.namespace, "must match metadata.namespace"
            )
            raise invalid(self._kind(obj), "", [fault], "authorization.k8s.io")
        obj.metadata.namespace = ""
        answer = await self.access(context, namespace, obj)  # type: ignore[arg-type]
        answer.metadata.namespace = namespace
        return answer

    async def self_access(self, context: Context, namespace: str, obj: authorization_v1.SelfSubjectAccessReview) -> Any:
        """Answer whether the caller may do something."""
        if faults := _attribute_faults(obj.spec) + _metadata_faults(obj.metadata):
            raise invalid(self._kind(obj), "", faults, "authorization.k8s.io")
        obj.status = await self._decide(context.user, obj.spec)
        return obj

    async def self_rules(self, context: Context, namespace: str, obj: authorization_v1.SelfSubjectRulesReview) -> Any:
        """Answer what the caller may do in a namespace."""
        authorizer = self._surroundings.authorizer
        if authorizer is None:
            raise service_unavailable("this server authorizes nothing")
        if not obj.spec.namespace:
            raise bad_request("no namespace on request")
        obj.status = authorizer.rules(context.user, obj.spec.namespace)
        return obj

    async def bind(self, context: Context, namespace: str, obj: core_v1.Binding) -> Any:
        """Bind a pod: the old way to its ``binding`` subresource."""
        await self._cluster.handler_of(core_v1.Pod).ready()
        return await bind(self._cluster, context, namespace, obj.metadata.name, obj, admitted=True)

    async def _decide(self, user: User, spec: Any) -> authorization_v1.SubjectAccessReviewStatus:
        authorizer = self._surroundings.authorizer
        if authorizer is None:
            raise service_unavailable("this server authorizes nothing")
        if (resource := spec.resource_attributes) is not None:
            attributes = Attributes(
                user,
                resource.verb,
                resource.group,
                resource.version,
                resource.resource,
                resource.subresource,
                resource.namespace,
                resource.name,
            )
        else:
            attributes = Attributes(user, spec.non_resource_attributes.verb, path=spec.non_resource_attributes.path)
        decision = await authorizer.authorize(attributes)
        return authorization_v1.SubjectAccessReviewStatus(
            allowed=decision.allowed,
            denied=decision.denied or None,
            reason=decision.reason,
            evaluation_error=decision.error,
        )

    @staticmethod
    def _kind(obj: Any) -> str:
        kind: str = obj.kind
        return kind


def _attribute_faults(spec: Any) -> list[FieldError]:
    """What is wrong with the question that an access review asks."""
    resource, other = spec.resource_attributes, spec.non_resource_attributes
    faults: list[FieldError] = []
    if resource is not None and other is not None:
        detail = "cannot be specified in combination with resourceAttributes"
        faults.append(invalid_value("spec.nonResourceAttributes", other, detail))
    if resource is None and other is None:
        detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        faults.append(invalid_value("spec.resourceAttributes", None, detail))
    if resource is not None:
        for name, selector in (("fieldSelector", resource.field_selector), ("labelSelector", resource.label_selector)):
            if selector is not None:
                faults += _selector_faults(f"spec.resourceAttributes.{name}", selector)
    return faults


def _selector_faults(path: str, selector: Any) -> list[FieldError]:
    """A selector is raw or in requirements, not both."""
    if selector.raw_selector and selector.requirements:
        detail = "may not specified at the same time as requirements"
        return [invalid_value(f"{path}.rawSelector", selector.raw_selector, detail)]
    if not selector.raw_selector and not selector.requirements:
        detail = f"when {path} is specified, requirements or rawSelector is required"
        return [required_field(f"{path}.requirements", detail)]
    faults = []
    for index, requirement in enumerate(selector.requirements):
        place = f"{path}.requirements[{index}]"
        if requirement.operator in ("In", "NotIn") and not requirement.values:
            detail = "must be specified when `operator` is 'In' or 'NotIn'"
            faults.append(required_field(f"{place}.values", detail))
        elif requirement.operator in ("Exists", "DoesNotExist") and requirement.values:
            detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            faults.append(forbidden_field(f"{place}.values", detail))
        if not requirement.key:
            faults.append(required_field(f"{place}.key", "must be specified"))
    return faults


def _metadata_faults(meta: ObjectMeta) -> list[FieldError]:
    """A question has no name."""
    given = msgspec.structs.replace(meta, managed_fields=[], creation_timestamp=None)
    return [] if given == ObjectMeta() else [invalid_value("metadata", meta, "must be empty")]


def _user_info(user: User) -> authentication_v1.UserInfo:
    return authentication_v1.UserInfo(
        username=user.name,
        uid=user.uid,
        groups=list(user.groups),
        extra={key: list(values) for key, values in user.extra.items()},
    )

"""The REST verbs of all resources: one generic path from a request to a handler of the registry and back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from steersman.api.errors import bad_request, go_value, method_not_allowed, no_route, unsupported_media_type
from steersman.api.fields import parse_selector
from steersman.api.scheme import Resource, Scheme, Subresource
from steersman.api.time import now
from steersman.api.types.meta_v1 import Status
from steersman.apiserver.http.messages import Answer, Request
from steersman.apiserver.patch import ACCEPTED, APPLY_PATCH, STRATEGIC_MERGE_PATCH
from steersman.apiserver.registry.contract import Context, ResourceHandler
from steersman.apiserver.registry.metadata import check_name
from steersman.apiserver.seams import Now
from steersman.client.client import Patch
from steersman.storage.watch_cache import Entry

from .answers import entry_response, object_response, shaped_response, status_response
from .bodies import Bodies
from .connecting.admission import Admit, admitted
from .lists import list_response
from .options import delete_options, list_options, wants_watch, write_context
from .refusals import no_method
from .representation import Form, check_stream, negotiate
from .request_info import RequestInfo, has_gap
from .watching import Frames, open_watch

PATCH_TYPES = (*ACCEPTED, APPLY_PATCH)

MayCreate = Callable[[], Awaitable[None]]


class Connector(Protocol):
    """Serves the subresources that lead to a node: logs, exec, attach, port forwarding, proxying."""

    def serves(self, resource: Resource[Any], subresource: str) -> bool:
        """Whether a subresource is one of them."""
        ...

    async def connect(self, request: Request, info: RequestInfo, path: str | None = None) -> Answer: ...


DEPRECATED = {
    ("", "v1", "componentstatuses"): "v1 ComponentStatus is deprecated in v1.19+",
    ("", "v1", "endpoints"): "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
}
"""What the ``Warning`` header says to whoever uses a deprecated resource."""


class Resources:
    """All resources of a scheme.  ``handler`` finds the registry's handler of a resource, None where it has none."""

    def __init__(
        self,
        scheme: Scheme,
        handler: Callable[[Resource[Any]], ResourceHandler | None],
        *,
        is_served: Callable[[Resource[Any]], bool] = lambda resource: resource.served,
        connector: Connector | None = None,
        admit: Admit | None = None,
        now: Now = now,
    ) -> None:
        self._scheme = scheme
        self._handler = handler
        self._is_served = is_served
        self._connector = connector
        self._admit = admit
        self._now = now
        self._bodies = Bodies()
        self._frames: dict[tuple[str, str, str], Frames] = {}
        self._versions: tuple[int, set[tuple[str, str]]] = (-1, set())

    def serves(self, info: RequestInfo) -> bool:
        """Whether anything is served of a request's group and version, under a path in its plain form."""
        if not info.path.startswith("/apis/" if info.group else "/api/") or has_gap(info):
            return False
        if self._versions[0] != self._scheme.generation:
            served = {(each.group, each.version) for each in self._scheme if self._is_served(each)}
            self._versions = (self._scheme.generation, served)
        return (info.group, info.version) in self._versions[1]

    def watches(self) -> list[tuple[Resource[Any], int]]:
        """How many events watchers were sent, by resource."""
        return [(frames.resource, frames.sent) for frames in self._frames.values()]

    def knows(self, info: RequestInfo) -> bool:
        """Whether a request is for a resource, and a subresource, that exists."""
        resource = self._scheme.by_name(info.group, info.version, info.resource)
        return resource is not None and (not info.subresource or info.subresource in resource.subresources)

    async def handle(self, request: Request, info: RequestInfo, may_create: MayCreate | None = None) -> Answer:
        """Answer a request for a resource; raises StatusError.

        ``may_create`` raises where the caller may not create what it asks to update.
        """
        resource = self._scheme.by_name(info.group, info.version, info.resource)
        if resource is None or not self._is_served(resource):
            raise no_route()
        if info.verb == "proxy" or (info.verb == "watch" and info.subresource):
            # A prefix of the path that says what is authorized: ``/watch/`` before ``exec`` MUST NOT run a command.
            raise no_route()
        if request.method == "HEAD" and not self._connects(resource, info):
            raise no_method()
        if info.verb == "watch" and request.method not in ("GET", "HEAD"):
            # Authorized as a watch, by the prefix of its path: nothing else may come of it.
            raise no_method()
        namespace = info.namespace
        name = info.parts[1] if len(info.parts) > 1 else ""
        if resource.name == "namespaces" and not resource.group:
            if namespace and namespace != name:
                # A namespace below another one: authorized there, it would be served from everywhere.
                raise no_route()
            namespace = ""
        elif namespace and not resource.namespaced:
            raise no_route()
        handler = self._handler(resource)
        if handler is None:
            raise no_route()
        if name and resource.namespaced and not namespace:
            raise no_route()
        _check_segment(name)
        if warning := resource.deprecation or DEPRECATED.get((info.group, info.version, info.resource), ""):
            request.warnings.append(warning)
        if not name:
            return await self._collection(request, info, resource, handler, namespace)
        if info.subresource:
            return await self._subresource(request, info, resource, handler, namespace, name)
        return await self._object(request, resource, handler, namespace, name, info, may_create=may_create)

    def _connects(self, resource: Resource[Any], info: RequestInfo) -> bool:
        return self._connector is not None and self._connector.serves(resource, info.subresource)

    # -- collections ---------------------------------------------------------------------------------------------

    async def _collection(
        self, request: Request, info: RequestInfo, resource: Resource[Any], handler: ResourceHandler, namespace: str
    ) -> Answer:
        form = negotiate(request, tables=resource.verbs != ("create",), now=self._now)
        method = request.method
        if method in ("GET", "HEAD"):
            if wants_watch(request) or info.verb == "watch":
                _check_verb(resource, "watch")
                return await self._watch(request, resource, handler, namespace, form)
            _check_verb(resource, "list")
            page = await handler.list(namespace, list_options(request))
            return await list_response(resource, page, request, form)
        if resource.namespaced and not namespace:
            raise no_method()
        if method == "POST":
            _check_verb(resource, "create")
            if resource.terminating:
                raise method_not_allowed("create not allowed while custom resource definition is terminating")
            context = write_context(request, "CreateOptions")
            obj = await self._bodies.read(request, resource, context)
            _match_namespace(obj, namespace, resource)
            entry = await handler.create(context, namespace, obj)
            return entry_response(resource, entry, request, form, 201)
        if method == "DELETE":
            _check_verb(resource, "deletecollection")
            context = write_context(request, "DeleteOptions")
            options = delete_options(request)
            context.dry_run = context.dry_run or bool(options.dry_run)
            page = await handler.delete_collection(context, namespace, list_options(request), options)
            return await list_response(resource, page, request, form)
        raise no_method()

    async def _watch(
        self, request: Request, resource: Resource[Any], handler: ResourceHandler, namespace: str, form: Form
    ) -> Answer:
        check_stream(form)
        frames = self._frames_of(resource)
        return await open_watch(handler, resource, namespace, list_options(request), request, form, frames)

    def _frames_of(self, resource: Resource[Any]) -> Frames:
        """The frames that a resource's watchers share.  A changed definition makes a new resource of its name."""
        name = resource.group, resource.version, resource.name
        known = self._frames.get(name)
        if known is None or known.resource is not resource:
            self._frames = {each: frames for each, frames in self._frames.items() if self._scheme.by_name(*each)}
            known = self._frames[name] = Frames(resource, known.sent if known is not None else 0)
        return known

    # -- objects -------------------------------------------------------------------------------------------------

    async def _object(
        self,
        request: Request,
        resource: Resource[Any],
        handler: ResourceHandler,
        namespace: str,
        name: str,
        info: RequestInfo,
        subresource: str = "",
        may_create: MayCreate | None = None,
    ) -> Answer:
        form = negotiate(request, now=self._now)
        method = request.method
        if method in ("GET", "HEAD"):
            if info.verb == "watch":
                # The old way to watch one object: /watch/ before the resource.
                if not (given := request.parameter("fieldSelector")):
                    request.query["fieldSelector"] = [f"metadata.name={name}"]
                elif parse_selector(resource, given).required_value("metadata.name") != name:
                    raise bad_request("fieldSelector metadata.name doesn't match requested name")
                request.query_string = request.query_string or "watch=1"
                _check_verb(resource, "watch")
                return await self._watch(request, resource, handler, namespace, form)
            if not subresource:
                _check_verb(resource, "get")
            version = request.parameter("resourceVersion") if request.query_string else ""
            entry = await handler.get(namespace, name, resource_version=version)
            return entry_response(resource, entry, request, form)
        if method == "PUT":
            if not subresource:
                _check_verb(resource, "update")
            context = write_context(request, "UpdateOptions")
            context.may_create = may_create
            obj = await self._bodies.read(request, resource, context)
            _match_namespace(obj, namespace, resource)
            check_name(obj.metadata, name)
            entry, created = await handler.update(context, namespace, name, obj, subresource=subresource)
            return entry_response(resource, entry, request, form, 201 if created else 200)
        if method == "PATCH":
            if not subresource:
                _check_verb(resource, "patch")
            patch, context = _patch(request, resource)
            context.may_create = may_create
            entry, created = await handler.patch(context, namespace, name, patch, subresource=subresource)
            return entry_response(resource, entry, request, form, 201 if created else 200)
        if method == "DELETE" and not subresource:
            _check_verb(resource, "delete")
            context = write_context(request, "DeleteOptions")
            options = delete_options(request)
            context.dry_run = context.dry_run or bool(options.dry_run)
            result = await handler.delete(context, namespace, name, options)
            if isinstance(result, Entry):
                lives_on = result.object.metadata.deletion_timestamp is not None
                code = 202 if lives_on and options.orphan_dependents is False else 200
                return entry_response(resource, result, request, form, code)
            return status_response(result, request)
        raise no_method()

    # -- subresources --------------------------------------------------------------------------------------------

    async def _subresource(
        self,
        request: Request,
        info: RequestInfo,
        resource: Resource[Any],
        handler: ResourceHandler,
        namespace: str,
        name: str,
    ) -> Answer:
        found = resource.subresources.get(info.subresource)
        if found is None:
            raise no_route()
        if self._connector is not None and self._connector.serves(resource, found.name):
            path = None
            if self._admit is not None and found.kind:
                path = await admitted(request, info, resource, found, self._admit)
            return await self._connector.connect(request, info, path)
        if len(info.parts) > 3:
            raise no_route()
        verb = {"GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "POST": "create"}.get(request.method)
        if verb not in found.verbs:
            raise no_method()
        if not found.kind:
            return await self._object(request, resource, handler, namespace, name, info, found.name)
        if verb == "create":
            return await self._post(request, resource, handler, namespace, name, found)
        if found.kind in ("NodeProxyOptions", "PodExecOptions", "ServiceProxyOptions", "PodProxyOptions"):
            raise no_method()
        return await self._foreign(request, resource, handler, namespace, name, found)

    def _type(self, resource: Resource[Any], subresource: Subresource) -> Resource[Any]:
        group = resource.group if subresource.group is None else subresource.group
        version = subresource.version or resource.version
        api_version = f"{group}/{version}" if group else version
        found = self._scheme.by_kind(api_version, subresource.kind)
        if found is not None:
            return found
        module = f"{(group or 'core').partition('.')[0]}_{version}"
        name, kind, aliases = resource.name, subresource.kind, subresource.aliases
        return Resource(group, version, name, kind, module=module, namespaced=True, aliases=aliases)

    async def _post(
        self,
        request: Request,
        resource: Resource[Any],
        handler: ResourceHandler,
        namespace: str,
        name: str,
        subresource: Subresource,
    ) -> Answer:
        form = negotiate(request, tables=False)
        context = write_context(request, "CreateOptions")
        kind = self._type(resource, subresource)
        body = await self._bodies.read(request, kind, context)
        _match_namespace(body, namespace, resource)
        answer = await handler.create_subresource(context, namespace, name, subresource.name, body)
        if isinstance(answer, Status):
            answer.code = answer.code or 201
            return status_response(answer, request)
        if isinstance(answer, Entry):
            return entry_response(resource, answer, request, form, 201)
        return object_response(answer, request, form, 201)

    async def _foreign(
        self,
        request: Request,
        resource: Resource[Any],
        handler: ResourceHandler,
        namespace: str,
        name: str,
        subresource: Subresource,
    ) -> Answer:
        """Subresources with a kind of their own, such as ``scale``."""
        form = negotiate(request, now=self._now)
        kind = self._type(resource, subresource)
        if request.method in ("GET", "HEAD"):
            found = await handler.get_subresource(namespace, name, subresource.name)
            return shaped_response(kind, found, request, form)
        if request.method == "PUT":
            context = write_context(request, "UpdateOptions")
            wanted = await self._bodies.read(request, kind, context)
            _match_namespace(wanted, namespace, resource)
            check_name(wanted.metadata, name)

            result = await handler.update_subresource(context, namespace, name, subresource.name, lambda _: wanted)
        else:
            patch, context = _patch(request, kind)
            result = await handler.patch_subresource(context, namespace, name, subresource.name, patch)
        return shaped_response(kind, result, request, form)


def _check_segment(name: str) -> None:
    """Raise a 400 for a name that could not be a segment of a path."""
    if name in (".", ".."):
        raise bad_request(f"Name parameter invalid: \"{name}\": may not be '{name}'")
    if "%" in name:
        raise bad_request(f"Name parameter invalid: {go_value(name)}: may not contain '%'")


def _check_verb(resource: Resource[Any], verb: str) -> None:
    if verb not in resource.verbs:
        raise no_method()


def _match_namespace(obj: Any, namespace: str, resource: Resource[Any]) -> None:
    metadata = obj.metadata
    if not resource.namespaced:
        return
    if metadata.namespace and metadata.namespace != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    metadata.namespace = namespace


def _patch(request: Request, resource: Resource[Any]) -> tuple[Patch, Context]:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    accepted = [each for each in PATCH_TYPES if not resource.custom or each != STRATEGIC_MERGE_PATCH]
    if media_type not in accepted:
        raise unsupported_media_type(
            "the body of the request was in an unknown format - accepted media types include: " + ", ".join(accepted)
        )
    apply = media_type == APPLY_PATCH
    context = write_context(request, "PatchOptions", apply=apply)
    force = apply and request.parameter("force", "false") in ("true", "1", "")
    patch = msgspec.convert(
        {"type": media_type, "body": request.body, "field_manager": context.field_manager, "force": force}, Patch
    )
    return patch, context

"""Service accounts, and the tokens they are given (``/token``, KEP-1205)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from steersman.api.errors import (
    FieldError,
    bad_request,
    conflict,
    invalid,
    invalid_value,
    not_found,
    service_unavailable,
)
from steersman.api.types import core_v1 as v1
from steersman.api.types.authentication_v1 import BoundObjectReference, TokenRequest, TokenRequestStatus
from steersman.apiserver.admission.plugin import Request
from steersman.apiserver.registry.contract import Context
from steersman.apiserver.registry.strategy import Strategy
from steersman.apiserver.seams import TokenClaims

_LEAST = 10 * 60
_MOST = 1 << 32
_BOUND_TO: dict[str, type[Any]] = {"Pod": v1.Pod, "Secret": v1.Secret, "Node": v1.Node}


_MOUNTABLE_SECRETS = "kubernetes.io/enforce-mountable-secrets"


class ServiceAccountStrategy(Strategy):
    """Has ``/token``; of secrets it keeps the names."""

    def prepare_create(self, context: Context, new: v1.ServiceAccount) -> None:
        new.secrets = [v1.ObjectReference(name=secret.name) for secret in new.secrets]

    def prepare_update(self, context: Context, new: v1.ServiceAccount, old: v1.ServiceAccount) -> None:
        new.secrets = [v1.ObjectReference(name=secret.name) for secret in new.secrets]

    def warnings(self, new: v1.ServiceAccount, old: v1.ServiceAccount | None) -> Iterator[str]:
        known = old.metadata.annotations if old is not None else {}
        if _MOUNTABLE_SECRETS in new.metadata.annotations and _MOUNTABLE_SECRETS not in known:
            detail = "deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"
            yield f"metadata.annotations[{_MOUNTABLE_SECRETS}]: {detail}"

    async def create_subresource(self, context: Context, namespace: str, name: str, subresource: str, body: Any) -> Any:
        if subresource != "token":
            return NotImplemented
        return await self.issue(context, namespace, name, body)

    async def issue(self, context: Context, namespace: str, name: str, request: TokenRequest) -> TokenRequest:
        """Sign a token for a service account, bound to what the request says it is bound to."""
        issuer = self.cluster.surroundings.token_issuer
        if issuer is None:
            raise service_unavailable("this server has no key to sign service account tokens with")
        meta = request.metadata
        if found := _misplaced(request, namespace, name):
            raise invalid("TokenRequest", name, found, "authentication.k8s.io")
        account = await self.cluster.get(v1.ServiceAccount, name, namespace)
        if account is None:
            raise not_found("serviceaccounts", name)
        meta.name, meta.namespace = name, namespace
        meta.creation_timestamp = self.cluster.now()
        admitted = Request(
            "CREATE", self.resource, "token", namespace, name, request, None, context.user,
            dry_run=context.dry_run, warnings=context.warnings,
            annotations=context.annotations, field_manager=context.field_manager,
        )  # fmt: skip
        await self.cluster.admission.mutate(admitted)
        spec = request.spec
        expiration = spec.expiration_seconds if spec.expiration_seconds is not None else 3600
        if not _LEAST <= expiration <= _MOST:
            detail = "less than 10 minutes" if expiration < _LEAST else "larger than 2^32 seconds"
            fault = invalid_value("spec.expirationSeconds", expiration, f"may not specify a duration {detail}")
            raise invalid("TokenRequest", "", [fault], "authentication.k8s.io")
        await self.cluster.admission.validate(admitted)
        bound = await self._bound(namespace, name, spec.bound_object_ref) if spec.bound_object_ref else {}
        most = self.cluster.config.max_token_expiration_seconds
        if expiration > most:
            context.warnings.append(f"requested expiration of {expiration} seconds shortened to {most} seconds")
            expiration = most
        issued = issuer.issue(
            TokenClaims(
                namespace=namespace,
                service_account=name,
                service_account_uid=account.metadata.uid,
                audiences=tuple(spec.audiences),
                expiration_seconds=expiration,
                **bound,
            )
        )
        spec.audiences = list(issued.audiences)
        spec.expiration_seconds = expiration
        request.status = TokenRequestStatus(token=issued.token, expiration_timestamp=issued.expires)
        return request

    async def _bound(self, namespace: str, account: str, reference: BoundObjectReference) -> dict[str, str]:
        """The claims of what a token ends with."""
        group, _, version = reference.api_version.rpartition("/")
        if group or reference.kind not in _BOUND_TO:
            kind = f"{group}/{version}, Kind={reference.kind}"
            raise bad_request(f"cannot bind token for serviceaccount to object type {kind}")
        resource = f"{reference.kind.lower()}s"
        place = "" if reference.kind == "Node" else namespace
        obj = await self.cluster.get(_BOUND_TO[reference.kind], reference.name, place)
        if obj is None:
            raise not_found(resource, reference.name)
        node: dict[str, str] = {}
        if reference.kind == "Pod":
            if (obj.spec.service_account_name or "default") != account:
                raise bad_request(
                    f'cannot bind token for serviceaccount "{account}" to pod running with different serviceaccount '
                    "name."
                )
            if obj.spec.node_name:
                host = await self.cluster.get(v1.Node, obj.spec.node_name)
                node = {"node": obj.spec.node_name, "node_uid": host.metadata.uid if host is not None else ""}
        if reference.uid and reference.uid != obj.metadata.uid:
            detail = (
                f"the UID in the bound object reference ({reference.uid}) does not match the UID in record. "
                "The object might have been deleted and then recreated"
            )
            raise conflict(reference.kind, reference.name, detail)
        kind = reference.kind.lower()
        return {kind: reference.name, f"{kind}_uid": obj.metadata.uid, **node}


def _misplaced(request: TokenRequest, namespace: str, name: str) -> list[FieldError]:
    meta = request.metadata
    if meta.name and meta.name != name:
        detail = "must match the service account name if specified"
        return [invalid_value("metadata.name", meta.name, detail)]
    if meta.namespace and meta.namespace != namespace:
        detail = "must match the service account namespace if specified"
        return [invalid_value("metadata.namespace", meta.namespace, detail)]
    return []

"""Kinds of which a few lines say all that is particular."""

from __future__ import annotations

from typing import Any

from steersman.api.errors import bad_request, invalid, invalid_value, not_found, service_unavailable
from steersman.api.types import core_v1 as v1
from steersman.api.types.authentication_v1 import TokenRequest, TokenRequestStatus
from steersman.apiserver.admission.plugin import Request
from steersman.apiserver.registry import escalation
from steersman.apiserver.registry.contract import Context
from steersman.apiserver.registry.seams import TokenClaims
from steersman.apiserver.registry.strategy import Handlers, Strategy


class CountingStrategy(Strategy):
    """Counts the changes of everything but metadata and status."""

    generation = True


class UpsertStrategy(Strategy):
    """PUT creates what does not exist."""

    create_on_update = True


class LeaseStrategy(UpsertStrategy):
    """Updates must say which version they replace: two holders are to notice each other."""

    unconditional_update = False


class ConditionalStrategy(Strategy):
    """Updates must say which version they replace."""

    unconditional_update = False


class ConditionalCountingStrategy(CountingStrategy):
    """Updates must say which version they replace; changes are counted."""

    unconditional_update = False


class NodeStrategy(Strategy):
    """A kubelet registers its node with the status it has."""

    def prepare_create(self, context: Context, new: v1.Node) -> None:
        pass


class PersistentVolumeStrategy(Strategy):
    """Volumes and claims begin as pending."""

    def empty_status(self) -> Any:
        status = super().empty_status()
        status.phase = "Pending"
        return status


class SecretStrategy(Strategy):
    """``stringData`` is for writing alone."""

    def prepare_create(self, context: Context, new: v1.Secret) -> None:
        self._merge(new)

    def prepare_update(self, context: Context, new: v1.Secret, old: v1.Secret) -> None:
        self._merge(new)

    @staticmethod
    def _merge(new: v1.Secret) -> None:
        for name, text in new.string_data.items():
            new.data[name] = text.encode()
        new.string_data = {}


class ServiceAccountStrategy(Strategy):
    """``/token``."""

    async def create_subresource(self, context: Context, namespace: str, name: str, subresource: str, body: Any) -> Any:
        if subresource != "token":
            return NotImplemented
        return await self.issue(context, namespace, name, body)

    async def issue(self, context: Context, namespace: str, name: str, request: TokenRequest) -> TokenRequest:
        """Sign a token for a service account, bound to what the request says it is bound to."""
        issuer = self.cluster.surroundings.token_issuer
        if issuer is None:
            raise service_unavailable("this server has no key to sign service account tokens with")
        account = await self.cluster.get(v1.ServiceAccount, name, namespace)
        if account is None:
            raise not_found("serviceaccounts", name)
        if request.metadata.namespace and request.metadata.namespace != namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        spec = request.spec
        expiration = spec.expiration_seconds if spec.expiration_seconds is not None else 3600
        if not 600 <= expiration <= 1 << 32:
            least = expiration < 600
            detail = f"may not specify a duration {'less than 10 minutes' if least else 'larger than 2^32 seconds'}"
            fault = invalid_value("spec.expirationSeconds", expiration, detail)
            raise invalid("TokenRequest", name, [fault], "authentication.k8s.io")
        await self.cluster.admission.validate(
            Request("CREATE", self.resource, "token", namespace, name, request, None, context.user)
        )
        bound = await self._bound(namespace, name, spec.bound_object_ref)
        claims = TokenClaims(
            namespace=namespace,
            service_account=name,
            service_account_uid=account.metadata.uid,
            audiences=tuple(spec.audiences),
            expiration_seconds=min(expiration, self.cluster.config.max_token_expiration_seconds),
            **bound,
        )
        issued = issuer.issue(claims)
        meta = request.metadata
        meta.name, meta.namespace = name, namespace
        meta.creation_timestamp = self.cluster.clock()
        spec.audiences = list(issued.audiences)
        spec.expiration_seconds = expiration
        request.status = TokenRequestStatus(token=issued.token, expiration_timestamp=issued.expires)
        return request

    async def _bound(self, namespace: str, account: str, reference: Any) -> dict[str, str]:
        if reference is None:
            return {}
        types: dict[str, type[Any]] = {"Pod": v1.Pod, "Secret": v1.Secret, "Node": v1.Node}
        if reference.kind not in types or reference.api_version != "v1":
            raise bad_request(f"cannot bind token for serviceaccount to object type {reference.kind}")
        resource = f"{reference.kind.lower()}s"
        place = "" if reference.kind == "Node" else namespace
        obj = await self.cluster.get(types[reference.kind], reference.name, place)
        if obj is None:
            raise not_found(resource, reference.name)
        if reference.uid and reference.uid != obj.metadata.uid:
            raise bad_request(
                f"the UID in the bound object reference ({reference.uid}) does not match the UID in record. "
                "The object might have been deleted and then recreated"
            )
        kind = reference.kind.lower()
        bound = {kind: reference.name, f"{kind}_uid": obj.metadata.uid}
        if kind == "pod":
            if (obj.spec.service_account_name or "default") != account:
                raise bad_request(
                    f"cannot bind token for serviceaccount {account!r} to pod running with different serviceaccount "
                    "name."
                )
            if obj.spec.node_name:
                node = await self.cluster.get(v1.Node, obj.spec.node_name)
                bound["node"] = obj.spec.node_name
                bound["node_uid"] = node.metadata.uid if node is not None else ""
        return bound


class CertificateSigningRequestStrategy(Strategy):
    """The server says who asked; approvals come through ``/approval``, certificates through ``/status``."""

    def __init__(self, resource: Any, cluster: Handlers) -> None:
        super().__init__(resource, cluster)
        self.subresources["approval"] = self.prepare_approval

    def prepare_create(self, context: Context, new: Any) -> None:
        new.status = self.empty_status()
        user = context.user
        new.spec.username, new.spec.uid = user.name, user.uid
        new.spec.groups = list(user.groups)
        new.spec.extra = {key: list(values) for key, values in user.extra.items()}

    def prepare_update(self, context: Context, new: Any, old: Any) -> None:
        new.spec, new.status = old.spec, old.status

    def prepare_approval(self, context: Context, new: Any, old: Any) -> None:
        """Only conditions may change."""
        conditions = new.status.conditions
        new.spec = old.spec
        new.status = type(old.status)(certificate=old.status.certificate, conditions=conditions)
        self._stamp(new, old)

    def prepare_status(self, context: Context, new: Any, old: Any) -> None:
        new.spec = old.spec
        decided = [each for each in old.status.conditions if each.type in ("Approved", "Denied")]
        others = [each for each in new.status.conditions if each.type not in ("Approved", "Denied")]
        new.status.conditions = decided + others
        self._stamp(new, old)

    def _stamp(self, new: Any, old: Any) -> None:
        now = self.cluster.clock()
        known = {(each.type, each.status): each for each in old.status.conditions}
        for each in new.status.conditions:
            before = known.get((each.type, each.status))
            each.last_update_time = each.last_update_time or now
            if each.last_transition_time is None:
                each.last_transition_time = before.last_transition_time if before is not None else now


class RoleStrategy(UpsertStrategy):
    """Roles and bindings: nobody grants what they do not have."""

    async def authorize(self, context: Context, new: Any, old: Any | None) -> None:
        if (authorizer := self.cluster.surroundings.authorizer) is not None:
            await escalation.check(authorizer, self.cluster, context.user, new, old)

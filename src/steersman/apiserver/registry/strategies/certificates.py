"""Certificate signing requests: asked for, approved through ``/approval``, answered through ``/status``."""

from __future__ import annotations

from typing import Any

from steersman.api.types import certificates_v1 as v1
from steersman.apiserver.registry.contract import Context
from steersman.apiserver.registry.strategy import Strategy

_DECISIONS = ("Approved", "Denied")


class CertificateSigningRequestStrategy(Strategy):
    """The server says who asked; nothing but the subresources changes what came of it."""

    def __init__(self, resource: Any, cluster: Any) -> None:
        super().__init__(resource, cluster)
        self.subresources["approval"] = self.prepare_approval

    def prepare_create(self, context: Context, new: v1.CertificateSigningRequest) -> None:
        new.status = v1.CertificateSigningRequestStatus()
        user = context.user
        new.spec.username, new.spec.uid = user.name, user.uid
        new.spec.groups = list(user.groups)
        new.spec.extra = {key: list(values) for key, values in user.extra.items()}

    def prepare_update(
        self, context: Context, new: v1.CertificateSigningRequest, old: v1.CertificateSigningRequest
    ) -> None:
        new.spec, new.status = old.spec, old.status

    def prepare_approval(
        self, context: Context, new: v1.CertificateSigningRequest, old: v1.CertificateSigningRequest
    ) -> None:
        """Conditions may change."""
        new.spec = old.spec
        self._stamp(new, old)

    def prepare_status(
        self, context: Context, new: v1.CertificateSigningRequest, old: v1.CertificateSigningRequest
    ) -> None:
        """The certificate and the conditions may change, but for those that decide: they stay as they were."""
        new.spec = old.spec
        for decision in _DECISIONS:
            before = _of(old, decision)
            places = [place for place, each in enumerate(new.status.conditions) if each.type == decision]
            if len(before) == len(places):
                for place, condition in zip(places, before, strict=True):
                    new.status.conditions[place] = condition
        self._stamp(new, old)

    def _stamp(self, new: v1.CertificateSigningRequest, old: v1.CertificateSigningRequest) -> None:
        now = self.cluster.now()
        known = {(each.type, each.status): each.last_transition_time for each in old.status.conditions}
        for each in new.status.conditions:
            each.last_update_time = each.last_update_time or now
            each.last_transition_time = each.last_transition_time or known.get((each.type, each.status)) or now


def _of(request: v1.CertificateSigningRequest, kind: str) -> list[v1.CertificateSigningRequestCondition]:
    return [each for each in request.status.conditions if each.type == kind]

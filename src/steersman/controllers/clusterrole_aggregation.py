"""Fills cluster roles that have an aggregation rule with the rules of the roles they select (admin, edit, view)."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from steersman.api import selectors
from steersman.api.types.rbac_v1 import ClusterRole, PolicyRule
from steersman.client.informer import Informer

from .kit import Controller, ControllerContext


def aggregate(role: ClusterRole, roles: list[ClusterRole]) -> list[PolicyRule]:
    """The rules of all selected roles, each rule once, in the order of the roles' names."""
    assert role.aggregation_rule is not None
    chosen: list[PolicyRule] = []
    seen: set[bytes] = set()
    for labels in role.aggregation_rule.cluster_role_selectors:
        selector = selectors.from_label_selector(labels)
        for other in sorted(roles, key=lambda candidate: candidate.metadata.name):
            if other.metadata.name == role.metadata.name or not selector.matches(other.metadata.labels):
                continue
            for rule in other.rules:
                if (text := msgspec.json.encode(rule)) not in seen:
                    seen.add(text)
                    chosen.append(rule)
    return chosen


class ClusterRoleAggregationController(Controller):
    """Keys are names of cluster roles; a change of any role concerns all that aggregate."""

    name = "clusterrole-aggregation-controller"
    workers: ClassVar[int] = 1

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self.roles: Informer[ClusterRole] = context.informers.informer(ClusterRole)
        self.watch(ClusterRole, self._concerned)

    def _concerned(self, _: ClusterRole) -> list[str]:
        return [role.metadata.name for role in self.roles.lister.list() if role.aggregation_rule is not None]

    async def reconcile(self, key: str) -> float | None:
        role = self.roles.lister.get(key)
        if role is None or role.aggregation_rule is None:
            return None
        rules = aggregate(role, self.roles.lister.list())
        if rules != role.rules:
            await self.client.update(msgspec.structs.replace(role, rules=rules))
        return None

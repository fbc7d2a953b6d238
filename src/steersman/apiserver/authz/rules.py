"""A compact way to write policy rules down."""

from __future__ import annotations

from steersman.api.types.rbac_v1 import PolicyRule

READ = "get list watch"
WRITE = "create delete deletecollection patch update"
ALL = "create delete deletecollection get list patch update watch"


def rule(verbs: str, group: str, resources: str, names: str = "") -> PolicyRule:
    """A rule over resources of one group (``*``: every); all else separated by blanks."""
    return PolicyRule(
        verbs=verbs.split(),
        api_groups=[group],
        resources=resources.split(),
        resource_names=names.split(),
    )


def rules(verbs: str, groups: tuple[str, ...], resources: str) -> PolicyRule:
    """A rule over resources of several groups."""
    return PolicyRule(verbs=verbs.split(), api_groups=list(groups), resources=resources.split())


def urls(paths: str) -> PolicyRule:
    """A rule that lets paths be read which are no resources."""
    return PolicyRule(verbs=["get"], non_resource_urls=paths.split())


EVENTS = rules("create patch update", ("", "events.k8s.io"), "events")
"""What everything needs that records events."""

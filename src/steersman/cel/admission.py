"""The variables of expressions in admission: policies' and webhooks' match conditions (KEP-3488, KEP-3716)."""

from __future__ import annotations

from collections.abc import Mapping

from .library.authorizing import AUTHORIZER, RESOURCE
from .program import Environment
from .types import BOOL, DYN, INT, STRING, TIMESTAMP, Decl

MATCH_BUDGET = 2_500_000
"""What all the match conditions of one webhook or policy may cost for one request."""
REQUEST_RESOURCE = "authorizer.requestResource"
"""A variable: the check of what the request itself asks for."""


def _object(**fields: Decl) -> Decl:
    return Decl("object", {name: (name, declared) for name, declared in fields.items()}, least=2)


def _list(element: Decl) -> Decl:
    return Decl("list", element=element, size=_MOST, least=2)


def _map(element: Decl) -> Decl:
    return Decl("map", element=element, size=_MOST, least=2)


_MOST = STRING.size
_KIND = _object(group=STRING, version=STRING, kind=STRING)
_RESOURCE = _object(group=STRING, version=STRING, resource=STRING)
_USER = _object(username=STRING, uid=STRING, groups=_list(STRING), extra=_map(_list(STRING)))
REQUEST = _object(
    kind=_KIND,
    resource=_RESOURCE,
    subResource=STRING,
    requestKind=_KIND,
    requestResource=_RESOURCE,
    requestSubResource=STRING,
    name=STRING,
    namespace=STRING,
    operation=STRING,
    userInfo=_USER,
    dryRun=BOOL,
    options=DYN,
)
"""An AdmissionRequest but for its objects, which are variables of their own."""
NAMESPACE = _object(
    metadata=_object(
        name=STRING,
        generateName=STRING,
        namespace=STRING,
        labels=_map(STRING),
        annotations=_map(STRING),
        UID=STRING,
        creationTimestamp=TIMESTAMP,
        deletionGracePeriodSeconds=INT,
        deletionTimestamp=TIMESTAMP,
        generation=INT,
        resourceVersion=STRING,
        finalizers=_list(STRING),
    ),
    spec=_object(finalizers=_list(STRING)),
    status=_object(phase=STRING),
)
"""What expressions see of the namespace that a request is for."""


def environment(
    *,
    objects: Decl = DYN,
    params: Decl | None = None,
    authorizer: bool = True,
    variables: Mapping[str, Decl] | None = None,
    mutating: bool = False,
) -> Environment:
    """``objects``: the type of ``object`` and ``oldObject``; ``variables``: those before, which a policy composes."""
    declared = {"object": objects, "oldObject": objects, "request": REQUEST, "namespaceObject": NAMESPACE}
    if params is not None:
        declared["params"] = params
    if authorizer:
        declared |= {"authorizer": Decl(AUTHORIZER), REQUEST_RESOURCE: Decl(RESOURCE)}
    if variables is not None:
        made = {name: (name, kind) for name, kind in variables.items()}
        declared["variables"] = Decl("object", made, least=2, holds_nulls=True)
    return Environment(declared, mutating=mutating)

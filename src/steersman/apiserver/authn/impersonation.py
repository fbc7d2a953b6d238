"""Acting as somebody else: the ``Impersonate-*`` headers, each of which must be allowed by authorization."""

from __future__ import annotations

from urllib.parse import unquote

from steersman.api.errors import forbidden, internal_error
from steersman.api.user import User
from steersman.apiserver.http.messages import Request
from steersman.apiserver.registry.seams import Attributes, Authorizer

_EXTRA = "impersonate-extra-"
_SERVICE_ACCOUNT = "system:serviceaccount:"


async def impersonate(request: Request, authorizer: Authorizer) -> User:
    """Whom the request is to be made as; the caller themself without such headers.  Raises 403."""
    headers = request.headers
    name = headers.get("impersonate-user", "")
    groups = request.header_values("impersonate-group")
    uid = headers.get("impersonate-uid", "")
    extra = {
        unquote(key[len(_EXTRA) :]).lower(): request.header_values(key) for key in headers if key.startswith(_EXTRA)
    }
    if not (name or groups or uid or extra):
        return request.user
    if not name:
        raise internal_error("requested impersonation without impersonating a user")
    caller = request.user
    asked: list[Attributes] = []
    if name.startswith(_SERVICE_ACCOUNT) and name.count(":") == 3:
        namespace, account = name.split(":")[2:]
        asked.append(
            Attributes(
                caller, "impersonate", version="v1", resource="serviceaccounts", namespace=namespace, name=account
            )
        )
    else:
        asked.append(Attributes(caller, "impersonate", version="v1", resource="users", name=name))
    asked += [Attributes(caller, "impersonate", version="v1", resource="groups", name=group) for group in groups]
    group = "authentication.k8s.io"
    for key, values in extra.items():
        asked += [
            Attributes(caller, "impersonate", group, "v1", "userextras", subresource=key, name=value)
            for value in values
        ]
    if uid:
        asked.append(Attributes(caller, "impersonate", group, "v1", "uids", name=uid))
    for attributes in asked:
        decision = await authorizer.authorize(attributes)
        if not decision.allowed or decision.denied:
            raise refusal(attributes, decision.reason)
    if not groups and name.startswith(_SERVICE_ACCOUNT) and name.count(":") == 3:
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{name.split(':')[2]}"]
    if name == "system:anonymous":
        groups = groups if "system:unauthenticated" in groups else [*groups, "system:unauthenticated"]
    elif "system:authenticated" not in groups and "system:unauthenticated" not in groups:
        groups = [*groups, "system:authenticated"]
    return User(name, tuple(groups), uid=uid, extra=extra)


def refusal(attributes: Attributes, reason: str = "") -> Exception:
    """The 403 in upstream's words."""
    user = attributes.user.name
    if attributes.path and not attributes.resource:
        text = f'User "{user}" cannot {attributes.verb} path "{attributes.path}"'
        return forbidden("", "", f"{text}: {reason}" if reason else text)
    resource = attributes.resource + (f"/{attributes.subresource}" if attributes.subresource else "")
    text = f'User "{user}" cannot {attributes.verb} resource "{resource}" in API group "{attributes.group}"'
    text += f' in the namespace "{attributes.namespace}"' if attributes.namespace else " at the cluster scope"
    if reason:
        text += f": {reason}"
    return forbidden(attributes.resource, attributes.name, text, attributes.group)

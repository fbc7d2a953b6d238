"""Impersonation headers: a caller that may, acts as somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote

from steersman.api.errors import StatusError, bad_request, forbidden
from steersman.api.user import User
from steersman.apiserver.http.messages import Request
from steersman.apiserver.seams import Attributes, Authorizer

from .service_account import GROUP, USER_PREFIX

_EXTRA = "impersonate-extra-"
_AUTHENTICATION = "authentication.k8s.io"


class _Wish:
    """What the headers ask for."""

    def __init__(self, request: Request) -> None:
        self.name = request.headers.get("impersonate-user", "")
        self.uid = request.headers.get("impersonate-uid", "")
        self.groups = request.header_values("impersonate-group")
        self.extra = {
            unquote(header.removeprefix(_EXTRA)): request.header_values(header)
            for header in request.headers
            if header.startswith(_EXTRA)
        }

    def __bool__(self) -> bool:
        return bool(self.name or self.uid or self.groups or self.extra)

    def user(self) -> User:
        """The user to act as, with the groups that go without saying."""
        groups = list(self.groups)
        if self.name.startswith(USER_PREFIX) and not groups:
            namespace = self.name.removeprefix(USER_PREFIX).partition(":")[0]
            groups = [GROUP, f"{GROUP}:{namespace}"]
        if self.name == "system:anonymous":
            if "system:unauthenticated" not in groups:
                groups.append("system:unauthenticated")
        elif not {"system:authenticated", "system:unauthenticated"} & set(groups):
            groups.append("system:authenticated")
        return User(self.name, tuple(groups), uid=self.uid, extra=self.extra)

    def demands(self, caller: User) -> Iterator[Attributes]:
        """Every single permission that the caller needs."""
        if self.name.startswith(USER_PREFIX):
            namespace, _, name = self.name.removeprefix(USER_PREFIX).partition(":")
            yield Attributes(
                caller, "impersonate", version="v1", resource="serviceaccounts", namespace=namespace, name=name
            )
        else:
            yield Attributes(caller, "impersonate", version="v1", resource="users", name=self.name)
        for group in self.groups:
            yield Attributes(caller, "impersonate", version="v1", resource="groups", name=group)
        if self.uid:
            yield Attributes(caller, "impersonate", _AUTHENTICATION, "v1", "uids", name=self.uid)
        for key, values in self.extra.items():
            for value in values:
                yield Attributes(caller, "impersonate", _AUTHENTICATION, "v1", "userextras", key, name=value)


async def impersonated(request: Request, caller: User, authorizer: Authorizer) -> User:
    """The user that a request is made as; raises Forbidden where the caller may not act as that user."""
    wish = _Wish(request)
    if not wish:
        return caller
    if not wish.name:
        raise bad_request("requested impersonation without impersonating a user")
    for attributes in wish.demands(caller):
        decision = await authorizer.authorize(attributes)
        if not decision.allowed:
            raise _refusal(attributes, decision.reason)
    return wish.user()


def _refusal(attributes: Attributes, reason: str) -> StatusError:
    resource = f"{attributes.resource}/{attributes.subresource}" if attributes.subresource else attributes.resource
    detail = f'User "{attributes.user.name}" cannot impersonate resource "{resource}" in API group "{attributes.group}"'
    where = f' in the namespace "{attributes.namespace}"' if attributes.namespace else " at the cluster scope"
    text = f"{detail}{where}: {reason}" if reason else detail + where
    return forbidden(resource, attributes.name, text, attributes.group)

"""How components speak to the API, and the kit that controllers are made of.

:mod:`.client` is the contract; :mod:`.http` keeps it over HTTPS, :mod:`.local` inside the server's own process, and
one suite of tests holds both to it.  A component is given a client and cannot tell which.

An :class:`.informer.Informer` lists, watches and resumes, and keeps a store with indexes; its handlers put keys into
a :class:`.workqueue.WorkQueue`, which gives each key to one worker at a time; workers read the store, write through
the client, and tell people through :class:`.events.EventRecorder`.  :class:`.leader_election.LeaderElection` says
which of several may.  :mod:`.kubeconfig` reads and merges kubeconfig files.  :mod:`.streaming` is the server's end of
exec, attach and port-forward.

What other programs may build upon is what this package itself offers (``__all__``); it is as stable as the release's
first number says, and ``docs/controller-kit.md`` is its guide.  :func:`.connecting.connect` gives them a client,
:class:`.custom_resources.CustomObject` types of their own.

Whatever fails is a :class:`steersman.api.errors.StatusError`.  Everything here survives the API server: informers
wait, list again where they must and report the difference; a lease that cannot be renewed in time counts as lost.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steersman.api.codecs import copy
    from steersman.api.errors import StatusError, is_already_exists, is_conflict, is_not_found
    from steersman.api.scheme import Object, Resource
    from steersman.api.types.meta_v1 import Condition, DeleteOptions, ObjectMeta, OwnerReference
    from steersman.api.types.scalars import APIStruct

    from .client import Client, ObjectList, Patch, Selectors, WatchEvent
    from .connecting import connect, discover, load_config
    from .custom_resources import CustomObject, custom_resource
    from .events import EventRecorder
    from .http import HTTPClient
    from .informer import Informer, InformerFactory, Lister, object_key, split_key
    from .kubeconfig import ClientConfig, KubeconfigError
    from .leader_election import LeaderElection, lead
    from .workqueue import ShutDown, WorkQueue

_HOMES = {
    "steersman.api.codecs": ("copy",),
    "steersman.api.errors": ("StatusError", "is_already_exists", "is_conflict", "is_not_found"),
    "steersman.api.scheme": ("Object", "Resource"),
    "steersman.api.types.meta_v1": ("Condition", "DeleteOptions", "ObjectMeta", "OwnerReference"),
    "steersman.api.types.scalars": ("APIStruct",),
    "steersman.client.client": ("Client", "ObjectList", "Patch", "Selectors", "WatchEvent"),
    "steersman.client.connecting": ("connect", "discover", "load_config"),
    "steersman.client.custom_resources": ("CustomObject", "custom_resource"),
    "steersman.client.events": ("EventRecorder",),
    "steersman.client.http": ("HTTPClient",),
    "steersman.client.informer": ("Informer", "InformerFactory", "Lister", "object_key", "split_key"),
    "steersman.client.kubeconfig": ("ClientConfig", "KubeconfigError"),
    "steersman.client.leader_election": ("LeaderElection", "lead"),
    "steersman.client.workqueue": ("ShutDown", "WorkQueue"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "APIStruct",
    "Client",
    "ClientConfig",
    "Condition",
    "CustomObject",
    "DeleteOptions",
    "EventRecorder",
    "HTTPClient",
    "Informer",
    "InformerFactory",
    "KubeconfigError",
    "LeaderElection",
    "Lister",
    "Object",
    "ObjectList",
    "ObjectMeta",
    "OwnerReference",
    "Patch",
    "Resource",
    "Selectors",
    "ShutDown",
    "StatusError",
    "WatchEvent",
    "WorkQueue",
    "connect",
    "copy",
    "custom_resource",
    "discover",
    "is_already_exists",
    "is_conflict",
    "is_not_found",
    "lead",
    "load_config",
    "object_key",
    "split_key",
]


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for: components take what they need, and the HTTP client costs 10 MiB."""
    if (home := _HOME.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)

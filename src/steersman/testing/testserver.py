"""``steersman testserver``: a cluster for the tests of programs in other languages, as a process.

Once everything works, one line on stdout tells how to reach it.  It ends with SIGTERM, SIGINT or the end of its
standard input, so that it outlives nobody who started it with a pipe, and leaves nothing.
"""

from __future__ import annotations

import concurrent.futures
import gc
import os
import selectors
import signal
import socket
import stat
import sys
from typing import Any

import msgspec

from steersman import KUBERNETES_VERSION
from steersman.api.types.authentication_v1 import TokenRequest, TokenRequestSpec
from steersman.api.types.core_v1 import ServiceAccount
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.types.rbac_v1 import ClusterRoleBinding, RoleRef, Subject
from steersman.cluster.config import ConfigError

from .composition import Settings
from .life import Life, StartError

ACCOUNT = ObjectMeta(name="testserver-admin", namespace="kube-system")
TOKEN_SECONDS = 365 * 24 * 3600
READ = 4096


class Announcement(msgspec.Struct):
    """How to reach it.  ``ca`` is PEM, ``token`` a bearer token of a cluster administrator's service account."""

    address: str
    ca: str
    token: str
    kubeconfig: str
    version: str
    pid: int


def run(settings: Settings, *, json: bool) -> None:
    """Run a cluster until it is told to end; raises ConfigError where it cannot start, and what a part of it raises."""
    gc.disable()  # what is made while it starts stays: to look for garbage in it takes a tenth of the time
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        life = Life(settings)
        try:
            life.begin()
            try:
                life.ready.result()
            except StartError as error:
                raise ConfigError(str(error)) from error
            _say(life, json)
            gc.freeze()
            gc.enable()
            life.thread.ended.add_done_callback(lambda _: writer.send(b"."))
            _wait(reader)
        finally:
            life.end()
            concurrent.futures.wait([life.thread.ended])
            life.finish()
            signal.set_wakeup_fd(-1)
        life.thread.ended.result()


def _say(life: Life, json: bool) -> None:
    kubeconfig = life.credentials.kubeconfig()
    said = Announcement(
        address=life.credentials.server,
        ca=life.credentials.authority_pem.decode(),
        token=life.thread.wait(_token(life)),
        kubeconfig=str(kubeconfig.path),
        version=KUBERNETES_VERSION,
        pid=os.getpid(),
    )
    if json:
        text = msgspec.json.encode(said).decode()
    else:
        text = f"Kubernetes {said.version} at {said.address}\n\n    export KUBECONFIG={said.kubeconfig}"
    print(text, flush=True)


async def _token(life: Life) -> str:
    """A token of an administrator; its account needs no controller."""
    binding = ClusterRoleBinding(
        metadata=ObjectMeta(name=ACCOUNT.name),
        role_ref=RoleRef(api_group="rbac.authorization.k8s.io", kind="ClusterRole", name="cluster-admin"),
        subjects=[Subject(kind="ServiceAccount", name=ACCOUNT.name, namespace=ACCOUNT.namespace)],
    )
    await life.operations.apply(ServiceAccount(metadata=ACCOUNT), binding)
    wanted = TokenRequest(spec=TokenRequestSpec(expiration_seconds=TOKEN_SECONDS))
    client = life.composition.client()
    made = await client.create_subresource(ServiceAccount, ACCOUNT.name, "token", wanted, ACCOUNT.namespace)
    return made.status.token


def _wait(woken: socket.socket) -> None:
    """Wait for a signal, the end of standard input, or the end of the cluster."""
    with selectors.DefaultSelector() as selector:
        selector.register(woken, selectors.EVENT_READ)
        if _means_something(sys.stdin):
            selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is woken or not os.read(key.fd, READ):
                    return


def _means_something(stdin: Any) -> bool:
    """Whether standard input is somebody's: ``/dev/null`` and files, which shells give to jobs, end at once."""
    if stdin is None or stdin.closed:
        return False
    mode = os.fstat(stdin.fileno()).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stdin.isatty()

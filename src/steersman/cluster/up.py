"""``steersman up``: check, start the supervisor, wait until the cluster serves, write the kubeconfig context."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

from steersman.api.errors import StatusError
from steersman.api.time import now_micro
from steersman.api.types.coordination_v1 import Lease
from steersman.api.types.core_v1 import Node
from steersman.client import kubeconfig
from steersman.client.client import Client
from steersman.client.http import HTTPClient
from steersman.pki import files as pki

from . import config as configuration
from . import lock, preflight, process
from .config import ClusterConfig, ConfigError

START_TIMEOUT = 60.0
"""Seconds after which a cluster that does not serve is given up."""

MOST_RESTARTS = 3
"""A process that ended as often as this will not start; its log says why."""

Say = Callable[[str], None]


def prepare(config: ClusterConfig) -> int | None:
    """Check everything that can be, then write the configuration.

    Returns the right to supervise (:func:`.process.claim`), to be given to a supervisor, or None where somebody has it
    already.  Raises ConfigError with nothing changed.
    """
    if process.claimed(config.root):
        return None
    try:
        _check(config)
    except ConfigError:
        if process.claimed(config.root):  # what stood in the way was another `up`, which was faster
            return None
        raise
    claim = process.claim(config.root)
    if claim is None:
        return None
    try:
        _write(config)
    except BaseException:
        os.close(claim)
        raise
    return claim


def _check(config: ClusterConfig) -> None:
    preflight.check_node()
    if config.node_address == "127.0.0.1":
        raise ConfigError(
            "this machine has no route, so pods could not reach its API server; give it an address with --node-ip"
        )
    if config.root.exists():
        for role in ("server", "agent"):  # those of a supervisor that was killed are just ending
            with lock.held(config, role, lock.PATIENCE):
                pass
    preflight.check_ports(config, node=True)
    preflight.check_ranges(config)


def _write(config: ClusterConfig) -> None:
    present = configuration.load(config.root)
    if present is not None and present != config:
        # Before the node starts: it would take the kubeconfigs of the settings before for those of now.
        try:
            pki.ensure(config.pki)
        except pki.PKIError as error:
            raise ConfigError(str(error)) from error
    configuration.save(config)


def up(config: ClusterConfig, say: Say) -> None:
    """Start a cluster and wait until it serves; one that runs already is left alone."""
    started = time.monotonic()
    since = now_micro()
    claim = prepare(config)
    if claim is None:
        _same_settings(config)
    else:
        process.start_supervisor(config.root, claim)
    try:
        asyncio.run(_wait(config, started, since if claim is not None else None, say))
    except (ConfigError, KeyboardInterrupt):
        if claim is not None:
            process.stop_supervisor(config.root)
        raise
    context, path = select_context(config)
    say(f"  kubeconfig      context {context!r} selected in {path}")


def _same_settings(config: ClusterConfig) -> None:
    """Settings take effect when a cluster starts; raises ConfigError that names those that this one does not have."""
    present = configuration.load(config.root)
    if present is None or present == config:
        return
    differing = [
        f"{name.replace('_', '-')} is {getattr(present, name)}, not {getattr(config, name)}"
        for name in ClusterConfig.__struct_fields__
        if getattr(present, name) != getattr(config, name)
    ]
    raise ConfigError(
        f"the cluster runs already with other settings ({'; '.join(differing)}); "
        f"end it first with: steersman down --data-dir {config.root}"
    )


def select_context(config: ClusterConfig) -> tuple[str, Path]:
    """Write and select this cluster's context in the kubeconfig of whoever called; return its name and the file."""
    path, owner = kubeconfig_path()
    try:
        kubeconfig.merge_context(path, (config.root / "admin.conf").read_bytes(), config.identity, select=True)
        if owner is not None:
            for created in (path, path.parent):
                os.chown(created, owner.pw_uid, owner.pw_gid)
    except (kubeconfig.KubeconfigError, OSError) as error:
        raise ConfigError(
            f"the cluster runs, but its context could not be written to {path}: {error}; mend that file, or use "
            f"another: steersman kubeconfig --data-dir {config.root} > FILE"
        ) from error
    return config.identity, path


def kubeconfig_path() -> tuple[Path, pwd.struct_passwd | None]:
    """The caller's kubeconfig: ``$KUBECONFIG``, or ``~/.kube/config`` of the user behind sudo, with that user."""
    if named := os.environ.get("KUBECONFIG"):
        return Path(named.split(os.pathsep)[0]), None
    if os.geteuid() == 0 and (user := os.environ.get("SUDO_USER")) and user != "root":
        with contextlib.suppress(KeyError):  # a user that this machine's directory does not know (any more)
            entry = pwd.getpwnam(user)
            return Path(entry.pw_dir) / ".kube/config", entry
    return Path.home() / ".kube/config", None


async def _wait(config: ClusterConfig, started: float, since: datetime | None, say: Say) -> None:
    watchdog = asyncio.create_task(_watch_processes(config), name="watch the processes")
    waiting = asyncio.create_task(_wait_until_served(config, started, since, say), name="wait until served")
    try:
        async with asyncio.timeout(START_TIMEOUT):
            done, _ = await asyncio.wait({watchdog, waiting}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    except TimeoutError:
        raise ConfigError(
            f"the cluster did not get ready within {START_TIMEOUT:.0f} s; see {config.root / 'logs'}"
        ) from None
    finally:
        for task in (watchdog, waiting):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConfigError):
                await task


async def _watch_processes(config: ClusterConfig) -> None:
    """Raise ConfigError once a process keeps ending, or the supervisor is gone, with what it said last."""
    while True:
        await asyncio.sleep(0.1)
        if not process.claimed(config.root):
            raise _failure(config, "supervisor", "has ended")
        state = process.supervisor(config.root)
        for name, child in state.children.items() if state else ():
            if child.restarts >= MOST_RESTARTS:
                raise _failure(config, name, "does not start")


def _failure(config: ClusterConfig, name: str, what: str) -> ConfigError:
    log = config.root / f"logs/{name}.log"
    lines = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else []
    return ConfigError("\n    ".join([f"the {name} {what}; the end of {log}:", *lines]))


async def _wait_until_served(config: ClusterConfig, started: float, since: datetime | None, say: Say) -> None:
    """Wait for the API server and the node; ``since`` is when the node was started, None for one that runs already."""
    path = config.root / "admin.conf"
    await _until(lambda: _exists(path))
    client = HTTPClient(kubeconfig.load(path))
    try:
        await _until(lambda: _serves(client))
        say(f"  control plane   ready after {time.monotonic() - started:.1f} s at {config.server_url}")
        await _until(lambda: _node_ready(client, config.node_name, since))
        say(f"  node            ready after {time.monotonic() - started:.1f} s: {config.node_name}")
        if config.simulated_nodes:
            last = f"simulated-{config.simulated_nodes - 1}"
            await _until(lambda: _node_ready(client, last, None))
            say(f"  simulated       {config.simulated_nodes} nodes, up to {last}")
    finally:
        await client.close()


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    while not await condition():
        await asyncio.sleep(0.02)


async def _exists(path: Path) -> bool:
    return path.exists()


async def _serves(client: Client) -> bool:
    try:
        await client.list(Node, limit=1)
    except StatusError:
        return False
    return True


async def _node_ready(client: Client, name: str, since: datetime | None) -> bool:
    try:
        if since is not None:
            # What the node's object says may be of the kubelet before; it renews its lease once it has said anew.
            renewed = (await client.get(Lease, name, "kube-node-lease")).spec.renew_time
            if renewed is None or renewed < since:
                return False
        node = await client.get(Node, name)
    except StatusError:
        return False
    return any(condition.type == "Ready" and condition.status == "True" for condition in node.status.conditions)

"""The control plane: store, API server, controllers and scheduler in one process, joined by local clients."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import msgspec

from steersman.api.user import User
from steersman.apiserver.server import ApiServer, ApiServerConfig
from steersman.pki import files as pki
from steersman.storage.datastore import auto_compaction, open_store
from steersman.storage.store import Store, StoreUnusableError

from . import bootstrap, lock, preflight, process, running
from . import config as configuration
from .config import ClusterConfig, ConfigError

if TYPE_CHECKING:
    from steersman.client.client import Client
    from steersman.controllers.config import ControllerManagerConfig
    from steersman.controllers.manager import ControllerManager
    from steersman.storage.etcd import EtcdTLS

log = logging.getLogger(__name__)

# Local clients pass no authorization; the group lets the role aggregation pass the check against escalation too.
CONTROLLER_MANAGER = User("system:kube-controller-manager", ("system:authenticated", "system:masters"))
SCHEDULER = User("system:kube-scheduler", ("system:authenticated",))
SIMULATION = User("system:kubelet", ("system:authenticated", "system:masters"))
BOOTSTRAP = User("system:steersman", ("system:masters",))

NODE_PATIENCE = 30.0
"""Seconds that another supervisor of the same data directory has to end."""


def run(
    config: ClusterConfig, *, node: bool = True, controllers: bool = True, scheduler: bool = True, verbose: bool = False
) -> None:
    """Run a control plane, and a node as a child process, until SIGTERM.  Raises ConfigError where it cannot start."""
    if node:
        preflight.check_node()
    if not config.root.exists():
        preflight.check_ports(config, node=False)  # nothing is left behind where it is in vain
    with lock.held(config):
        preflight.check_ports(config, node=False)
        _run(config, node=node, controllers=controllers, scheduler=scheduler, verbose=verbose)


def _run(config: ClusterConfig, *, node: bool, controllers: bool, scheduler: bool, verbose: bool) -> None:
    configuration.save(config)
    try:
        pki.ensure(config.pki)
    except pki.PKIError as error:
        raise ConfigError(str(error)) from error
    try:
        running.run(lambda: serve(config, node=node, controllers=controllers, scheduler=scheduler), verbose=verbose)
    except Exception as error:  # a group of those of its parts, mostly
        if (expected := _expected(error, config)) is None:
            raise
        raise expected from error


def _expected(error: BaseException, config: ClusterConfig) -> ConfigError | None:
    """What people are told of an error that is none of ours; None where only a traceback helps."""
    for cause in _causes(error):
        if isinstance(cause, ConfigError | StoreUnusableError):
            return ConfigError(str(cause))
        if isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE:
            return ConfigError(
                f"port {config.secure_port} on {config.bind_address} is taken; choose another --secure-port"
            )
    return None


async def serve(config: ClusterConfig, *, node: bool, controllers: bool, scheduler: bool) -> None:
    """Run the parts of the control plane until cancelled."""
    async with _store(config) as store, asyncio.TaskGroup() as group:
        server = ApiServer(_server_config(config), store)
        group.create_task(server.run(), name="API server")
        group.create_task(auto_compaction(store, config.datastore).run(), name="compaction")
        await server.ready.wait()
        group.create_task(bootstrap.ensure(server.local_client(BOOTSTRAP), config), name="bootstrap")
        # What follows is imported once the API server answers.
        if controllers:
            from steersman.apiserver.endpoints.queue_metrics import Queues
            from steersman.controllers.manager import ControllerManager

            client = _controllers_client(config, server)
            manager = ControllerManager(_controllers_config(config), client)
            server.metrics.add(Queues(manager.queues))
            group.create_task(_control(manager, client), name="controllers")
        if scheduler:
            group.create_task(_schedule(config, server.local_client(SCHEDULER)), name="scheduler")
        if config.simulated_nodes:
            group.create_task(_simulate(config, server.local_client(SIMULATION)), name="simulated nodes")
        if node:
            group.create_task(_keep_node(config), name="node")


async def _control(manager: ControllerManager, client: Client) -> None:
    try:
        await manager.run()
    finally:
        await client.close()


def _controllers_client(config: ClusterConfig, server: ApiServer) -> Client:
    """Controllers look after what other API servers serve, too, through this one."""
    from steersman.client.elsewhere import ElsewhereClient

    def connect() -> Client:
        from steersman.client import kubeconfig
        from steersman.client.http import HTTPClient

        loaded = kubeconfig.load(config.root / "admin.conf")
        user = CONTROLLER_MANAGER
        return HTTPClient(msgspec.structs.replace(loaded, impersonate=user.name, impersonate_groups=user.groups))

    return ElsewhereClient(server.local_client(CONTROLLER_MANAGER), server.elsewhere, connect)


async def _schedule(config: ClusterConfig, client: Client) -> None:
    from steersman.scheduler.scheduler import Scheduler, SchedulerConfig

    async def run() -> None:
        await Scheduler(SchedulerConfig(), client).run()

    if not config.shares_store:
        await run()
        return
    from steersman.client.leader_election import lead

    await lead(client, "kube-scheduler", config.process_identity, run)


async def _simulate(config: ClusterConfig, client: Client) -> None:
    from . import simulated

    address = config.node_address if config.simulated_metrics else ""
    await simulated.serve(simulated.config_of(config), client, config.process_identity, metrics=address)


@contextlib.asynccontextmanager
async def _store(config: ClusterConfig) -> AsyncIterator[Store]:
    directory = config.root / "server"
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = await open_store(config.datastore, directory, _etcd_tls(config) if config.shares_store else None)
    try:
        yield store
    finally:
        await store.close()


def _etcd_tls(config: ClusterConfig) -> EtcdTLS:
    from steersman.storage.etcd import EtcdTLS

    return EtcdTLS(config.etcd_cafile or None, config.etcd_certfile or None, config.etcd_keyfile or None)


async def _keep_node(config: ClusterConfig) -> None:
    """Run a supervisor of the node beside this process, for as long as this process runs."""
    async with asyncio.timeout(NODE_PATIENCE):
        while (claim := process.claim(config.root)) is None:
            await asyncio.sleep(0.1)  # the one of a server that was killed is just ending
    try:
        child = await asyncio.create_subprocess_exec(
            *process.supervisor_command(config.root, "agent"), stdin=asyncio.subprocess.DEVNULL, pass_fds=(claim,)
        )
    finally:
        os.close(claim)
    try:
        code = await child.wait()
        raise ConfigError(
            "the node was ended, and the server ends with it"
            if code == 0
            else f"the node's supervisor ended with {code}"
        )
    finally:
        if child.returncode is None:
            child.terminate()
            await child.wait()


def _server_config(config: ClusterConfig) -> ApiServerConfig:
    return ApiServerConfig(
        bind_address=config.bind_address,
        secure_port=config.secure_port,
        pki_directory=config.root / "pki",
        advertise_address=config.server_address,
        service_cidr=config.service_cidr,
        node_ports=config.node_ports,
        shared_store=config.shares_store,
        runtime_config=config.runtime_versions,
        profiling=config.profiling,
        issuer=f"https://kubernetes.default.svc.{config.cluster_domain}",
    )


def _controllers_config(config: ClusterConfig) -> ControllerManagerConfig:
    from steersman.controllers.config import ControllerManagerConfig

    return ControllerManagerConfig(
        leader_elect=config.shares_store,
        identity=config.process_identity,
        root_ca=(config.root / "pki/ca.crt").read_bytes(),
        cluster_cidrs=(config.cluster_cidr,),
        service_cidrs=tuple(map(str, config.service_networks)),
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for nested in error.exceptions:
            yield from _causes(nested)
    else:
        yield error

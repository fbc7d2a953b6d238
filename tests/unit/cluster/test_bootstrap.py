"""The objects that this distribution adds, on the fake client."""

from pathlib import Path
from typing import Any

import pytest

from fixtures.fake_client import FakeClient
from steersman.api.errors import internal_error
from steersman.api.types.core_v1 import Service
from steersman.api.types.discovery_v1 import EndpointSlice
from steersman.cluster import bootstrap, config


async def test_a_failure_is_mended_by_trying_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "FIRST_DELAY", 0.001)
    client = FakeClient()
    settings = config.resolve(tmp_path, node_address="192.0.2.4")
    create, failures = client.create, [EndpointSlice, Service]

    async def failing(obj: Any, **options: Any) -> Any:
        if type(obj) in failures:
            failures.remove(type(obj))
            raise internal_error("not now")
        return await create(obj, **options)

    monkeypatch.setattr(client, "create", failing)
    await bootstrap.ensure(client, settings)
    assert not failures
    assert (await client.get(Service, "kube-dns", "kube-system")).spec.cluster_ip == settings.dns_address
    (slice_,) = (await client.list(EndpointSlice, "kube-system")).items
    assert slice_.endpoints[0].addresses == ["192.0.2.4"]


async def test_a_moved_node_moves_the_dns_endpoint(tmp_path: Path) -> None:
    client = FakeClient()
    await bootstrap.ensure(client, config.resolve(tmp_path, node_address="192.0.2.4"))
    await bootstrap.ensure(client, config.resolve(tmp_path, node_address="192.0.2.5"))
    (slice_,) = (await client.list(EndpointSlice, "kube-system")).items
    assert slice_.endpoints[0].addresses == ["192.0.2.5"]


async def test_servers_of_one_store_do_not_take_dns_from_each_other(tmp_path: Path) -> None:
    client = FakeClient()
    for address in ("192.0.2.4", "192.0.2.5"):
        settings = config.resolve(tmp_path / address, node_address=address, datastore="etcd=http://192.0.2.9:2379")
        await bootstrap.ensure(client, settings)
    (slice_,) = (await client.list(EndpointSlice, "kube-system")).items
    assert slice_.endpoints[0].addresses == ["192.0.2.4"]

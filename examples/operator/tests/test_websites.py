"""The operator against a true API server: what becomes of websites."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from websites.controller import FINALIZER, WebsiteController
from websites.types import Website, WebsiteSpec

from steersman.api.types.apps_v1 import Deployment
from steersman.api.types.core_v1 import ConfigMap, Event, Service
from steersman.client import HTTPClient, ObjectMeta, StatusError, copy, is_not_found
from steersman.controllers.kit import Manager, condition, controlled_by, is_true
from steersman.testing import Cluster, eventually, running

EXAMPLE = Path(__file__).parent.parent
OPERATOR = "system:serviceaccount:websites:website-operator"


@pytest.fixture
def namespace(kubernetes: Cluster) -> str:
    return kubernetes.namespace


@pytest.fixture
async def client(kubernetes: Cluster, namespace: str) -> AsyncIterator[HTTPClient]:
    """An administrator's client, while the operator runs with the rights that it has in a cluster."""
    kubernetes.apply(EXAMPLE / "crd.yaml", EXAMPLE / "rbac.yaml")
    controller = partial(WebsiteController, namespace=namespace)
    async with (
        kubernetes.connect(Website) as client,
        kubernetes.as_user(OPERATOR).connect(Website) as operator,
        running(Manager(operator, [controller], leader_election_id="operator", leader_election_namespace=namespace)),
    ):
        yield client


def website(namespace: str, name: str = "hello", host: str = "hello.example.com") -> Website:
    spec = WebsiteSpec(host=host, page="<h1>Hello</h1>", replicas=2)
    return Website(metadata=ObjectMeta(name=name, namespace=namespace), spec=spec)


async def hosts(client: HTTPClient, namespace: str) -> dict[str, str]:
    return (await client.get(ConfigMap, "hosts", namespace)).data


async def ready(client: HTTPClient, namespace: str, name: str = "hello") -> Website | None:
    """The website, once it says that it is ready."""
    found = await client.get(Website, name, namespace)
    return found if is_true(found.status.conditions, "Ready") else None


async def gone(client: HTTPClient, which: type, name: str, namespace: str) -> bool:
    try:
        await client.get(which, name, namespace)
    except StatusError as error:
        return is_not_found(error)
    return False


async def test_a_website_is_served(client: HTTPClient, namespace: str) -> None:
    await client.create(website(namespace))
    made = await eventually(lambda: ready(client, namespace))
    assert made.metadata.finalizers == [FINALIZER]
    assert (made.status.ready_replicas, made.status.observed_generation) == (2, 1)
    for which in (ConfigMap, Service, Deployment):
        assert controlled_by(await client.get(which, "hello", namespace), made)
    assert await hosts(client, namespace) == {"hello.example.com": "hello"}
    events = await eventually(lambda: client.list(Event, namespace))
    assert "Serving" in {event.reason for event in events.items if event.involved_object.name == "hello"}


async def test_what_others_change_is_put_right(client: HTTPClient, namespace: str) -> None:
    await client.create(website(namespace))
    await eventually(lambda: ready(client, namespace))
    await client.delete(Service, "hello", namespace)
    await eventually(lambda: client.get(Service, "hello", namespace))
    changed = copy(await client.get(Website, "hello", namespace))
    changed.spec.page, changed.spec.replicas = "<h1>Bye</h1>", 3
    await client.update(changed)

    async def followed() -> bool:
        page = (await client.get(ConfigMap, "hello", namespace)).data["index.html"]
        status = (await client.get(Website, "hello", namespace)).status
        return (page, status.ready_replicas, status.observed_generation) == ("<h1>Bye</h1>", 3, 2)

    await eventually(followed)


async def test_a_website_leaves_nothing(client: HTTPClient, namespace: str) -> None:
    await client.create(website(namespace))
    await client.create(website(namespace, "other", "other.example.com"))
    await eventually(lambda: ready(client, namespace))
    await eventually(lambda: ready(client, namespace, "other"))
    await client.delete(Website, "hello", namespace)
    await eventually(lambda: gone(client, Website, "hello", namespace))
    assert await hosts(client, namespace) == {"other.example.com": "other"}
    await eventually(lambda: gone(client, Deployment, "hello", namespace))


async def test_a_host_has_one_website(client: HTTPClient, namespace: str) -> None:
    await client.create(website(namespace))
    await eventually(lambda: ready(client, namespace))
    await client.create(website(namespace, "rival"))

    async def refused() -> bool:
        found = condition((await client.get(Website, "rival", namespace)).status.conditions, "Ready")
        return found is not None and found.reason == "HostTaken"

    await eventually(refused)
    await client.delete(Website, "hello", namespace)
    await eventually(lambda: ready(client, namespace, "rival"))
    moved = copy(await client.get(Website, "rival", namespace))
    moved.spec.host = "elsewhere.example.com"
    with pytest.raises(StatusError, match="a website keeps its host"):
        await client.update(moved)

"""Two `steersman server` processes on one etcd: one cluster, whichever of them is asked."""

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from .api import MERGE, Api, new_namespace
from .etcd import Etcd
from .load import COLLECTION, LABEL, Watcher, Writer, lost, unseen
from .processes import Server, free_port
from .test_conversion import convert, converted, widget
from .test_custom_resources import CRDS, install, path
from .waiting import until
from .webhook import Webhook

SHARED = ("ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "sa.key", "sa.pub")
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
SERVICES = "/api/v1/namespaces/default/services"
ADDRESSES = "/apis/networking.k8s.io/v1/ipaddresses"
ENDPOINTS = "/api/v1/namespaces/default/endpoints/kubernetes"
SLICE = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
COUNT = 300


class Pair(NamedTuple):
    one: Server
    two: Server
    etcd: Etcd

    @property
    def apis(self) -> list[Api]:
        return [self.one.api, self.two.api]


@pytest.fixture(scope="module")
def pair(scratch: Path) -> Iterator[Pair]:
    port, etcd = free_port(), Etcd(scratch / "several-etcd")
    servers = [
        Server(scratch / name / "server", "--bind-address", address, "--datastore", f"etcd={etcd.url}", port=port)
        for name, address in (("one", "127.0.0.1"), ("two", "127.0.0.2"))
    ]
    for server in servers:
        server.data_dir.parent.mkdir(exist_ok=True)
    one, two = servers
    try:
        # The first one's authorities must be there before the second starts; then both begin a new cluster at once.
        etcd.start()
        one.start()
        one.kill()
        etcd.delete("/registry/")
        (two.data_dir / "pki").mkdir(parents=True, mode=0o700)
        for name in SHARED:
            shutil.copy2(one.data_dir / "pki" / name, two.data_dir / "pki" / name)
        with ThreadPoolExecutor() as pool:
            list(pool.map(Server.start, servers))
        yield Pair(one, two, etcd)
        for server in servers:
            log = server.log.read_text(errors="replace")
            assert "Traceback" not in log, log[log.index("Traceback") - 1000 :][:5000]
    finally:
        for server in servers:
            server.remove()
        etcd.remove()


def addresses(api: Api) -> list[str]:
    """Where the API is; empty while Endpoints and EndpointSlice tell of different moments."""
    legacy = [each["ip"] for subset in api.get(ENDPOINTS)["subsets"] for each in subset["addresses"]]
    slices = [address for endpoint in api.get(SLICE)["endpoints"] for address in endpoint["addresses"]]
    return legacy if legacy == slices else []


def both_listed(api: Api) -> Callable[[], bool]:
    return lambda: addresses(api) == ["127.0.0.1", "127.0.0.2"]


def test_each_server_is_known(pair: Pair) -> None:
    for api in pair.apis:
        until(both_listed(api), "both servers are endpoints", 20)
    leases = [item for item in pair.one.api.get(LEASES)["items"] if item["metadata"]["name"].startswith("apiserver-")]
    assert len(leases) == 2
    assert {item["metadata"]["labels"]["apiserver.kubernetes.io/identity"] for item in leases} == {"kube-apiserver"}
    assert pair.etcd.keys("/registry/masterleases/") == {"127.0.0.1", "127.0.0.2"}


def test_a_write_through_one_is_there_for_the_other_at_once(pair: Pair) -> None:
    one, two = pair.apis
    for number in range(40):
        writer, reader = (one, two) if number % 2 else (two, one)
        written = writer.create(CONFIG_MAPS, {"metadata": {"name": f"seen-{number}"}})
        assert reader.get(f"{CONFIG_MAPS}/seen-{number}") == written
        names = {item["metadata"]["name"] for item in reader.get(CONFIG_MAPS)["items"]}
        assert f"seen-{number}" in names
        writer.delete(f"{CONFIG_MAPS}/seen-{number}")
        assert not reader.exists(f"{CONFIG_MAPS}/seen-{number}")


def test_servers_never_give_the_same_twice(pair: Pair) -> None:
    apis = pair.apis
    before = {item["metadata"]["name"] for item in apis[0].get(ADDRESSES)["items"]}
    taken_before = pair.etcd.keys("/registry/ranges/nodeports/")

    def create(number: int) -> Any:
        body = {
            "metadata": {"name": f"s{number}"},
            "spec": {"type": "NodePort", "ports": [{"port": 80}], "selector": {"app": "x"}},
        }
        return apis[number % 2].create(SERVICES, body)

    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(create, range(COUNT)))
        given = {service["spec"]["clusterIP"] for service in created}
        ports = {str(service["spec"]["ports"][0]["nodePort"]) for service in created}
        assert len(given) == len(ports) == COUNT
        for api in apis:
            assert {item["metadata"]["name"] for item in api.get(ADDRESSES)["items"]} == before | given
        assert pair.etcd.keys("/registry/ranges/nodeports/") == taken_before | ports
        list(pool.map(lambda number: apis[(number + 1) % 2].delete(f"{SERVICES}/s{number}"), range(COUNT)))
    for api in apis:
        assert {item["metadata"]["name"] for item in api.get(ADDRESSES)["items"]} == before
    assert pair.etcd.keys("/registry/ranges/nodeports/") == taken_before


def test_a_kill_leaks_nothing(pair: Pair) -> None:
    """Services come and go through both servers while one is killed: what is allocated is what there is."""
    stop = threading.Event()

    def churn(number: int) -> None:
        api, count = pair.apis[number % 2], 0
        while not stop.is_set():
            name = f"churn-{number}-{count}"
            body = {"metadata": {"name": name}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}}
            try:
                api.request("POST", SERVICES, body)
                if count % 2:
                    api.request("DELETE", f"{SERVICES}/churn-{number}-{count - 1}")
                count += 1
            except OSError:
                time.sleep(0.01)

    threads = [threading.Thread(target=churn, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(0.4)
        pair.one.kill()
        pair.one.start()
    stop.set()
    for thread in threads:
        thread.join(20)
    services = pair.one.api.get("/api/v1/services")["items"]
    assert len(services) > 20
    given = {service["spec"]["clusterIP"] for service in services} - {"None"}
    ports = [str(port["nodePort"]) for service in services for port in service["spec"]["ports"] if "nodePort" in port]
    assert pair.etcd.keys("/registry/ipaddresses/") == given
    assert len(ports) == len(set(ports))
    assert pair.etcd.keys("/registry/ranges/nodeports/") == set(ports)
    for service in services:
        if service["metadata"]["name"].startswith("churn-"):
            pair.two.api.delete(f"{SERVICES}/{service['metadata']['name']}")


def test_one_goes_on_when_the_other_is_killed(pair: Pair) -> None:
    survivor, victim = pair.two, pair.one
    until(both_listed(survivor.api), "both servers are endpoints", 20)
    written: list[str] = []
    stop = threading.Event()

    def write() -> None:
        api = survivor.api
        while not stop.is_set():
            name = f"meanwhile-{len(written)}"
            api.create(CONFIG_MAPS, {"metadata": {"name": name}})
            written.append(name)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        until(lambda: len(written) > 10, "writes go through")
        victim.kill()
        count, killed = len(written), time.monotonic()
        until(lambda: len(written) > count + 50, "writes go on", 5)
    finally:
        stop.set()
        writer.join(10)
    until(lambda: addresses(survivor.api) == ["127.0.0.2"], "the dead server is no endpoint any more", 40)
    assert time.monotonic() - killed < 35
    # Whoever led: somebody runs the controllers, soon.
    new_namespace(survivor.api, "after")
    victim.start()
    until(both_listed(survivor.api), "the server is back", 20)
    names = {item["metadata"]["name"] for item in victim.api.get(CONFIG_MAPS)["items"]}
    assert set(written) <= names


def test_watches_tell_of_all_writes_although_servers_are_killed(pair: Pair) -> None:
    """Each server is written to and watched, and killed in its turn; the watches of both tell the same.

    So slowly that a server which comes back still finds, in the history that its caches begin with, where its watches
    were: otherwise they would have to list again.
    """
    apis = pair.apis
    version = int(apis[0].get(COLLECTION)["metadata"]["resourceVersion"])
    writing, watching = threading.Event(), threading.Event()
    writers = [Writer(api, writing, number, pause=0.02) for number, api in enumerate([*apis, *apis])]
    watchers = [Watcher(api, watching, LABEL, version) for api in apis]
    for thread in (*watchers, *writers):
        thread.start()
    for server in (pair.one, pair.two, pair.one):
        time.sleep(0.5)
        server.kill()
        time.sleep(0.3)
        server.start()
    time.sleep(0.3)
    writing.set()
    for writer in writers:
        writer.join(10)
    items = apis[0].get(f"{COLLECTION}?labelSelector={LABEL}")["items"]
    values = {item["metadata"]["name"]: int(item["data"]["n"]) for item in items}
    assert not lost(writers, values)
    until(lambda: all(watcher.faults or watcher.state() == values for watcher in watchers), "the watches tell it all")
    for watcher in watchers:
        assert not watcher.faults, watcher.faults[:5]
        assert not unseen(writers, watcher)
    assert watchers[0].events == watchers[1].events
    watching.set()
    for item in items:  # an event ends the watches
        apis[0].delete(f"{COLLECTION}/{item['metadata']['name']}")
    for watcher in watchers:
        watcher.join(10)


def test_a_server_that_stops_says_goodbye(pair: Pair) -> None:
    until(both_listed(pair.one.api), "both servers are endpoints", 20)
    assert pair.two.stop() < 2.0
    assert addresses(pair.one.api) == ["127.0.0.1"]
    pair.two.start()
    until(both_listed(pair.one.api), "the server is back", 20)


def test_etcd_goes_and_comes_back(pair: Pair) -> None:
    """What is cached is still told meanwhile; nothing else is needed for the servers to go on."""
    apis = pair.apis
    apis[0].create(CONFIG_MAPS, {"metadata": {"name": "before"}})
    assert all(api.exists(f"{CONFIG_MAPS}/before") for api in apis)
    pair.etcd.kill()
    for api in apis:
        assert api.request("POST", CONFIG_MAPS, {"metadata": {"name": "refused"}}, timeout=20).code == 503
        assert api.request("GET", f"{CONFIG_MAPS}/before?resourceVersion=0").code == 200
        answer = api.request("GET", "/readyz")
        assert (answer.code, "[-]etcd failed" in answer.text, "[+]ping ok" in answer.text) == (500, True, True)
    pair.etcd.start()
    for number, api in enumerate(apis):
        name = f"after-{number}"
        wanted = {"metadata": {"name": name}}
        until(lambda: api.request("POST", CONFIG_MAPS, wanted).code in (201, 409), "writes go through again", 30)  # noqa: B023
        assert all(each.exists(f"{CONFIG_MAPS}/{name}") for each in apis)
    until(both_listed(apis[0]), "both servers are endpoints", 30)


def test_custom_resources_are_converted_on_every_server(pair: Pair, tmp_path: Path) -> None:
    one, two = pair.apis
    group = "several.example.com"
    hook = Webhook(tmp_path, convert)
    try:
        install(one, converted(group, hook.config()))
        old, new = path(group, "default"), path(group, "default", at="v2")
        until(lambda: two.request("GET", new).code == 200, "the other server serves it, too")
        with two.stream(f"{new}?watch=1&resourceVersion=0") as watch:
            one.create(old, widget(group, "v1", size=1))
            assert json.loads(watch.readline())["object"]["spec"] == {"shape": {"size": 1}}
            assert two.request("GET", f"{new}/a").body["spec"] == {"shape": {"size": 1}}

            def grow(turn: int) -> int:
                api, place = (one, f"{old}/a") if turn % 2 else (two, f"{new}/a")
                body = {"metadata": {"labels": {f"l{turn}": "x"}}}
                return api.request("PATCH", place, body, MERGE).code

            with ThreadPoolExecutor(8) as pool:
                assert set(pool.map(grow, range(40))) == {200}
            labels = two.request("GET", f"{new}/a").body["metadata"]["labels"]
            assert set(labels) == {f"l{turn}" for turn in range(40)}
            seen = [json.loads(watch.readline()) for _ in range(40)]
            assert seen[-1]["object"]["metadata"]["labels"] == labels
            versions = [int(each["object"]["metadata"]["resourceVersion"]) for each in seen]
            assert versions == sorted(set(versions))
            hook.answer = lambda review: 500
            one.create(old, widget(group, "v1", "b", size=2))
            until(lambda: two.request("GET", new).code == 500, "what cannot be converted is told of")
            assert [each["metadata"]["name"] for each in two.request("GET", old).body["items"]] == ["a", "b"]
            hook.answer = convert
            assert json.loads(watch.readline())["object"]["spec"] == {"shape": {"size": 2}}
    finally:
        one.request("DELETE", f"{CRDS}/widgets.{group}")
        hook.close()

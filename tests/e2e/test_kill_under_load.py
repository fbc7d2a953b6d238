"""`kill -9` of the API server under load, again and again: nothing that was acknowledged is lost, no watch notices."""

import random
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from .load import COLLECTION, LABEL, Watcher, Writer, lost, unseen
from .processes import Server
from .waiting import until


@pytest.fixture(params=["sqlite", "etcd"])
def datastore(request: pytest.FixtureRequest) -> Iterator[tuple[list[str], int]]:
    """The server's options, and how often to kill it."""
    if request.param == "sqlite":
        yield [], 20
    else:
        yield ["--datastore", f"etcd={request.getfixturevalue('etcd')}"], 5


def test_nothing_is_lost_and_no_watch_notices(
    make_server: Callable[..., Server], datastore: tuple[list[str], int]
) -> None:
    options, kills = datastore
    server = make_server("--disable-controllers", "--disable-scheduler", *options).start()
    api = server.api
    version = int(api.get(COLLECTION)["metadata"]["resourceVersion"])
    writing, watching = threading.Event(), threading.Event()
    writers = [Writer(api, writing, number) for number in range(4)]
    selectors = (LABEL, LABEL, f"{LABEL},even=yes", f"{LABEL},even!=yes")
    watchers = [Watcher(api, watching, selector, version) for selector in selectors]
    moments = random.Random(1)
    for thread in (*watchers, *writers):
        thread.start()
    for _ in range(kills):
        time.sleep(moments.uniform(0.05, 0.4))
        server.kill()
        server.start()
    time.sleep(0.3)
    writing.set()
    for writer in writers:
        writer.join(10)
    last = max(version for writer in writers for version in writer.versions)
    listing = api.get(f"{COLLECTION}?labelSelector={LABEL}")
    assert int(listing["metadata"]["resourceVersion"]) >= last
    final = {item["metadata"]["name"]: item for item in listing["items"]}
    values = {name: int(item["data"]["n"]) for name, item in final.items()}
    parts = [
        values,
        values,
        {name: values[name] for name, item in final.items() if "even" in item["metadata"]["labels"]},
        {name: values[name] for name, item in final.items() if "even" not in item["metadata"]["labels"]},
    ]
    until(
        lambda: all(watcher.faults or watcher.state() == part for watcher, part in zip(watchers, parts, strict=True)),
        "the watchers have seen the final state",
    )
    watching.set()
    server.kill()
    for watcher in watchers:
        watcher.join(10)

    assert not lost(writers, values)
    assert sum(len(writer.versions) for writer in writers) > kills * 10
    for watcher, part in zip(watchers, parts, strict=True):
        assert watcher.connections > kills / 2
        assert watcher.state() == part
        assert not watcher.faults, watcher.faults[:5]
    for watcher in watchers[:2]:
        missing = unseen(writers, watcher)
        assert not missing, f"{len(missing)} acknowledged writes were not seen: {list(missing.items())[:5]}"

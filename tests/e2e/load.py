"""Load that survives a server's death: writers that know what was acknowledged, watchers that resume."""

import http.client
import json
import random
import threading
import time
from typing import Any

from .api import MERGE, Api

COLLECTION = "/api/v1/namespaces/default/configmaps"
LABEL = "load"


class Patient(threading.Thread):
    """Does something over one connection, and anew whenever that breaks."""

    def __init__(self, api: Api, finished: threading.Event) -> None:
        super().__init__(daemon=True)
        self.api, self.finished = api, finished
        self.connection = self.connect()

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self.api.host, self.api.port, context=self.api.context, timeout=10)

    def run(self) -> None:
        while not self.finished.is_set():
            try:
                self.work()
            except (OSError, http.client.HTTPException):
                self.connection.close()
                self.connection = self.connect()
                time.sleep(0.01)

    def work(self) -> None:
        raise NotImplementedError


class Writer(Patient):
    """Changes, deletes and creates objects of its own, and writes down what it tried and what was acknowledged."""

    def __init__(self, api: Api, finished: threading.Event, number: int, pause: float = 0.0) -> None:
        super().__init__(api, finished)
        self.pause = pause
        self.random = random.Random(number)
        self.tried: dict[str, list[int | None]] = {f"w{number}-{key}": [None] for key in range(4)}
        """By name: the value after each attempt, None for deleted."""
        self.acknowledged = dict.fromkeys(self.tried, 0)
        """By name: the last attempt that was."""
        self.versions: dict[int, tuple[str, int]] = {}
        """By resource version: the name and the value that were acknowledged at it."""
        self.count = 0

    def work(self) -> None:
        time.sleep(self.pause)
        self.count += 1
        name = self.random.choice(list(self.tried))
        labels = {LABEL: "yes", "even": "yes" if self.count % 2 == 0 else None}
        body = {"metadata": {"name": name, "labels": labels}, "data": {"n": str(self.count)}}
        if self.tried[name][self.acknowledged[name]] is None:
            labels = {key: value for key, value in labels.items() if value}
            body["metadata"] = {"name": name, "labels": labels}
            self.attempt(name, self.count, "POST", COLLECTION, body)
        elif self.random.random() < 0.1:
            self.attempt(name, None, "DELETE", f"{COLLECTION}/{name}", None)
        else:
            self.attempt(name, self.count, "PATCH", f"{COLLECTION}/{name}", body)

    def attempt(self, name: str, value: int | None, method: str, path: str, body: Any) -> None:
        self.tried[name].append(value)
        kind = MERGE if method == "PATCH" else "application/json"
        self.connection.request(method, path, body and json.dumps(body), {"Content-Type": kind})
        response = self.connection.getresponse()
        answer = json.loads(response.read())
        attempt = len(self.tried[name]) - 1
        if response.status in (200, 201):
            self.acknowledged[name] = attempt
            if value is not None:
                version = int(answer["metadata"]["resourceVersion"])
                assert version > max(self.versions, default=0), "versions only grow"
                self.versions[version] = (name, value)
        elif response.status in (404, 409):
            # An attempt before this one was carried out, and its answer lost.
            self.tried[name][attempt] = None if response.status == 404 else self.read(name)
            self.acknowledged[name] = attempt
        else:
            time.sleep(0.01)  # 429 or 503 while it starts or stops: not done

    def read(self, name: str) -> int | None:
        self.connection.request("GET", f"{COLLECTION}/{name}")
        response = self.connection.getresponse()
        answer = json.loads(response.read())
        return int(answer["data"]["n"]) if response.status == 200 else None


class Watcher(Patient):
    """Follows the collection from one version on, and through every crash from where it was."""

    def __init__(self, api: Api, finished: threading.Event, selector: str, version: int) -> None:
        super().__init__(api, finished)
        self.selector = selector
        self.version = version
        self.events: list[tuple[int, str, str, int]] = []
        self.faults: list[str] = []
        self.connections = 0

    def work(self) -> None:
        query = f"?watch=1&allowWatchBookmarks=true&labelSelector={self.selector}&resourceVersion={self.version}"
        self.connection.request("GET", COLLECTION + query)
        response = self.connection.getresponse()
        if response.status != 200:
            response.read()
            time.sleep(0.01)
            return
        self.connections += 1
        while not self.finished.is_set() and (line := response.readline()).endswith(b"\n"):
            self.take(json.loads(line))
        self.connection.close()

    def take(self, event: dict[str, Any]) -> None:
        if event["type"] == "ERROR":
            self.faults.append(json.dumps(event))
            self.finished.set()
            return
        meta = event["object"]["metadata"]
        version = int(meta["resourceVersion"])
        if event["type"] == "BOOKMARK":
            if version < self.version:
                self.faults.append(f"bookmark {version} after {self.version}")
        else:
            if version <= self.version:
                self.faults.append(f"{event['type']} {meta['name']} at {version} after {self.version}")
            self.events.append((version, event["type"], meta["name"], int(event["object"]["data"]["n"])))
        self.version = version

    def state(self) -> dict[str, int]:
        """What the events add up to."""
        found: dict[str, int] = {}
        for version, kind, name, value in list(self.events):
            if (name in found) != (kind != "ADDED"):
                raise AssertionError(f"{kind} {name} at {version}, which was {'' if name in found else 'not '}there")
            if kind == "DELETED":
                found.pop(name, None)
            else:
                found[name] = value
        return found


def lost(writers: list[Writer], values: dict[str, int]) -> list[str]:
    """What is not as it was acknowledged, nor as a later attempt would have left it."""
    return [
        f"{name} is {values.get(name)}, acknowledged {states[writer.acknowledged[name]]}"
        for writer in writers
        for name, states in writer.tried.items()
        if values.get(name) not in states[writer.acknowledged[name] :]
    ]


def unseen(writers: list[Writer], watcher: Watcher) -> dict[int, tuple[str, int]]:
    """The acknowledged writes that a watcher of everything was not told of."""
    seen = {version: (name, value) for version, kind, name, value in watcher.events if kind != "DELETED"}
    acknowledged = {version: write for writer in writers for version, write in writer.versions.items()}
    return {version: write for version, write in acknowledged.items() if seen.get(version) != write}

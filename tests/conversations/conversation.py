"""Recorded conversations: requests and the answers to them, as text that people read and change.

A file holds exchanges; each begins with a line ``### title``, then a request (the line, headers, an empty line, a
body), then ``-->`` and the answer's status, the headers of :data:`SHOWN`, an empty line, the body as YAML.  What
differs from run to run (uids, versions, times, generated names, tokens) is replaced by a name such as ``<uid 1>``:
the same value has the same name throughout a file, and a request may use it.  A JSON body may be written as YAML.
``NAMESPACE`` stands for a namespace of the file's own.  Of managed fields, only the managers are recorded.
"""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from e2e.api import Api

SHOWN = ("Content-Type", "Location", "Retry-After", "Allow", "Vary", "Warning")

_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_AGE = re.compile(r"\d+[smh]")
_VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "<time>"),
    (re.compile(r"current: \d+"), "current: <current>"),
    (re.compile(r"in record \(\d+\)"), "in record (<current>)"),
    (re.compile(r'resourceVersion\\":\\"\d+'), 'resourceVersion\\\\":\\\\"<version>'),
    (re.compile(r"kube-api-access-[a-z0-9]{5}"), "kube-api-access-<suffix>"),
    (re.compile(r"X509SHA256=[0-9a-f]{64}"), "X509SHA256=<fingerprint>"),
)
_NAMED = {
    "resourceVersion": "version",
    "continue": "continue",
    "clusterIP": "address",
    "nodePort": "port",
    "healthCheckNodePort": "port",
    "storageVersionHash": "hash",
}


class Exchange(NamedTuple):
    title: str
    method: str
    path: str
    headers: dict[str, str]
    body: str
    answer: str


def parse(text: str) -> Iterator[Exchange]:
    """The exchanges of a file; an answer is empty where none was recorded yet."""
    for part in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        title, _, rest = part.partition("\n")
        question, _, answer = rest.strip("\n").partition("\n--> ")
        head, _, body = question.partition("\n\n")
        line, *headers = head.splitlines()
        method, path = line.split(" ", 1)
        pairs = dict(header.split(": ", 1) for header in headers)
        yield Exchange(title, method, path, pairs, body.strip("\n"), f"--> {answer}".rstrip("\n") if answer else "")


def render(preamble: str, exchanges: list[Exchange]) -> str:
    """A file again."""
    parts = [preamble.rstrip("\n")]
    for each in exchanges:
        head = "\n".join([f"{each.method} {each.path}", *(f"{name}: {value}" for name, value in each.headers.items())])
        question = f"{head}\n\n{each.body}" if each.body else head
        parts.append(f"### {each.title}\n{question}\n\n{each.answer}")
    return "\n\n".join(parts) + "\n"


class Conversation:
    """One client's exchanges with a server, in a namespace; remembers what it gave names to."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._names: dict[tuple[str, str], str] = {}
        self._values: dict[str, str] = {}
        self._name("namespace", namespace, "NAMESPACE")

    def answer(self, exchange: Exchange) -> str:
        """Send a request and return the answer as it is recorded."""
        method, path, body = exchange.method, self._filled(exchange.path), self._filled(exchange.body)
        headers = {name: self._filled(value) for name, value in exchange.headers.items()}
        if body and headers.setdefault("Content-Type", "application/json").endswith("json") and body[0] not in "{[":
            body = json.dumps(yaml.safe_load(body))  # written as YAML, sent as JSON
        connection = http.client.HTTPSConnection(self._api.host, self._api.port, context=self._api.context, timeout=10)
        try:
            connection.request(method, path, body.encode() if body else None, headers)
            response = connection.getresponse()
            data = response.read().decode()
        finally:
            connection.close()
        lines = [f"--> {response.status} {response.reason}"]
        lines += [f"{name}: {value}" for name in SHOWN for value in response.headers.get_all(name) or []]
        return "\n".join(lines) + "\n" + self._masked_text(self._body(data, response.headers.get_content_type()))

    def _body(self, data: str, media_type: str) -> str:
        if not data:
            return ""
        if media_type == "application/yaml":
            return f"\n{_dump(self._masked(yaml.safe_load(data)))}".rstrip("\n")
        if media_type != "application/json":
            return f"\n{data.rstrip()}"
        documents = [self._masked(json.loads(line)) for line in data.splitlines() if line.strip()]
        return "\n" + "---\n".join(map(_dump, documents)).rstrip("\n")

    def _masked(self, tree: Any, key: str = "") -> Any:
        if isinstance(tree, dict):
            if "generateName" in tree and str(tree.get("name", "")).startswith(tree["generateName"]):
                self._name("name", tree["name"])
            passing = key == "" and (tree.get("kind", "").endswith(("List", "Table")) or tree.get("type") == "BOOKMARK")
            return {name: self._masked(_current(value) if passing else value, name) for name, value in tree.items()}
        if key == "managedFields":
            # Their order is that of seconds: two that wrote within one are in the order of their names.
            return sorted(f"{each.get('manager')} by {each.get('operation')}" for each in tree)
        if isinstance(tree, list):
            return [self._masked(value, key) for value in tree]
        if key == "cells" and isinstance(tree, str) and _AGE.fullmatch(tree):
            return "<age>"
        if key in _NAMED and tree not in ("", "None", "<current>", 0, None):
            return self._name(_NAMED[key], str(tree))
        return tree

    def _masked_text(self, text: str) -> str:
        text = _UID.sub(lambda match: self._name("uid", match[0]), text)
        for pattern, name in _VARYING:
            text = pattern.sub(name, text)
        for (kind, value), name in self._names.items():
            if kind in ("name", "address", "namespace"):
                text = text.replace(value, name)
        return text

    def _name(self, kind: str, value: str, name: str = "") -> str:
        if (known := self._names.get((kind, value))) is None:
            count = sum(1 for other, _ in self._names if other == kind)
            known = self._names[kind, value] = name or f"<{kind} {count + 1}>"
            self._values[known] = value
        return known

    def _filled(self, text: str) -> str:
        for name, value in self._values.items():
            text = text.replace(name, value)
        return text


def _current(part: Any) -> Any:
    """A list's metadata, or a bookmark's object, without the version that the whole store has just then."""
    if isinstance(part, dict) and "resourceVersion" in part:
        return {**part, "resourceVersion": "<current>"}
    if isinstance(part, dict) and "metadata" in part:
        return {**part, "metadata": _current(part["metadata"])}
    return part


def _dump(tree: Any) -> str:
    return yaml.safe_dump(tree, sort_keys=False, default_flow_style=None, width=150, allow_unicode=True)

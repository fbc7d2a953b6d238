"""Every combination of what says which version a get, a list or a watch is of; the answers are a golden file.

``UPDATE_GOLDEN=1`` writes it anew.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import msgspec

from steersman.api.errors import StatusError
from steersman.api.types import core_v1 as v1
from steersman.api.types.meta_v1 import Status
from steersman.apiserver.registry.contract import ListOptions
from steersman.apiserver.registry.registry import Registry
from steersman.client.local import LocalClient

from .conftest import config_map
from .test_reads import Recorder

GOLDEN = Path(__file__).parent / "golden" / "resource_versions.txt"


class World:
    """Three config maps, of which one was deleted, at versions with names."""

    def __init__(self, registry: Registry) -> None:
        self.handler = registry.handler_of(v1.ConfigMap)
        self.handler.patience = 0.01
        self.registry = registry

    async def build(self, client: LocalClient) -> World:
        await client.create(config_map("a"))
        await client.create(config_map("gone"))
        await client.delete(v1.ConfigMap, "gone", "default")
        compacted = await self.registry.store.revision()
        await client.create(config_map("b"))
        oldest = self.handler.cache._window.oldest = await self.registry.store.revision()
        await self.registry.store.compact(oldest)
        past = int((await client.create(config_map("c"))).metadata.resource_version)
        await client.create(config_map("d"))
        now = await self.registry.store.revision()
        self.versions = {"compacted": compacted, "oldest": oldest, "past": past, "now": now, "future": now + 1000}
        self.tokens = {
            "valid": token(past, "a\0"),
            "compacted": token(compacted, "a\0"),
            "latest": token(-1, "a\0"),
            "future": token(now + 1000, "a\0"),
            "zero": token(0, "a\0"),
            "no-start": token(past, ""),
            "outside": token(past, "../../secrets/x"),
            "other-version": token(past, "a\0", "meta.k8s.io/v2"),
            "not-base64": "a.b",
            "cut": "eyJ2I",
        }
        return self

    def version(self, name: str) -> str:
        return str(self.versions.get(name, name)) if name != "-" else ""

    def named(self, text: str) -> str:
        """Versions by their names."""
        names = {str(number): f"<{name}>" for name, number in self.versions.items()}
        return re.sub(r"\b\d+\b", lambda match: names.get(match[0], match[0]), text)

    def failure(self, status: Status) -> str:
        details = status.details
        text = f"{status.code} {status.reason}: {status.message}"
        if details is not None:
            if details.causes and status.code == 504:
                text += f" causes={[(cause.reason, cause.message) for cause in details.causes]}"
            if details.retry_after_seconds is not None:
                text += f" retryAfterSeconds={details.retry_after_seconds}"
        if status.metadata.continue_:
            text += f" continue={decoded(status.metadata.continue_)}"
        return self.named(text)

    async def get(self, version: str) -> str:
        try:
            entry = await self.handler.get("default", "c", resource_version=self.version(version))
        except StatusError as error:
            return self.failure(error.status)
        return self.named(f"c@{entry.revision}")

    async def list(self, **options: Any) -> str:
        try:
            page = await self.handler.list("default", self.options(**options))
        except StatusError as error:
            return self.failure(error.status)
        text = f"{names(entry.key for entry in page.entries)} @{page.resource_version}"
        if page.continue_:
            text += f" continue={decoded(page.continue_)} remaining={page.remaining_item_count}"
        return self.named(text)

    async def watch(self, **options: Any) -> str:
        sink = Recorder()
        try:
            subscription = await self.handler.watch("default", self.options(**options), sink)
        except StatusError as error:
            return self.failure(error.status)
        subscription.cancel()
        text = " ".join(f"{kind} {name}" for kind, name in sink.events)
        text += "".join(f" BOOKMARK@{revision}{' end' * end}" for revision, end in sink.bookmarks)
        if sink.error is not None:
            text += f" ERROR {self.failure(sink.error)}"
        return self.named(text.strip() or "(waits)")

    def options(self, *, version: str, match: str, token: str = "-", **others: Any) -> ListOptions:
        return ListOptions(
            resource_version=self.version(version),
            resource_version_match="" if match == "-" else match,
            continue_="" if token == "-" else self.tokens[token],
            **others,
        )


def token(revision: int, start: str, encoding: str = "meta.k8s.io/v1") -> str:
    wire = {"v": encoding, "rv": revision, "start": start}
    return base64.urlsafe_b64encode(msgspec.json.encode(wire)).decode().rstrip("=")


def decoded(text: str) -> str:
    wire = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return f"{wire['start'].rstrip(chr(0))}@{wire['rv']}"


def names(keys: Iterator[str]) -> str:
    return "[" + " ".join(key.rpartition("/")[2] for key in keys if "/kube-root-ca" not in key) + "]"


VERSIONS = ("-", "0", "compacted", "past", "now", "future", "x", "18446744073709551616")
MATCHES = ("-", "Exact", "NotOlderThan", "Sometimes")


async def test_every_combination(client: LocalClient, registry: Registry) -> None:
    world = await World(registry).build(client)
    lines = [f"get version={version}: {await world.get(version)}" for version in VERSIONS]
    asked: list[tuple[str, Any]] = []
    for version, match, limit in product(VERSIONS, MATCHES, (0, 1)):
        question = f"list version={version} match={match} limit={limit}"
        asked.append((question, world.list(version=version, match=match, limit=limit)))
    for token_, version, match in product(world.tokens, ("-", "0", "past"), ("-", "Exact")):
        question = f"list continue={token_} version={version} match={match} limit=1"
        asked.append((question, world.list(version=version, match=match, limit=1, token=token_)))
    asked.append(("list sendInitialEvents=true", world.list(version="-", match="Exact", send_initial_events=True)))
    asked.append(("list limit=1 label", world.list(version="past", match="-", limit=1, label_selector="x!=y")))
    chosen = world.list(version="now", match="-", limit=1, field_selector="metadata.name!=a")
    asked.append(("list limit=1 field", chosen))
    for version, match, initial in product(VERSIONS, MATCHES, (None, True, False)):
        for token_ in ("-", "valid") if match == "NotOlderThan" else ("-",):
            said = {None: "-", True: "true", False: "false"}[initial]
            question = f"watch version={version} match={match} sendInitialEvents={said} continue={token_}"
            options = {"version": version, "match": match, "send_initial_events": initial, "token": token_}
            asked.append((question, world.watch(**options, allow_watch_bookmarks=True)))
    answers = await asyncio.gather(*(answer for _, answer in asked))
    lines += [f"{question}: {answer}" for (question, _), answer in zip(asked, answers, strict=True)]
    text = "\n".join(lines) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()

"""Conversion by a webhook: in batches, each object once.

What a webhook answered is remembered for a while, by what was asked and not by when: an object that is written is
converted on its way to the store, back again, for its managers and for admission, and costs one question each way.
Neither its version in the store, nor its generation, nor who manages it has a part in that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import msgspec

from steersman.api.types.apiextensions_v1 import WebhookConversion
from steersman.api.unstructured import Tree
from steersman.apiserver.extensions.webhook_client import Address, CallFailed, address_of
from steersman.storage.store import Unconvertible

from .review import Unusable, answered, converted, review

TIMEOUT = 30.0
"""Seconds, upstream's."""

_MOST_BYTES = 1 << 20
"""Of the objects in one question: servers that set a limit at all have set this one."""

_REMEMBERED_BYTES = 4 << 20
_REMEMBERED = 16
"""So many answers are kept however large they are: the conversions that one write needs."""

_SLICE = 64 * 1024
"""After so many bytes of JSON the event loop gets its turn."""

_PASSING = frozenset(("generation", "managedFields", "resourceVersion"))

_encode = msgspec.json.Encoder(order="deterministic").encode


class Webhooks(Protocol):
    """Asks webhooks."""

    async def post(self, address: Address, body: bytes, timeout: float) -> bytes:
        """The body of the answer; raises CallFailed."""
        ...


class Observer(Protocol):
    """Hears of each question to a conversion webhook; ``failure`` is empty, or upstream's type of failure."""

    def __call__(self, definition: str, source: str, target: str, seconds: float, failure: str) -> None: ...


class _Item(NamedTuple):
    tree: Tree
    question: tuple[str, bytes]
    text: bytes


class WebhookConverter:
    """Converts objects of one definition, which ``name`` is the name of."""

    def __init__(
        self, name: str, declared: WebhookConversion, webhooks: Webhooks, observe: Observer | None = None
    ) -> None:
        assert declared.client_config is not None
        self._name = name
        self._address = address_of(declared.client_config)
        self._accepted = declared.conversion_review_versions
        self._webhooks = webhooks
        self._observe = observe
        self._answers: dict[tuple[str, bytes], bytes] = {}
        self._size = 0
        self._most = _MOST_BYTES

    def recall(self, tree: Tree, target: str) -> Tree | None:
        """An object in another version where that is known already."""
        answer = self._answers.get(_question(tree, target))
        return converted(tree, answer, target, 0, alone=True) if answer is not None else None

    async def convert(self, trees: Sequence[Tree], target: str) -> list[Tree]:
        """Objects in another version; raises Unconvertible, with upstream's words for clients."""
        results: dict[int, Tree] = {}
        missing: dict[int, _Item] = {}
        size = 0
        for index, tree in enumerate(trees):
            question = _question(tree, target)
            if (answer := self._answers.get(question)) is not None:
                results[index] = converted(tree, answer, target, 0, alone=True)
            else:
                missing[index] = _Item(tree, question, _encode(tree))
            size += len(question[1])
            if size > _SLICE:
                size = 0
                await asyncio.sleep(0)
        for batch in list(self._batches(missing)):
            results |= zip(batch, await self._ask([missing[index] for index in batch], target), strict=True)
        return [results[index] for index in range(len(trees))]

    def _batches(self, items: dict[int, _Item]) -> Iterator[list[int]]:
        batch: list[int] = []
        size = 0
        for index, item in items.items():
            if batch and size + len(item.text) > self._most:
                yield batch
                batch, size = [], 0
            batch.append(index)
            size += len(item.text)
        if batch:
            yield batch

    async def _ask(self, items: Sequence[_Item], target: str) -> list[Tree]:
        """Put one question; one that is too large for the webhook's server is put in parts.

        Later ones are smaller then, as they are after one that was not answered in time.
        """
        first = items[0].tree
        subject = f"conversion webhook for {first['apiVersion']}, Kind={first['kind']}"
        started = time.perf_counter()
        failure = "conversion_webhook_call_failure"
        try:
            asked = review([item.text for item in items], target, self._accepted)
            body = await self._webhooks.post(self._address, asked.body, TIMEOUT)
            answers = answered(asked, body)
            failure = "conversion_webhook_partial_response_failure"
            if len(answers) != len(items):
                raise Unconvertible(f"{subject} returned {len(answers)} objects, expected {len(items)}")
            failure = "conversion_webhook_invalid_converted_object_failure"
            try:
                result = await self._read(items, answers, target)
            except Unusable as error:
                raise Unconvertible(f"{subject} returned {error}") from None
            failure = ""
        except CallFailed as error:
            too_large = error.code == 413
            if (too_large or error.late) and len(items) > 1:
                self._most = max(1, sum(len(item.text) for item in items) // 4)
                if too_large:
                    half = len(items) // 2
                    return await self._ask(items[:half], target) + await self._ask(items[half:], target)
            raise Unconvertible(f"{subject} failed: {error}") from error
        except Unusable as error:
            if error.malformed:
                failure = "conversion_webhook_malformed_response_failure"
            raise Unconvertible(f"{subject} failed: {error}") from None
        finally:
            if self._observe is not None:
                source = first["apiVersion"].rpartition("/")[2]
                seconds = time.perf_counter() - started
                self._observe(self._name, source, target.rpartition("/")[2], seconds, failure)
        return result

    async def _read(self, items: Sequence[_Item], answers: Sequence[msgspec.Raw], target: str) -> list[Tree]:
        result = []
        size, alone = 0, len(items) == 1
        for index, (item, answer) in enumerate(zip(items, answers, strict=True)):
            tree = converted(item.tree, answer, target, index, alone=alone)
            result.append(tree)
            self._remember(item.question, bytes(answer))
            size += len(answer)
            if size > _SLICE:
                size = 0
                await asyncio.sleep(0)
        return result

    def _remember(self, question: tuple[str, bytes], answer: bytes) -> None:
        if question in self._answers:
            return
        self._answers[question] = answer
        self._size += len(question[1]) + len(answer)
        while self._size > _REMEMBERED_BYTES and len(self._answers) > _REMEMBERED:
            oldest = next(iter(self._answers))
            self._size -= len(oldest[1]) + len(self._answers.pop(oldest))


def _question(tree: Tree, target: str) -> tuple[str, bytes]:
    """What the answer depends on."""
    kept = {name: value for name, value in tree["metadata"].items() if name not in _PASSING}
    return target, _encode({**tree, "metadata": kept})

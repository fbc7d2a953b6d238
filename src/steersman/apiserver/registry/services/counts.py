"""How often addresses and node ports were found for Services, and how often not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from steersman.api.errors import StatusError

from .reservation import Allocation


class Found(NamedTuple):
    """``network`` is empty for a node port, ``static`` says that it was asked for by its number."""

    network: str
    static: bool


class Counts:
    """Since the start of this server; what a race was lost for is counted each time.

    ``failures`` are by whether an address was wanted (else a node port), and one that was named.
    """

    def __init__(self) -> None:
        self.found: Counter[Found] = Counter()
        self.failures: Counter[tuple[bool, bool]] = Counter()

    @contextmanager
    def of_addresses(self, allocation: Allocation) -> Iterator[None]:
        """Count what is taken meanwhile."""
        with self._counting(allocation, addresses=True):
            yield

    @contextmanager
    def of_ports(self, allocation: Allocation) -> Iterator[None]:
        """Count what is taken meanwhile."""
        with self._counting(allocation, addresses=False):
            yield

    @contextmanager
    def _counting(self, allocation: Allocation, *, addresses: bool) -> Iterator[None]:
        before = len(allocation.taken)
        try:
            yield
        except StatusError as error:
            # Without any left it is the server's own failure, else the request's.
            self.failures[addresses, error.code < 500] += 1
            raise
        for network, chosen in allocation.taken[before:]:
            self.found[Found(network, not chosen)] += 1

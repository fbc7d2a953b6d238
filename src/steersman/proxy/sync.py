"""Brings the kernel's table to the wanted state: incremental transactions, the whole table after any error."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .nftables import Nftables, NftablesError
from .rules import EMPTY, Elements, Fragment, Layout
from .transaction import Claims, full, incremental

log = logging.getLogger(__name__)


class Table:
    """The table as it was last written.  One caller at a time; the kernel is spoken to in a thread of its own."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="nftables")
        self._nft: Nftables | None = None
        self._layout: Layout | None = None
        self._installed: dict[str, Fragment] = {}
        self._claims = Claims()
        self._base: Elements = {}
        self.intact = False
        """Whether the kernel is known to hold what was written; False calls for the whole table."""

    async def apply(self, layout: Layout, changes: dict[str, Fragment], *, everything: bool = False) -> None:
        """Install these services' fragments (an empty one removes a service); raises NftablesError.

        After an error the wanted state is remembered, and the next call writes the whole table.
        """
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, self._apply, layout, changes, everything)

    async def check(self, layout: Layout) -> None:
        """Notice that somebody removed the table (``nft flush ruleset``): then the next call writes it whole."""
        loop = asyncio.get_running_loop()
        if self.intact and not await loop.run_in_executor(self._executor, self._exists, layout.table):
            log.warning("nftables table %s is gone, writing it again", layout.table)
            self.intact = False

    def _exists(self, table: str) -> bool:
        found = self._connect().query("list tables ip")
        return any(item.get("table", {}).get("name") == table for item in found)

    def _apply(self, layout: Layout, changes: dict[str, Fragment], everything: bool) -> None:
        nft = self._connect()
        replace = everything or not self.intact or layout != self._layout
        pairs = {
            owner: (self._installed.get(owner, EMPTY), new)
            for owner, new in changes.items()
            if self._installed.get(owner, EMPTY) != new
        }
        change, clean_up = incremental(layout, pairs, self._claims)
        for owner, (_, new) in pairs.items():
            if new == EMPTY:
                self._installed.pop(owner, None)
            else:
                self._installed[owner] = new
        if not replace and not change and not clean_up:
            return
        self.intact = False
        if replace:
            self._claims.replace("", self._base, layout.elements())
            self._base, self._layout = layout.elements(), layout
            kept = self._affinities(nft, layout)
            nft.run(full(layout, self._installed.values(), self._claims.all(), kept))
        else:
            if change:
                nft.run(change)
            if clean_up:
                nft.run(clean_up)
        self.intact = True

    def _connect(self) -> Nftables:
        if self._nft is None:
            self._nft = Nftables()
        return self._nft

    def _affinities(self, nft: Nftables, layout: Layout) -> dict[str, str]:
        """The contents of the affinity sets that will still be there, to carry them over a replacement."""
        kept = {}
        for fragment in self._installed.values():
            for name in fragment.sets:
                with contextlib.suppress(NftablesError, KeyError):
                    for item in nft.query(f"list set ip {layout.table} {name}"):
                        if elements := ", ".join(_timed(entry) for entry in item["set"].get("elem", [])):
                            kept[name] = elements
        return kept

    async def close(self) -> None:
        """Release the context; the table stays."""
        loop = asyncio.get_running_loop()
        if self._nft is not None:
            await loop.run_in_executor(self._executor, self._nft.close)
            self._nft = None
        self._executor.shutdown(wait=False)


def _timed(entry: dict[str, Any]) -> str:
    element = entry["elem"]
    timeout = f" timeout {element['timeout']}s" if "timeout" in element else ""
    return f"{element['val']}{timeout} expires {max(1, element['expires'])}s"


def teardown(table: str) -> None:
    """Remove the table, whoever wrote it; it need not exist.  Blocks for some milliseconds."""
    nft = Nftables()
    try:
        nft.run(f"add table ip {table}\ndelete table ip {table}")
    finally:
        nft.close()

"""Choosing the store by the text of ``--datastore``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from .compaction import AutoCompaction
from .store import Store, StoreUnusableError

if TYPE_CHECKING:
    from .etcd import EtcdTLS


HISTORY_IN_MEMORY = 256 << 20
"""Bytes that a store in memory grows by before it forgets what was; more where it holds more."""


async def open_store(
    datastore: str, data_dir: str | os.PathLike[str], tls: EtcdTLS | None = None, *, quota_bytes: int = 0
) -> Store:
    """Open ``sqlite`` (``<data_dir>/state.db``), ``memory``, or ``etcd=URL,…`` (``tls`` for ``https`` URLs).

    Raises StoreUnusableError when that cannot be: the text, the data's version, its owner, or etcd's silence.
    """
    kind, _, urls = datastore.partition("=")
    if kind == "etcd" and urls:
        from .etcd import EtcdStore  # gRPC costs 18 MiB: only who needs it pays

        return await EtcdStore.open([url.strip() for url in urls.split(",") if url.strip()], tls)
    if datastore == "sqlite":
        from .sqlite import SqliteStore

        return await SqliteStore.open(Path(data_dir) / "state.db", quota_bytes=quota_bytes)
    if datastore == "memory":
        from .memory import MemoryStore

        return MemoryStore()
    raise StoreUnusableError(f'unknown datastore "{datastore}": "sqlite", "memory" or "etcd=URL,..." expected')


def auto_compaction(store: Store, datastore: str, interval: float = 300.0) -> AutoCompaction:
    """The compaction that belongs to a store: run it as a task."""
    history = HISTORY_IN_MEMORY if datastore == "memory" else None
    return AutoCompaction(store, interval, shared=datastore.startswith("etcd="), history_bytes=history)

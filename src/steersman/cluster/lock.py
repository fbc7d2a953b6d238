"""One server for a data directory: a second is refused before it has changed anything there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from .config import ClusterConfig, ConfigError


@contextlib.contextmanager
def held(config: ClusterConfig, patience: float = 0.0) -> Iterator[None]:
    """Hold the data directory's lock; the kernel releases it when the process ends, however that happens.

    ``patience`` is how many seconds a server may have that is just ending.
    """
    path = config.root / "server.lock"
    try:
        config.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(
            f"cannot write to {config.root}: {error.strerror}; run as root, or choose another --data-dir"
        ) from error
    try:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    message = f"another server works with {config.root}; end it, or choose another --data-dir"
                    raise ConfigError(message) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)

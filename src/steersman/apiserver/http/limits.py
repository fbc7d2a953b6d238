"""What one server and one connection may use."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """Times in seconds, sizes in bytes; the numbers are upstream's where it has one."""

    header_bytes: int = 1 << 20
    headers: int = 1000
    path_bytes: int = 64 * 1024
    body_bytes: int = 3 * 1024 * 1024
    header_timeout: float = 32
    idle_timeout: float = 90
    request_timeout: float = 60
    tls_goodbye: float = 5
    gzip_threshold: int = 128 * 1024
    pipeline: int = 16
    drain: float = 0.8
    """When stopping: how long requests under way, and peers that read their answers, may still take."""
    farewell: float = 0.1
    """When stopping: how long a peer to which nothing is owed may take to say goodbye."""

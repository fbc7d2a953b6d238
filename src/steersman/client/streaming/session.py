"""What exec, attach and port-forward carry, whichever protocol the client chose."""

from __future__ import annotations

import msgspec


class Streams(msgspec.Struct, frozen=True):
    """Which streams an exec or attach carries; with a terminal there is no stderr, and resizes may come."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False

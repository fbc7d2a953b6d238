"""PEM (RFC 7468) as Go reads it: what stands between blocks is passed over."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple

_BLOCK = re.compile(rb"^-----BEGIN ([^\r\n]*?)-----[ \t]*\r?\n(.*?)^-----END \1-----[ \t]*\r?$", re.M | re.S)
_HEADER = re.compile(rb"^[^\r\n:]+:[^\r\n]*\r?$", re.M)


class Block(NamedTuple):
    """One block: its label, whether it has headers, what it holds."""

    label: str
    headers: bool
    content: bytes


def blocks(text: bytes) -> Iterator[Block]:
    """The blocks of a text; what is no block is passed over."""
    for match in _BLOCK.finditer(text):
        body = match[2]
        content = _HEADER.sub(b"", body)
        try:
            yield Block(match[1].decode(), content != body, base64.b64decode(b"".join(content.split()), validate=True))
        except (binascii.Error, UnicodeDecodeError):
            continue

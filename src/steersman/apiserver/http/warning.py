"""``Warning`` headers (RFC 7234, section 5.5), as many of them as clients are sure to take."""

from __future__ import annotations

from collections.abc import Iterable

TOTAL = 4 * 1024
"""Characters of all texts of an answer; beyond that each is cut."""

EACH = 256
"""Characters to which a text is cut where there are too many."""


def warning_headers(texts: Iterable[str]) -> list[str]:
    """A header for each text, once; code 299 and no agent, as upstream has it."""
    unique = list(dict.fromkeys(text for text in texts if text))
    if sum(map(len, unique)) > TOTAL:
        unique, written = [], 0
        for text in dict.fromkeys(text for text in texts if text):
            if written >= TOTAL:
                break
            unique.append(text[:EACH])
            written += len(unique[-1])
    return [_header(text) for text in unique]


def _header(text: str) -> str:
    plain = "".join(character if character.isprintable() else " " for character in text)
    quoted = plain.replace("\\", "\\\\").replace('"', '\\"')
    return f'Warning: 299 - "{quoted}"'

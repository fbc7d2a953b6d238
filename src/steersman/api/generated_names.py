"""Names that are made up, as ``metadata.generateName`` asks for."""

from __future__ import annotations

import hashlib
import random
from functools import lru_cache

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels and nothing that looks like another character: generated names spell nothing."""

_SUFFIX_LENGTH = 5
_MAX_LENGTH = 63


@lru_cache(1024)
def derived_name(base: str, seed: str) -> str:
    """A name that looks like a random one, and is always the same for the same seed."""
    suffix = "".join(ALPHABET[byte % len(ALPHABET)] for byte in hashlib.sha256(seed.encode()).digest()[:_SUFFIX_LENGTH])
    return base[: _MAX_LENGTH - _SUFFIX_LENGTH] + suffix


def generated_name(base: str) -> str:
    """A random name that begins with a base."""
    suffix = "".join(random.choices(ALPHABET, k=_SUFFIX_LENGTH))
    return base[: _MAX_LENGTH - _SUFFIX_LENGTH] + suffix

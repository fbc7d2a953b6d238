"""libnftables through ctypes: text in, JSON out, errors with their text.

A context is not thread-safe: use one from one thread at a time.  Calls release the GIL and may take long; keep them
off the event loop.  They act in the network namespace of the calling thread.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import json
from typing import Any

_OUTPUT_JSON = 1 << 4
_OUTPUT_NUMERIC = (1 << 8) | (1 << 9)


class NftablesError(Exception):
    """The kernel or the parser refused a transaction; nothing of it was applied."""


class Nftables:
    """One libnftables context."""

    def __init__(self) -> None:
        library = ctypes.util.find_library("nftables") or "libnftables.so.1"
        try:
            self._lib = ctypes.CDLL(library)
        except OSError as error:
            raise NftablesError(f"cannot load {library}: {error} (install the package libnftables1)") from error
        lib = self._lib
        lib.nft_ctx_new.restype = ctypes.c_void_p
        lib.nft_ctx_new.argtypes = [ctypes.c_uint32]
        lib.nft_ctx_free.argtypes = [ctypes.c_void_p]
        lib.nft_ctx_output_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
        for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error"):
            getattr(lib, name).argtypes = [ctypes.c_void_p]
        for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
            getattr(lib, name).argtypes = [ctypes.c_void_p]
            getattr(lib, name).restype = ctypes.c_char_p
        lib.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        lib.nft_run_cmd_from_buffer.restype = ctypes.c_int
        self._context: int | None = lib.nft_ctx_new(0)
        if not self._context:
            raise NftablesError("cannot create an nftables context")
        lib.nft_ctx_buffer_output(self._context)
        lib.nft_ctx_buffer_error(self._context)

    def _run(self, text: str, flags: int) -> str:
        if self._context is None:
            raise NftablesError("the nftables context is closed")
        self._lib.nft_ctx_output_set_flags(self._context, flags)
        failed = self._lib.nft_run_cmd_from_buffer(self._context, text.encode())
        # Reading a buffer resets it; both MUST be read, or the next call returns this one's text too.
        output = (self._lib.nft_ctx_get_output_buffer(self._context) or b"").decode(errors="replace")
        error = (self._lib.nft_ctx_get_error_buffer(self._context) or b"").decode(errors="replace")
        if failed:
            raise NftablesError(error.strip()[:2000] or "unknown error")
        return output

    def run(self, text: str) -> None:
        """Apply a transaction: all of it, or nothing and :class:`NftablesError`."""
        self._run(text, 0)

    def query(self, text: str) -> list[dict[str, Any]]:
        """What a ``list`` command answers, as libnftables's JSON objects (man 5 libnftables-json)."""
        output = self._run(text, _OUTPUT_JSON | _OUTPUT_NUMERIC)
        return [item for item in json.loads(output)["nftables"] if "metainfo" not in item] if output else []

    def close(self) -> None:
        """Free the context."""
        if self._context is not None:
            self._lib.nft_ctx_free(self._context)
            self._context = None

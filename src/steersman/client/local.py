"""A client inside the API server's process: no HTTP, no JSON, one shared decoded object."""

from __future__ import annotations

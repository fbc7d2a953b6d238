"""Fixtures shared by all tests live in tests/fixtures, one module for each outside program; each adds a line here."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

pytest_plugins = [
    "fixtures.etcd",
    "fixtures.leaks",
    "fixtures.sharing",
]

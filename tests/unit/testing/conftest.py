from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .inside import Inside, inside


@pytest.fixture(params=["memory"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Inside]:
    """``sqlite`` where a test asks for it by ``indirect``."""
    async with inside(tmp_path if request.param == "sqlite" else None) as found:
        yield found

"""How long to look: ``FUZZ=100 pytest tests/fuzz`` tries a hundred times as many examples as usual, and keeps none."""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings

EFFORT = float(os.environ.get("FUZZ", "1"))


def examples(count: int) -> Callable[[Any], Any]:
    """So many examples of a property, at the usual effort."""
    return settings(
        max_examples=max(1, int(count * EFFORT)),
        deadline=None,
        derandomize=EFFORT == 1,
        database=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink) if EFFORT > 1 else (Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )

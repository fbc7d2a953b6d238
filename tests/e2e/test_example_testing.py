"""`examples/testing`: operators of others, and their tests, as its README runs them."""

import sys
from pathlib import Path

from .processes import run

EXAMPLE = Path(__file__).parents[2] / "examples" / "testing"


def test_its_tests() -> None:
    result = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLE), timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr

"""What the packages offer to others."""

import subprocess
import sys

import pytest

import steersman.client
import steersman.controllers.kit
import steersman.testing


def test_every_name_that_is_offered_is_there() -> None:
    for package in (steersman.client, steersman.controllers.kit, steersman.testing):
        for name in package.__all__:
            assert callable(getattr(package, name)), f"{package.__name__}.{name}"
    assert sorted(steersman.client.__all__) == sorted(steersman.client._HOME)
    assert not hasattr(steersman.client, "nothing")


@pytest.mark.parametrize(
    ("imports", "spared"),
    [
        ("import steersman.client; from steersman.client import WorkQueue", "aiohttp"),
        ("import steersman.testing.plugin", "steersman.apiserver"),
    ],
)
def test_who_takes_part_of_it_pays_for_that_part(imports: str, spared: str) -> None:
    program = f"import sys; {imports}; print({spared!r} in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"

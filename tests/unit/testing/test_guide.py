"""What `docs/testing.md` shows, as a new user would have it: its files in a directory, and pytest."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "testing.md").read_text()
FILES = dict(re.findall(r"```\w+\n# (\S+)\n(.*?)```", GUIDE, re.DOTALL))


def passes(directory: Path, *options: str) -> str:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    result = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Warning" not in result.stdout + result.stderr
    return result.stdout


def test_the_guide(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    assert {"crd.yaml", "sites.py", "pytest.ini", "test_sites.py", "test.sh"} <= set(FILES)
    tests = sum(len(re.findall(r"^ *(?:async )?def test_", text, re.MULTILINE)) for text in FILES.values())
    assert f"{tests} passed" in passes(tmp_path)


def test_the_example(pytester: pytest.Pytester) -> None:
    shutil.copytree(ROOT / "examples" / "testing", pytester.path / "sites")
    os.chdir(pytester.path / "sites")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=12)
    result.stdout.no_fnmatch_line("*Warning*")


@pytest.mark.kubectl
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl on the PATH")
def test_the_shell_script(tmp_path: Path) -> None:
    (tmp_path / "test.sh").write_text(FILES["test.sh"])
    (tmp_path / "tmp").mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "TMPDIR": str(tmp_path / "tmp"), "HOME": str(tmp_path)}
    command = ["bash", "test.sh"]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "deployment.apps/web condition met" in result.stdout, result.stdout + result.stderr

"""The snippets of the guide and of the README: one program each, in the order in which they stand there."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from steersman.client import WorkQueue
from steersman.testing import Cluster, eventually

from .gadgets import DEFINITION

ROOT = Path(__file__).parents[3]


def names_of(page: Path) -> dict[str, Any]:
    """What the snippets of a page define."""
    program = "\n".join(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
    names: dict[str, Any] = {"__name__": page.stem}
    exec(compile(program, str(page), "exec"), names)
    return names


@pytest.fixture(scope="module")
def guide() -> dict[str, Any]:
    return names_of(ROOT / "docs" / "controller-kit.md")


def test_the_readme(cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names_of(ROOT / "README.md")["test_a_deployment"](cluster.in_namespace(namespace))


def backups(directory: Path) -> None:
    """The definition that the guide installs, where it looks for it."""
    spec: Any = DEFINITION["spec"]
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": free, "status": free}}
    names = {"plural": "backups", "singular": "backup", "kind": "Backup"}
    versions = [spec["versions"][0] | {"schema": {"openAPIV3Schema": schema}}]
    metadata = {"name": "backups.example.com"}
    definition = DEFINITION | {"metadata": metadata, "spec": spec | {"names": names, "versions": versions}}
    (directory / "backups.yaml").write_text(yaml.safe_dump(definition))


async def test_the_test(
    guide: dict[str, Any], cluster: Cluster, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups(tmp_path)
    monkeypatch.chdir(tmp_path)
    await guide["test_a_backup"](cluster.in_namespace(namespace))


KOPF = """
import kopf


@kopf.on.create("example.com", "backups")
def created(patch, **_):
    patch.status["copies"] = 1
"""


async def test_the_test_of_an_operator_on_kopf(
    guide: dict[str, Any], cluster: Cluster, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("kopf")
    backups(tmp_path)
    (tmp_path / "backups.py").write_text(KOPF)
    monkeypatch.chdir(tmp_path)
    await guide["test_an_operator_on_kopf"](cluster.in_namespace(namespace))


async def test_the_client(
    guide: dict[str, Any], cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig_path))
    pod = {"containers": [{"name": "main", "image": "example.invalid/a"}]}
    metadata = {"name": "web", "namespace": namespace, "labels": {"app": "web"}}
    cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod})

    async def counted() -> bool:
        return bool(await guide["count_pods"](namespace) == {"Running": 1})

    await eventually(counted)
    async with cluster.connect() as client:
        numbers = [await guide["increment"](client, "counter", namespace)]
        numbers += await asyncio.gather(*(guide["increment"](client, "counter", namespace) for _ in range(5)))
        assert sorted(numbers) == [1, 2, 3, 4, 5, 6]
        assert (await guide["publish"](client, namespace, "hello")).data == {"index.html": "hello"}
        assert namespace in await guide["names_of"](client, "v1", "Namespace")


async def test_the_parts(
    guide: dict[str, Any], cluster: Cluster, namespace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    queue: WorkQueue[str] = WorkQueue()
    async with cluster.connect() as client:
        tasks = [
            asyncio.create_task(guide["follow"](client, namespace, queue)),
            asyncio.create_task(guide["work"](queue)),
        ]
        cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "p", "namespace": namespace},
                "spec": {"containers": [{"name": "main", "image": "example.invalid/a"}]},
            }
        )
        seen = ""

        async def told() -> bool:
            nonlocal seen
            seen += capsys.readouterr().out
            return f"look at {namespace}/p\n" in seen

        await eventually(told)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

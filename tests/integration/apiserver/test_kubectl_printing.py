"""What the stock kubectl prints of an object of each kind, against files that were compared with upstream's printers.

The objects are put into the store as they are.  With ``STEERSMAN_GOLDEN=write`` the files are written anew.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from fixtures.kubectls import installed, missing, versions
from steersman.api import codecs
from steersman.api.resources import builtin_scheme
from steersman.api.scheme import Resource
from steersman.api.yaml import load_yaml
from steersman.apiserver.config import ApiServerConfig
from steersman.apiserver.server import ApiServer
from steersman.pki.files import PKIConfig, ensure
from steersman.storage.memory import MemoryStore
from steersman.storage.store import Put

GOLDEN = Path(__file__).parent / "golden"
_AGO = re.compile(r"@(\d+)d")

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.kubectl,
    pytest.mark.skipif(not versions(), reason=missing()),
]


def objects() -> Iterator[tuple[Resource[Any], Any]]:
    """The objects of the file, three days old where they do not say since when they are."""
    now = datetime.now(UTC).replace(microsecond=0)

    def moment(match: re.Match[str]) -> str:
        return (now - timedelta(days=int(match[1]))).isoformat().replace("+00:00", "Z")

    scheme = builtin_scheme()
    for text in _AGO.sub(moment, (GOLDEN / "objects.yaml").read_text()).split("---\n")[1:]:
        tree = load_yaml(text)
        resource = scheme.by_kind(tree["apiVersion"], tree["kind"])
        assert resource is not None, tree["kind"]
        obj = codecs.from_builtins(resource.type, tree)
        if resource.namespaced:
            obj.metadata.namespace = "default"
        obj.metadata.uid = f"uid-{obj.metadata.name}"
        obj.metadata.creation_timestamp = obj.metadata.creation_timestamp or now - timedelta(days=3)
        yield resource, obj


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Path]:
    directory = tmp_path_factory.mktemp("printing")
    pki = directory / "pki"
    ensure(PKIConfig(directory=pki, node_name="n1", node_address="127.0.0.1", server="https://127.0.0.1:0"))
    store = MemoryStore()
    for resource, obj in objects():
        await store.commit([Put(resource.key(obj.metadata.namespace, obj.metadata.name), codecs.encode(obj), 0)])
    server = ApiServer(ApiServerConfig(bind_address="127.0.0.1", secure_port=0, pki_directory=pki), store)
    running = asyncio.create_task(server.run())
    async with asyncio.timeout(20):
        await server.ready.wait()
    address = f"https://127.0.0.1:{server.port}"
    ensure(PKIConfig(directory=pki, node_name="n1", node_address="127.0.0.1", server=address))
    yield directory / "admin.conf"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await store.close()


async def kubectl(version: str, kubeconfig: Path, *arguments: str) -> str:
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(kubeconfig.parent)}
    process = await asyncio.create_subprocess_exec(
        installed()[version], *arguments, env=environment, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode()


def compare(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("STEERSMAN_GOLDEN") == "write":
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("version", versions())
@pytest.mark.parametrize("wide", [False, True], ids=["narrow", "wide"])
async def test_tables(kubeconfig: Path, version: str, wide: bool) -> None:
    names = [f"{resource.qualified_name}/{obj.metadata.name}" for resource, obj in objects()]
    printed = await kubectl(version, kubeconfig, "get", *names, *(["-o", "wide"] if wide else []))
    compare("wide.txt" if wide else "narrow.txt", "".join(f"{line.rstrip()}\n" for line in printed.splitlines()))


@pytest.mark.parametrize("version", versions())
async def test_api_resources(kubeconfig: Path, version: str) -> None:
    """Names, short names, versions, scopes, kinds, verbs and categories, as discovery says them."""
    printed = await kubectl(version, kubeconfig, "api-resources", "-o", "wide", "--sort-by=name")
    compare("api-resources.txt", "".join(f"{' '.join(line.split())}\n" for line in printed.splitlines()))
    versions_printed = await kubectl(version, kubeconfig, "api-versions")
    expected = {resource.group_version for resource in builtin_scheme() if resource.served}
    assert versions_printed.split() == sorted(expected)


@pytest.mark.parametrize("version", versions())
async def test_every_resource_is_explained(kubeconfig: Path, version: str) -> None:
    resources = [resource for resource in builtin_scheme() if resource.served]

    async def explain(resource: Resource[Any]) -> None:
        place = f"--api-version={resource.group_version}"
        printed = await kubectl(version, kubeconfig, "explain", "--recursive", place, resource.name)
        head = dict(line.split(":", 1) for line in printed.splitlines()[:3] if ":" in line)
        assert head["KIND"].strip() == resource.kind
        assert "  apiVersion\t<string>" in printed
        assert "  metadata\t<ObjectMeta>" in printed

    for start in range(0, len(resources), 4):
        await asyncio.gather(*(explain(resource) for resource in resources[start : start + 4]))


async def test_values_of_enumerations_are_explained(kubeconfig: Path) -> None:
    printed = await kubectl(versions()[0], kubeconfig, "explain", "pod.spec.restartPolicy")
    assert printed.partition("ENUM:")[2].split()[:3] == ["Always", "Never", "OnFailure"]


@pytest.mark.parametrize("version", versions())
async def test_explained_from_version_2(kubeconfig: Path, version: str) -> None:
    """The protobuf document, which kubectl reads when it is asked to."""
    printed = await kubectl(version, kubeconfig, "explain", "--output=plaintext-openapiv2", "deployment.spec.strategy")
    assert "rollingUpdate\t<Object>" in printed


@pytest.mark.parametrize("version", versions())
async def test_who_and_what(kubeconfig: Path, version: str) -> None:
    if version != versions()[-1]:  # kubectl 1.27 asks for a version of the question that v1.35 has no more
        who = await kubectl(version, kubeconfig, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
        assert who == "kubernetes-admin"
    allowed = await kubectl(version, kubeconfig, "auth", "can-i", "--list")
    assert [line.split() for line in allowed.splitlines()][:2] == [
        ["Resources", "Non-Resource", "URLs", "Resource", "Names", "Verbs"],
        ["*.*", "[]", "[]", "[*]"],
    ]
    assert (await kubectl(version, kubeconfig, "auth", "can-i", "get", "pods/log")).strip() == "yes"
    assert "is running at" in await kubectl(version, kubeconfig, "cluster-info")
    assert "v1.35.0" in await kubectl(version, kubeconfig, "version")

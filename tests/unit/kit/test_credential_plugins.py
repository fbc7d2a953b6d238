"""Programs that give a client its credentials, against a true API server."""

import json
import os
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from steersman.api.types.authentication_v1 import SelfSubjectReview, TokenRequest, TokenRequestSpec
from steersman.api.types.core_v1 import ConfigMap, ServiceAccount
from steersman.client import HTTPClient, ObjectMeta, StatusError, connect, kubeconfig
from steersman.client.credential_plugins import CredentialError, read_credential
from steersman.testing import Cluster

V1 = "client.authentication.k8s.io/v1"
EXPIRED = "2020-01-01T00:00:00Z"


def answer(**status: Any) -> dict[str, Any]:
    return {"apiVersion": V1, "kind": "ExecCredential", "status": status}


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("nothing", "decoding stdout: "),
        (answer(token="t") | {"apiVersion": f"{V1}beta1"}, f"plugin returned version {V1}beta1"),
        ({"apiVersion": V1, "kind": "ExecCredential"}, "didn't return a status field"),
        (answer(), "didn't return a token or cert/key pair"),
        (answer(clientKeyData="k"), "returned only certificate or key, not both"),
    ],
)
def test_answers_that_are_none(output: Any, message: str) -> None:
    text = output if isinstance(output, str) else json.dumps(output)
    with pytest.raises(CredentialError) as refused:
        read_credential(text.encode(), V1)
    assert message in str(refused.value)


class Plugin:
    """A program that prints a file, and keeps what it was told each time."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.answers = directory / "answer.json"
        self.told = directory / "told"
        self.told.touch()
        program = directory / "bin" / "login"
        program.parent.mkdir()
        program.write_text('#!/bin/sh\necho "$KUBERNETES_EXEC_INFO $1 $STAGE" >> "$TOLD"\ncat "$ANSWER"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        tree = yaml.safe_load(cluster.kubeconfig_path.read_text())
        variables = {"ANSWER": str(self.answers), "TOLD": str(self.told), "STAGE": "test"}
        plugin = {
            "apiVersion": V1,
            "command": "bin/login",
            "args": ["--in"],
            "env": [{"name": name, "value": value} for name, value in variables.items()],
            "provideClusterInfo": True,
            "interactiveMode": "Never",
        }
        tree["users"][0]["user"] = {"exec": plugin}
        self.kubeconfig = directory / "config"
        self.kubeconfig.write_text(yaml.safe_dump(tree))

    @property
    def runs(self) -> list[str]:
        return self.told.read_text().splitlines()


@pytest.fixture
def plugin(cluster: Cluster, tmp_path: Path) -> Plugin:
    return Plugin(cluster, tmp_path)


@pytest.fixture
async def admin(cluster: Cluster) -> AsyncIterator[HTTPClient]:
    async with cluster.connect() as client:
        yield client


async def token(admin: HTTPClient, name: str, namespace: str) -> str:
    """The token of a new service account."""
    await admin.create(ServiceAccount(metadata=ObjectMeta(name=name, namespace=namespace)))
    request = TokenRequest(spec=TokenRequestSpec(expiration_seconds=600))
    answer = await admin.create_subresource(ServiceAccount, name, "token", request, namespace)
    return answer.status.token


async def whoami(client: HTTPClient) -> str:
    return (await client.create(SelfSubjectReview())).status.user_info.username


async def test_a_token_until_it_is_refused(admin: HTTPClient, plugin: Plugin, namespace: str) -> None:
    first, second = await token(admin, "first", namespace), await token(admin, "second", namespace)
    plugin.answers.write_text(json.dumps(answer(token=first)))
    async with connect(config=kubeconfig.load(plugin.kubeconfig)) as client:
        assert await whoami(client) == f"system:serviceaccount:{namespace}:first"
        assert await whoami(client) == f"system:serviceaccount:{namespace}:first"
        assert len(plugin.runs) == 1
        told, argument, stage = plugin.runs[0].rsplit(" ", 2)
        assert (argument, stage) == ("--in", "test")
        info = json.loads(told)
        assert (info["apiVersion"], info["spec"]["interactive"]) == (V1, False)
        assert info["spec"]["cluster"]["server"] == client.config.server
        assert info["spec"]["cluster"]["certificate-authority-data"]

        await admin.delete(ServiceAccount, "first", namespace)
        plugin.answers.write_text(json.dumps(answer(token=second)))
        assert await whoami(client) == f"system:serviceaccount:{namespace}:second"
        assert len(plugin.runs) == 2
        await admin.delete(ServiceAccount, "second", namespace)
        with pytest.raises(StatusError) as refused:
            await whoami(client)
        assert refused.value.code == 401
        with pytest.raises(StatusError) as refused:
            async for _ in client.watch(ConfigMap, namespace):
                pass
        assert refused.value.code == 401


async def test_a_credential_that_expires(admin: HTTPClient, plugin: Plugin, namespace: str) -> None:
    mine = await token(admin, "mine", namespace)
    plugin.answers.write_text(json.dumps(answer(token=mine, expirationTimestamp=EXPIRED)))
    async with connect(config=kubeconfig.load(plugin.kubeconfig)) as client:
        await whoami(client)
        await whoami(client)
        assert len(plugin.runs) == 2
        later = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        plugin.answers.write_text(json.dumps(answer(token=mine, expirationTimestamp=later)))
        await whoami(client)
        await whoami(client)
        assert len(plugin.runs) == 3


async def test_a_client_certificate(cluster: Cluster, plugin: Plugin) -> None:
    config = cluster.config
    certificate, key = config.client_certificate_data.decode(), config.client_key_data.decode()
    plugin.answers.write_text(json.dumps(answer(clientCertificateData=certificate, clientKeyData=key)))
    async with connect(config=kubeconfig.load(plugin.kubeconfig)) as client:
        assert await whoami(client) == "kubernetes-admin"


async def test_a_plugin_that_fails(plugin: Plugin) -> None:
    plugin.answers.unlink(missing_ok=True)
    async with connect(config=kubeconfig.load(plugin.kubeconfig)) as client:
        with pytest.raises(StatusError, match=r"getting credentials: exec: .*bin/login failed with exit code"):
            await whoami(client)
    os.unlink(plugin.kubeconfig.parent / "bin" / "login")
    async with connect(config=kubeconfig.load(plugin.kubeconfig)) as client:
        with pytest.raises(StatusError, match=r"getting credentials: exec: .*bin/login failed: "):
            await whoami(client)

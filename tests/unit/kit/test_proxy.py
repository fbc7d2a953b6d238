"""What stands between a client and a cluster: an HTTP proxy, as a kubeconfig says it; something else altogether."""

import asyncio
from pathlib import Path

import pytest
import yaml

from steersman.api.errors import StatusError
from steersman.api.types.core_v1 import ConfigMap, Namespace
from steersman.client import ObjectMeta, connect, kubeconfig
from steersman.client.kubeconfig import ClientConfig
from steersman.testing import Cluster


class Proxy:
    """`asked` are the hosts that somebody wanted to be connected with."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        assert method == "CONNECT"
        self.asked.append(target)
        host, _, port = target.rpartition(":")
        there, away = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(self.copy(reader, away), self.copy(there, writer))

    @staticmethod
    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


async def test_everything_goes_through_the_proxy(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    proxy = Proxy()
    async with await asyncio.start_server(proxy.serve, "127.0.0.1", 0) as server:
        tree = yaml.safe_load(cluster.kubeconfig_path.read_text())
        port = server.sockets[0].getsockname()[1]
        tree["clusters"][0]["cluster"]["proxy-url"] = f"http://127.0.0.1:{port}"
        (tmp_path / "config").write_text(yaml.safe_dump(tree))
        config = kubeconfig.load(tmp_path / "config")
        async with connect(config=config) as client:
            start = (await client.list(ConfigMap, namespace)).resource_version
            await client.create(ConfigMap(metadata=ObjectMeta(name="a", namespace=namespace)))
            async for event in client.watch(ConfigMap, namespace, resource_version=start):
                assert event.object.metadata.name in ("a", "kube-root-ca.crt")
                break
            assert (await client.get(Namespace, namespace)).metadata.name == namespace
        assert set(proxy.asked) == {config.server.removeprefix("https://")}
        server.close()


@pytest.mark.parametrize("answer", [b"<html>Welcome!</html>", b"[1]", b"\xff"])
async def test_an_answer_that_is_none_is_a_failure_like_any_other(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        config = ClientConfig(server=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        async with connect(config=config) as client:
            with pytest.raises(StatusError):
                await client.list(ConfigMap)
            with pytest.raises(StatusError):
                await client.get(ConfigMap, "a", "default")
            with pytest.raises(StatusError):
                async for _ in client.watch(ConfigMap):
                    pass
        server.close()

"""Port forwarding: the client's SPDY connection ends here, and each forwarded connection has its own to the runtime.

So a connection that nobody reads from holds up no other one.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from steersman.client.streaming import (
    PORT_FORWARD,
    Connection,
    PortForwardSession,
    PortForwardStream,
    SocketConnection,
    UpgradeRefused,
    ask_upgrade,
    forward,
)
from steersman.kubelet.cri_api import messages as cri
from steersman.kubelet.runtime import Runtime, RuntimeFailure

_HANDSHAKE = (("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"), ("X-Stream-Protocol-Version", PORT_FORWARD))


async def serve_port_forward(connection: Connection, runtime: Runtime, sandbox_id: str) -> None:
    """Serve a connection whose handshake is answered until the client goes."""
    session = PortForwardSession(connection)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(session.run(), name="port forward session")
        while (stream := await session.accept()) is not None:
            tasks.create_task(_forward(stream, runtime, sandbox_id), name=f"port forward {stream.port}")


async def _forward(stream: PortForwardStream, runtime: Runtime, sandbox_id: str) -> None:
    try:
        connection = await _connect(runtime, sandbox_id, stream.port)
    except (RuntimeFailure, UpgradeRefused, OSError) as error:
        stream.finish(f"error forwarding port {stream.port}: {error}")
    else:
        await forward(stream, connection)


async def _connect(runtime: Runtime, sandbox_id: str, port: int) -> SocketConnection:
    url = urlsplit(await runtime.port_forward_url(cri.PortForwardRequest(pod_sandbox_id=sandbox_id, port=[port])))
    reader, writer = await asyncio.open_connection(url.hostname, url.port or 80)
    path = url.path + (f"?{url.query}" if url.query else "")
    _, connection = await ask_upgrade(reader, writer, "POST", path, [("Host", url.netloc), *_HANDSHAKE])
    return connection

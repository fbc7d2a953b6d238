"""``python -m notes``: the server as a process, in a pod or beside a cluster."""

import argparse
import asyncio
import logging
import signal
from pathlib import Path

from steersman.client import connect

from .server import Config, Server


async def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="notes", description=__doc__)
    parser.add_argument("--secure-port", type=int, default=6443)
    parser.add_argument("--bind-address", default="0.0.0.0")  # noqa: S104
    parser.add_argument("--tls-cert-file", type=Path, required=True)
    parser.add_argument("--tls-private-key-file", type=Path, required=True)
    parser.add_argument("--database", type=Path, required=True)
    options = parser.parse_args()
    config = Config(
        certificate=options.tls_cert_file,
        key=options.tls_private_key_file,
        database=options.database,
        address=options.bind_address,
        port=options.secure_port,
    )
    async with connect() as client:
        serving = asyncio.create_task(Server(client, config).run(), name="server")
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
        await asyncio.wait([serving])
        if not serving.cancelled():
            serving.result()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main())

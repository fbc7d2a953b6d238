"""``python -m websites``: the operator as a process, in a pod or beside a cluster."""

import logging

from steersman.client import connect
from steersman.controllers.kit import Manager, run

from .controller import WebsiteController
from .types import Website


async def main() -> None:
    """Work until told to stop, as the only one of however many run."""
    async with connect(Website) as client:
        namespace = client.config.namespace
        await Manager(
            client,
            [WebsiteController],
            leader_election_id="website-operator",
            leader_election_namespace=namespace,
        ).run()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    run(main())

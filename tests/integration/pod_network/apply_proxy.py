"""Run inside a node's namespace: applies each line of stdin, a JSON list of service states, to the table."""

import asyncio
import sys

import msgspec

from steersman.proxy.rules import EMPTY, Layout, fragment
from steersman.proxy.state import ServiceState
from steersman.proxy.sync import Table


async def main() -> None:
    layout = Layout("t", ("10.96.0.0/12",), "10.244.0.0/16", ("192.0.2.7",))
    table = Table()
    known: set[str] = set()
    for line in sys.stdin:
        if line.strip() == "full":
            await table.apply(layout, {}, everything=True)
            continue
        states = msgspec.json.decode(line, type=list[ServiceState])
        changes = {state.name: fragment(layout, state) for state in states}
        gone = known - {*changes}
        known = {*changes}
        await table.apply(layout, changes | dict.fromkeys(gone, EMPTY))
    await table.close()


asyncio.run(main())

"""The CNI configuration list: rendered purely, written atomically."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

CONF_NAME = "10-steersman.conflist"


def conflist(name: str, bridge: str, pod_cidrs: tuple[str, ...], mtu: int, ipam_directory: str) -> dict[str, Any]:
    """The configuration list for one node.

    ``ipMasq`` stays off: it would add iptables rules for each pod, and know nothing of other nodes' pods; one rule in
    our nftables table does it for all.  Hairpin mode lets a pod reach itself over its Service.
    """
    routes = [{"dst": "::/0" if ":" in cidr else "0.0.0.0/0"} for cidr in pod_cidrs]
    return {
        "cniVersion": "1.0.0",
        "name": name,
        "plugins": [
            {
                "type": "bridge",
                "bridge": bridge,
                "isGateway": True,
                "ipMasq": False,
                "hairpinMode": True,
                "promiscMode": False,
                "mtu": mtu,
                "ipam": {
                    "type": "host-local",
                    "dataDir": ipam_directory,
                    "ranges": [[{"subnet": cidr}] for cidr in pod_cidrs],
                    "routes": routes,
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True},
        ],
    }


def write(directory: Path, content: dict[str, Any]) -> bool:
    """Write the list where it differs from what is there; returns whether it did.

    Complete before it is visible: the runtime reads the directory whenever it changes.
    """
    text = json.dumps(content, indent=2) + "\n"
    path = directory / CONF_NAME
    directory.mkdir(parents=True, exist_ok=True)
    try:
        if path.read_text() == text:
            return False
    except FileNotFoundError:
        pass
    temporary = directory / f".{CONF_NAME}.tmp"
    with temporary.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    return True

"""What the agent changes on the host, and how it is undone: sysctls, nftables and iptables rules, interfaces.

Everything here blocks for milliseconds; call it in a thread.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import shlex
import shutil
import subprocess
from pathlib import Path

log = logging.getLogger(__name__)

_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
IP_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
BRIDGE_CALLS = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")


class HostError(Exception):
    """The host refused a change."""


def _run(*command: str, stdin: str | None = None) -> str:
    program = shutil.which(command[0], path=_PATH)
    if program is None:
        raise HostError(f"the program {command[0]} is not installed")
    try:
        done = subprocess.run(
            [program, *command[1:]], input=stdin, capture_output=True, text=True, timeout=30, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise HostError(f"{' '.join(command)} did not end in 30 s") from error
    if done.returncode != 0:
        raise HostError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def enable_forwarding(record: Path) -> str:
    """Let the node route; the value before goes into ``record``, once, for :func:`restore_forwarding`.

    Returns the value before, as far as that is known.  Where another cluster of this machine has set it already, that
    is the value before the first of them, which each notes in its rules for the next.
    """
    value = IP_FORWARD.read_text().strip()
    if not record.exists():
        before = next(iter(_noted_forwarding()), value)
        # Before the change: a crash between leaves a record that restores what is there.
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps({"net.ipv4.ip_forward": before, "tables": _tables()}) + "\n")
    if value != "1":
        IP_FORWARD.write_text("1\n")
    return _recorded(record) or value


def is_forwarding() -> bool:
    """Whether the node routes."""
    return IP_FORWARD.read_text().strip() == "1"


def _recorded(record: Path) -> str | None:
    try:
        return str(json.loads(record.read_text())["net.ipv4.ip_forward"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


_NOTE = re.compile(r'comment "net\.ipv4\.ip_forward was ([01])"')


def _noted_forwarding() -> list[str]:
    """What the clusters of this machine that have their rules in place found before the first of them."""
    listings = [_run("nft", "list", "table", *name.split()) for name in _tables() if name.endswith("-network")]
    return [match[1] for text in listings if (match := _NOTE.search(text))]


def restore_forwarding(record: Path) -> None:
    """Put the recorded value back and forget it; our own rules are gone by now.

    Where another cluster needs the node to route, the value stays, and that cluster puts it back.
    """
    try:
        value = json.loads(record.read_text())["net.ipv4.ip_forward"]
    except FileNotFoundError:
        return
    except (ValueError, KeyError) as error:
        log.warning("cannot read %s, leaving net.ipv4.ip_forward as it is: %s", record, error)
    else:
        if IP_FORWARD.read_text().strip() != value and not _noted_forwarding():
            IP_FORWARD.write_text(f"{value}\n")
    record.unlink(missing_ok=True)


def enable_bridge_netfilter() -> bool:
    """Have bridged packets pass netfilter, so that answers between pods of one bridge are translated back."""
    try:
        if not BRIDGE_CALLS.exists():
            _run("modprobe", "br_netfilter")
        if BRIDGE_CALLS.read_text().strip() != "1":
            BRIDGE_CALLS.write_text("1\n")
    except (HostError, OSError) as error:
        log.info("br_netfilter is not available, masquerading Service traffic between pods of this node: %s", error)
        return False
    return True


def default_mtu(routes: str | None = None, devices: Path = Path("/sys/class/net")) -> int:
    """The MTU of the interface that the default route goes through; 1500 where there is none."""
    text = Path("/proc/net/route").read_text() if routes is None else routes
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and fields[1] == "00000000" and fields[7] == "00000000":
            try:
                return int((devices / fields[0] / "mtu").read_text())
            except (OSError, ValueError):
                break
    return 1500


def rules(
    table: str, bridge: str, pod_cidr: str, cluster_cidr: str, *, bridge_netfilter: bool, forwarded_before: str = "1"
) -> str:
    """The agent's nftables table, as text that replaces it in one transaction."""
    local = "" if bridge_netfilter else f"\n    ct status dnat ip saddr {pod_cidr} ip daddr {pod_cidr} masquerade"
    return f"""\
add table ip {table}
delete table ip {table}
table ip {table} {{
  chain postrouting {{
    type nat hook postrouting priority 100; policy accept;{local}
    ip saddr {pod_cidr} ip daddr != {{ {cluster_cidr}, 224.0.0.0/4 }} oifname != "{bridge}" masquerade fully-random
  }}
  chain forward {{
    type filter hook forward priority -10; policy accept;
    iifname "{bridge}" accept comment "net.ipv4.ip_forward was {forwarded_before}"
    oifname "{bridge}" accept
  }}
}}
"""


def apply_rules(text: str) -> None:
    """Run an nftables transaction."""
    _run("nft", "-f", "-", stdin=text)


def has_rules(table: str) -> bool:
    """Whether the table is there."""
    return f"table ip {table}\n" in _run("nft", "list", "tables")


def _tables() -> list[str]:
    return [line.removeprefix("table ") for line in _run("nft", "list", "tables").splitlines()]


_PORTMAP_JUMPS = (
    ("PREROUTING", "-m", "addrtype", "--dst-type", "LOCAL", "-j", "CNI-HOSTPORT-DNAT"),
    ("OUTPUT", "-m", "addrtype", "--dst-type", "LOCAL", "-j", "CNI-HOSTPORT-DNAT"),
    ("POSTROUTING", "-m", "comment", "--comment", "CNI portfwd requiring masquerade", "-j", "CNI-HOSTPORT-MASQ"),
)


def remove_port_mappings(network: str) -> None:
    """Remove the host ports of a network's pods, which the portmap plugin was not asked to remove."""
    if "ip nat" not in _tables():
        return
    table = ("iptables", "-w", "5", "-t", "nat")
    for line in _run(*table, "-S").splitlines():
        if not line.startswith("-A CNI-HOSTPORT-DNAT "):
            continue
        rule = shlex.split(line)[1:]
        if any(word.startswith(f'dnat name: "{network}" ') for word in rule):
            chain = rule[-1]
            _run(*table, "-D", *rule)
            _run(*table, "-F", chain)
            _run(*table, "-X", chain)


def remove_portmap_chains(record: Path) -> None:
    """Remove the chains that the portmap plugin made and never removes, unless somebody's port is mapped there.

    The tables around them go too where they are empty and, by ``record``, were not there before us.
    """
    try:
        before = json.loads(record.read_text()).get("tables")
    except (OSError, ValueError):
        return
    if before is None:
        return
    if "ip nat" in _tables():
        listed = _run("iptables", "-w", "5", "-t", "nat", "-S").splitlines()
        used = any(line.startswith(("-A CNI-HOSTPORT-DNAT ", "-A CNI-DN-")) for line in listed)
        if "-N CNI-HOSTPORT-DNAT" in listed and not used:
            for jump in _PORTMAP_JUMPS:
                with contextlib.suppress(HostError):
                    _run("iptables", "-w", "5", "-t", "nat", "-D", *jump)
            for chain in ("CNI-HOSTPORT-DNAT", "CNI-HOSTPORT-MASQ", "CNI-HOSTPORT-SETMARK"):
                for action in ("-F", "-X"):
                    with contextlib.suppress(HostError):
                        _run("iptables", "-w", "5", "-t", "nat", action, chain)
    for table in _tables():
        if table in ("ip nat", "ip6 nat", "ip filter", "ip6 filter") and table not in before:
            text = _run("nft", "list", "table", *table.split()).splitlines()
            idle = all(_structural(line.strip()) for line in text)
            if idle:
                _run("nft", "delete", "table", *table.split())


def _structural(line: str) -> bool:
    """Whether a line of a listing is no rule: a table, a built-in chain and its hook, which accepts."""
    built_in = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
    if line.startswith("chain "):
        return line.split()[1] in built_in
    if line.startswith("type "):
        return "policy accept" in line
    return line in ("", "}") or line.startswith(("table ", "#"))


def _forward_rules(bridge: str) -> list[list[str]]:
    mark = ["-m", "comment", "--comment", f"steersman {bridge}", "-j", "ACCEPT"]
    return [["FORWARD", "-i", bridge, *mark], ["FORWARD", "-o", bridge, *mark]]


def allow_forwarding(bridge: str) -> None:
    """Where iptables' FORWARD chain drops by default, accept what comes from or goes to the bridge."""
    if shutil.which("iptables", path=_PATH) is None:
        return
    if "-P FORWARD DROP" not in _run("iptables", "-w", "5", "-S", "FORWARD"):
        return
    for rule in _forward_rules(bridge):
        try:
            _run("iptables", "-w", "5", "-C", *rule)
        except HostError:
            _run("iptables", "-w", "5", "-I", *rule)


def forbid_forwarding(bridge: str) -> None:
    """Remove what :func:`allow_forwarding` added."""
    if shutil.which("iptables", path=_PATH) is None:
        return
    if f"steersman {bridge}" not in _run("iptables", "-w", "5", "-S", "FORWARD"):
        return
    for rule in _forward_rules(bridge):
        try:
            while True:
                _run("iptables", "-w", "5", "-D", *rule)
        except HostError:
            continue


def remove_bridge(bridge: str) -> None:
    """Remove the bridge and the host ends of the pods' veth pairs that are attached to it."""
    device = Path("/sys/class/net") / bridge
    if not device.exists():
        return
    ports = device / "brif"
    for name in [port.name for port in ports.iterdir()] if ports.exists() else []:
        try:
            _run("ip", "link", "delete", name)
        except HostError as error:  # its pod's namespace went away meanwhile
            log.debug("cannot delete %s: %s", name, error)
    _run("ip", "link", "delete", bridge)

"""What a pod's ``/etc/resolv.conf`` and ``/etc/hosts`` say."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from steersman.api.types.core_v1 import HostAlias, Pod

MAX_NAMESERVERS = 3
MAX_SEARCHES = 32
MAX_SEARCH_LENGTH = 2048

CLUSTER_OPTIONS = ("ndots:5",)


class Resolver(msgspec.Struct, frozen=True):
    """The content of a resolv.conf."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def parse(text: str) -> Resolver:
    """Read a resolv.conf."""
    nameservers: list[str] = []
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    for line in text.splitlines():
        fields = line.split("#")[0].split(";")[0].split()
        if len(fields) < 1:
            continue
        match fields[0]:
            case "nameserver" if len(fields) >= 2:
                nameservers.append(fields[1])
            case "search":
                searches = tuple(domain for domain in fields[1:] if domain != ".")
            case "options":
                options = tuple(fields[1:])
    return Resolver(tuple(nameservers), searches, options)


def pod_resolver(pod: Pod, host: Resolver, *, cluster_dns: Sequence[str], cluster_domain: str) -> Resolver:
    """The resolver of a pod by its ``dnsPolicy`` and ``dnsConfig``."""
    policy = pod.spec.dns_policy or "ClusterFirst"
    cluster = policy == "ClusterFirstWithHostNet" or (policy == "ClusterFirst" and not pod.spec.host_network)
    if policy == "None":
        result = Resolver()
    elif cluster and cluster_dns:
        namespace = pod.metadata.namespace
        own = (f"{namespace}.svc.{cluster_domain}", f"svc.{cluster_domain}", cluster_domain)
        result = Resolver(tuple(cluster_dns), _unique((*own, *host.searches)), CLUSTER_OPTIONS)
    else:
        result = host
        if not result.nameservers:
            result = Resolver(("127.0.0.1",), host.searches, host.options)
    extra = pod.spec.dns_config
    if extra is not None:
        options = {option.partition(":")[0]: option for option in result.options}
        for option in extra.options:
            if option.name:
                options[option.name] = f"{option.name}:{option.value}" if option.value else option.name
        result = Resolver(
            _unique((*result.nameservers, *extra.nameservers)),
            _unique((*result.searches, *extra.searches)),
            tuple(options.values()),
        )
    return _limited(result)


def _limited(resolver: Resolver) -> Resolver:
    searches: list[str] = []
    for domain in resolver.searches[:MAX_SEARCHES]:
        if len(" ".join([*searches, domain])) > MAX_SEARCH_LENGTH:
            break
        searches.append(domain)
    return Resolver(resolver.nameservers[:MAX_NAMESERVERS], tuple(searches), resolver.options)


def _unique(items: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))


def pod_hostname(pod: Pod, cluster_domain: str) -> tuple[str, str]:
    """A pod's hostname and the domain it is found under (empty without a subdomain)."""
    name = pod.spec.hostname or pod.metadata.name
    name = name[:63].rstrip("-.")
    domain = ""
    if pod.spec.subdomain:
        domain = f"{pod.spec.subdomain}.{pod.metadata.namespace}.svc.{cluster_domain}"
    if pod.spec.set_hostname_as_fqdn and domain:
        name = f"{name}.{domain}"
    if pod.spec.hostname_override:
        return pod.spec.hostname_override, ""
    return name, domain


def hosts_file(addresses: Sequence[str], hostname: str, domain: str, aliases: Sequence[HostAlias]) -> str:
    """The hosts file of a pod with a network of its own."""
    lines = [
        "# Kubernetes-managed hosts file.",
        "127.0.0.1\tlocalhost",
        "::1\tlocalhost ip6-localhost ip6-loopback",
        "fe00::0\tip6-localnet",
        "fe00::0\tip6-mcastprefix",
        "fe00::1\tip6-allnodes",
        "fe00::2\tip6-allrouters",
    ]
    names = f"{hostname}.{domain}\t{hostname}" if domain and not hostname.endswith(domain) else hostname
    lines += [f"{address}\t{names}" for address in addresses]
    return "\n".join(lines) + "\n" + _aliases(aliases)


def host_network_hosts_file(host_file: str, aliases: Sequence[HostAlias]) -> str:
    """The hosts file of a pod on the node's network: the node's own, with its aliases."""
    return "# Kubernetes-managed hosts file (host network).\n" + host_file + _aliases(aliases)


def _aliases(aliases: Sequence[HostAlias]) -> str:
    if not aliases:
        return ""
    lines = ["", "# Entries added by HostAliases."]
    lines += ["\t".join([alias.ip, *alias.hostnames]) for alias in aliases]
    return "\n".join(lines) + "\n"

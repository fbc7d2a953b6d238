"""All cluster names with their prebuilt answers, kept service by service."""

from __future__ import annotations

from collections.abc import Iterable

from . import wire
from .records import Records, ServiceRecords
from .wire import Answer


class Zone:
    """The names of the cluster's domain and the reverse names of its addresses.

    ``answers`` is the hot path: name, type and class in wire form → answer.
    """

    def __init__(self, domain: str, ttl: int) -> None:
        self.domain = domain.strip(".").lower()
        self.ttl = ttl
        self.answers: dict[bytes, Answer] = {}
        self.aliases: dict[bytes, str] = {}
        """ExternalName services: name in wire form → target."""
        self._services: dict[str, ServiceRecords] = {}
        self._claims: dict[tuple[str, int], dict[str, list[bytes]]] = {}
        self._exists: dict[bytes, int] = {}
        self._namespaces: dict[str, None] = {}
        suffix = wire.encode_name(self.domain)
        self.suffix = suffix
        soa = wire.encode_name(f"ns.dns.{self.domain}") + wire.encode_name(f"hostmaster.{self.domain}")
        numbers = b"".join(value.to_bytes(4, "big") for value in (1, 7200, 1800, 86400, ttl))
        self._soa_data = soa + numbers
        self.soa = wire.record(suffix, wire.SOA, ttl, self._soa_data)
        """The SOA record with the domain as its owner, for negative answers."""
        fixed: Records = {
            (self.domain, wire.SOA): [wire.record(wire.QUESTION, wire.SOA, ttl, self._soa_data)],
            (self.domain, wire.NS): [
                wire.record(wire.QUESTION, wire.NS, ttl, wire.encode_name(f"ns.dns.{self.domain}"))
            ],
            (f"dns-version.{self.domain}", wire.TXT): [wire.record(wire.QUESTION, wire.TXT, ttl, b"\x051.1.0")],
        }
        self._install("", fixed)
        for name in (f"svc.{self.domain}", f"pod.{self.domain}", f"ns.dns.{self.domain}"):
            self._count(name, 1)

    def set_service(self, key: str, new: ServiceRecords | None) -> None:
        """Replace what a service contributes; None removes it."""
        old = self._services.pop(key, None)
        if old is not None:
            self._withdraw(key, old.records)
            if old.alias:
                self.aliases.pop(wire.encode_name(old.name), None)
            self._count(old.name, -1)
        if new is not None:
            self._services[key] = new
            self._install(key, new.records)
            if new.alias:
                self.aliases[wire.encode_name(new.name)] = new.alias
            self._count(new.name, 1)

    def set_namespaces(self, names: Iterable[str]) -> None:
        """The namespaces that exist: their names do, even without services, and pods may be in them."""
        wanted = {name.lower(): None for name in names}
        for changed, step in (
            (wanted.keys() - self._namespaces.keys(), 1),
            (self._namespaces.keys() - wanted.keys(), -1),
        ):
            for name in changed:
                self._count(f"{name}.svc.{self.domain}", step)
                self._count(f"{name}.pod.{self.domain}", step)
        self._namespaces = wanted

    def has_namespace(self, name: str) -> bool:
        """Whether a namespace exists."""
        return name in self._namespaces

    def contains(self, name: bytes) -> bool:
        """Whether a name (wire form, lower case) lies in the cluster's domain."""
        return name == self.suffix or (name.endswith(self.suffix) and self._at_label(name))

    def _at_label(self, name: bytes) -> bool:
        position, start = 0, len(name) - len(self.suffix)
        while position < start:
            position += name[position] + 1
        return position == start

    def exists(self, name: bytes) -> bool:
        """Whether a name has records, or names below it have."""
        return name in self._exists

    def _count(self, name: str, step: int) -> None:
        """A name exists, and so do the names above it up to the domain (RFC 8020)."""
        encoded = wire.encode_name(name)
        while True:
            count = self._exists.get(encoded, 0) + step
            if count > 0:
                self._exists[encoded] = count
            else:
                self._exists.pop(encoded, None)
            if encoded == self.suffix or len(encoded) <= 1:
                return
            encoded = encoded[encoded[0] + 1 :]

    def _install(self, owner: str, records: Records) -> None:
        for key, entries in records.items():
            self._claims.setdefault(key, {})[owner] = entries
            self._count(key[0], 1)
            self._rebuild(key)

    def _withdraw(self, owner: str, records: Records) -> None:
        for key in records:
            self._claims[key].pop(owner, None)
            self._count(key[0], -1)
            self._rebuild(key)

    def _rebuild(self, key: tuple[str, int]) -> None:
        name, type_ = key
        wired = wire.encode_name(name) + type_.to_bytes(2, "big") + b"\0\x01"
        claims = self._claims.get(key)
        if not claims:
            self._claims.pop(key, None)
            self.answers.pop(wired, None)
            return
        self.answers[wired] = Answer(dict.fromkeys(entry for owner in sorted(claims) for entry in claims[owner]))

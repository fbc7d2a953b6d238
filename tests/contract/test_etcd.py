"""What is etcd's own: its absence, its restart, its TLS, its compaction behind our back, and caches over it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fixtures.etcd import Etcd, free_port, require_etcd, start_etcd, stop_etcd
from steersman.storage.compaction import AutoCompaction
from steersman.storage.etcd import EtcdStore, EtcdTLS
from steersman.storage.store import Compacted, Delete, Put, StoreError, StoreUnusableError, TooManyOperations
from steersman.storage.watch_cache import CacheEvent, WatchCache

pytestmark = pytest.mark.etcd

PREFIX = "/registry/pods/"
POD = b'{"kind":"Pod","apiVersion":"v1","metadata":{}}'


@contextlib.asynccontextmanager
async def running(cache: WatchCache[Any]) -> Any:
    task = asyncio.create_task(cache.run())
    async with asyncio.timeout(10):
        await cache.ready.wait()
    yield cache
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_no_etcd_is_a_clear_error() -> None:
    with pytest.raises(StoreUnusableError, match=r"etcd at http://127.0.0.1:\d+ does not answer"):
        await EtcdStore.open([f"http://127.0.0.1:{free_port()}"], timeout=1)


async def test_another_member_is_asked_when_one_is_away(fresh_etcd: Etcd) -> None:
    store = await EtcdStore.open([f"http://127.0.0.1:{free_port()}", fresh_etcd.url])
    await store.commit([Put("/a", b"1")])
    assert await store.get("/a") is not None
    await store.close()


async def test_a_cache_survives_etcds_restart(tmp_path: Path) -> None:
    require_etcd()
    port = free_port()
    etcd = start_etcd(tmp_path / "data", port=port)
    try:
        store = await EtcdStore.open([etcd.url])
        async with running(WatchCache(store, PREFIX, json.loads)) as cache:
            seen: list[CacheEvent] = []
            ends: list[Exception | None] = []
            cache.subscribe(PREFIX, cache.revision, seen.append, on_end=ends.append)
            first = await store.commit([Put(PREFIX + "a", POD)])
            assert cache.get(PREFIX + "a") is not None
            stop_etcd(etcd)
            with pytest.raises(StoreError):
                await cache.consistent()
            with pytest.raises(StoreError):
                await store.commit([Put(PREFIX + "b", POD)])
            assert cache.get(PREFIX + "a") is not None, "old state stays readable"
            etcd = start_etcd(tmp_path / "data", port=port)
            other = await EtcdStore.open([etcd.url])
            second = await other.commit([Put(PREFIX + "c", POD)])
            async with asyncio.timeout(20):
                while True:
                    with contextlib.suppress(StoreError):
                        await cache.wait_until(second, timeout=10)
                        break
                    await asyncio.sleep(0.05)
            assert [event.revision for event in seen if event.entry.key != PREFIX + "b"] == [first, second]
            assert not ends
            await other.close()
        await store.close()
    finally:
        stop_etcd(etcd)


async def test_reads_are_consistent_with_what_other_servers_wrote(etcd: Etcd) -> None:
    ours = await EtcdStore.open([etcd.url])
    theirs = await EtcdStore.open([etcd.url])
    async with running(WatchCache(ours, PREFIX, json.loads)) as cache:
        for number in range(50):
            revision = await theirs.commit([Put(f"{PREFIX}other/{number}", POD)])
            assert await cache.consistent() >= revision
            assert cache.get(f"{PREFIX}other/{number}") is not None
    await ours.close()
    await theirs.close()


async def test_shared_questions_are_answered_with_what_was_acknowledged_before(etcd: Etcd) -> None:
    ours = await EtcdStore.open([etcd.url])
    theirs = await EtcdStore.open([etcd.url])

    async def write_and_ask(number: int) -> None:
        for _ in range(10):
            revision = await theirs.commit([Put(f"{PREFIX}shared/{number}", POD)])
            assert await ours.revision() >= revision

    async def give_up() -> None:
        for _ in range(50):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.0005):
                    await ours.revision()

    async with asyncio.timeout(20):
        await asyncio.gather(*(write_and_ask(number) for number in range(20)), give_up())
    await ours.close()
    with pytest.raises(StoreError):
        await ours.revision()
    await theirs.close()


async def test_a_commit_has_its_limit(etcd: Etcd) -> None:
    store = await EtcdStore.open([etcd.url])
    with pytest.raises(TooManyOperations, match="at most 128 changes at a time, and this would be 129"):
        await store.commit([Put(f"{PREFIX}many/{number}", POD) for number in range(129)])
    assert not (await store.range(f"{PREFIX}many/")).items
    await store.close()


async def test_a_compacted_tombstone_does_not_hold_up_a_start(fresh_etcd: Etcd) -> None:
    store = await EtcdStore.open([fresh_etcd.url])
    await store.commit([Put(PREFIX + "a", POD)])
    last = await store.commit([Delete(PREFIX + "a")])
    await store.compact(last)
    await store.close()
    store = await EtcdStore.open([fresh_etcd.url])
    async with running(WatchCache(store, PREFIX, json.loads)) as cache:
        await store.commit([Put(PREFIX + "b", POD)])
        assert [entry.key for entry in cache.list().entries] == [PREFIX + "b"]
    await store.close()


async def test_history_beyond_what_is_remembered_comes_from_etcd(fresh_etcd: Etcd) -> None:
    store = await EtcdStore.open([fresh_etcd.url], recent=4)
    revisions = [await store.commit([Put(f"{PREFIX}{number}", POD)]) for number in range(30)]
    seen: list[int] = []
    follower = await store.follow(PREFIX, revisions[3], lambda batch: seen.append(batch.revision))
    await store.commit([Put(PREFIX + "last", POD)])
    assert seen == [*revisions[3:], revisions[-1] + 1]
    follower.cancel()
    await store.compact(revisions[10])
    with pytest.raises(Compacted) as caught:
        await store.follow(PREFIX, revisions[3], lambda batch: None)
    assert caught.value.compact_revision == revisions[10]
    await store.close()


async def test_servers_take_turns_in_compacting(fresh_etcd: Etcd) -> None:
    store = await EtcdStore.open([fresh_etcd.url])
    one, two = AutoCompaction(store, shared=True), AutoCompaction(store, shared=True)
    first = await store.commit([Put("/a", b"1")])
    for _ in range(4):
        await store.commit([Put("/a", b"1")])
        await one.step()
        await two.step()
    with pytest.raises(Compacted):
        await store.range("/", revision=first)
    assert (await store.range("/a", revision=await store.revision() - 3)).items
    await store.close()


async def test_tls_with_client_certificates(tmp_path: Path) -> None:
    require_etcd()
    ca_key, ca = _certificate("ca", None, None)
    for name in ("server", "client"):
        key, certificate = _certificate(name, ca_key, ca)
        (tmp_path / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (tmp_path / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    (tmp_path / "ca.crt").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(
            "etcd",
            "--data-dir",
            str(tmp_path / "data"),
            "--client-cert-auth",
            "--trusted-ca-file",
            f"{tmp_path}/ca.crt",
        ),
        *("--cert-file", f"{tmp_path}/server.crt", "--key-file", f"{tmp_path}/server.key"),
        *("--listen-client-urls", f"https://127.0.0.1:{port}", "--advertise-client-urls", f"https://127.0.0.1:{port}"),
        *("--listen-peer-urls", f"http://127.0.0.1:{free_port()}"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        files = EtcdTLS(tmp_path / "ca.crt", tmp_path / "client.crt", tmp_path / "client.key")
        store = await EtcdStore.open([f"https://127.0.0.1:{port}"], files)
        await store.commit([Put("/a", b"1")])
        await store.close()
        with pytest.raises(StoreUnusableError, match="does not answer"):
            await EtcdStore.open([f"https://127.0.0.1:{port}"], EtcdTLS(tmp_path / "ca.crt"), timeout=2)
        with pytest.raises(StoreUnusableError, match="cannot read the TLS files"):
            await EtcdStore.open([f"https://127.0.0.1:{port}"], EtcdTLS(tmp_path / "none.crt"))
    finally:
        process.kill()
        await process.wait()


def _certificate(name: str, issuer_key: Any, issuer: x509.Certificate | None) -> tuple[Any, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer is not None else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(issuer_key or key, hashes.SHA256())
    )
    return key, certificate

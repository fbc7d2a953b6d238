"""`steersman server` in the foreground: readiness, stopping, stores, what survives `kill -9`."""

import json
import signal
import socket
import ssl
import threading
from collections.abc import Callable
from functools import partial

import pytest

from .api import Api
from .processes import STEERSMAN, Server, environment, free_port, run, steersman
from .waiting import until

MakeServer = Callable[..., Server]
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


def config_map(name: str, **data: str) -> dict[str, object]:
    return {"metadata": {"name": name}, "data": data}


@pytest.mark.parametrize("path", ["/readyz", "/livez", "/healthz"])
def test_health_is_for_everyone(api_server: Server, path: str) -> None:
    """Probes carry no certificate."""
    context = ssl.create_default_context(cadata=api_server.api.authority)
    import urllib.request

    with urllib.request.urlopen(f"https://127.0.0.1:{api_server.port}{path}", context=context) as answer:
        assert answer.read() == b"ok"


def test_anonymous_sees_nothing_else(api_server: Server) -> None:
    import urllib.error
    import urllib.request

    context = ssl.create_default_context(cadata=api_server.api.authority)
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(
            f"https://127.0.0.1:{api_server.port}/api/v1/namespaces/default/secrets", context=context
        )
    assert refusal.value.code == 401
    assert json.loads(refusal.value.read())["reason"] == "Unauthorized"


def test_kubeconfig_command_prints_an_administrator_of_this_server(api_server: Server) -> None:
    printed = steersman("kubeconfig", "--data-dir", str(api_server.data_dir))
    api = Api(printed)
    assert api.get("/version")["gitVersion"].startswith("v1.35.")
    review = {"spec": {"resourceAttributes": {"verb": "*", "group": "*", "resource": "*"}}}
    assert api.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)["status"]["allowed"] is True


def test_nothing_secret_is_readable_by_others(api_server: Server) -> None:
    private = [path for path in api_server.data_dir.rglob("*") if path.is_file() and path.suffix in (".key", ".conf")]
    assert private
    assert {oct(path.stat().st_mode & 0o077) for path in private} == {"0o0"}


def test_sigterm_stops_within_a_second_although_watches_are_open(make_server: MakeServer) -> None:
    server = make_server().start()
    api = server.api
    with (
        socket.create_connection((api.host, api.port)) as raw,
        api.context.wrap_socket(raw, server_hostname=api.host) as tls,
    ):
        tls.sendall(f"GET {CONFIG_MAPS}?watch=true HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert tls.recv(4096).startswith(b"HTTP/1.1 200")
        assert server.stop() < 1.0
    assert server.running.returncode in (0, -signal.SIGTERM)
    server.start()
    assert api.get("/api/v1/namespaces/default")["metadata"]["name"] == "default"


def test_a_peer_that_says_no_goodbye_does_not_delay_the_stop(make_server: MakeServer) -> None:
    server = make_server().start()
    api = server.api
    with (
        socket.create_connection((api.host, api.port)) as raw,
        api.context.wrap_socket(raw, server_hostname=api.host) as tls,
    ):
        tls.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert tls.recv(4096).startswith(b"HTTP/1.1 200")
        assert server.stop() < 0.6  # half of what answers under way are given


def test_two_servers_side_by_side_share_nothing(make_server: MakeServer) -> None:
    one, two = make_server().start(), make_server().start()
    one.api.create(CONFIG_MAPS, config_map("only-here"))
    assert one.api.exists(f"{CONFIG_MAPS}/only-here")
    assert not two.api.exists(f"{CONFIG_MAPS}/only-here")
    assert one.api.authority != two.api.authority
    stranger = ssl.create_default_context(cadata=one.api.authority)
    with socket.create_connection(("127.0.0.1", two.port)) as raw, pytest.raises(ssl.SSLCertVerificationError):
        stranger.wrap_socket(raw, server_hostname="127.0.0.1")


def test_a_second_server_on_the_same_data_is_refused(make_server: MakeServer) -> None:
    server = make_server().start()
    server.api.create(CONFIG_MAPS, config_map("kept"))
    result = run(STEERSMAN, "server", "--data-dir", str(server.data_dir), "--disable-node", "--bind-address",
                 "127.0.0.1", "--secure-port", str(free_port()), timeout=15)  # fmt: skip
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.strip()
    assert server.api.exists(f"{CONFIG_MAPS}/kept")


def test_memory_store_forgets_and_sqlite_does_not(make_server: MakeServer) -> None:
    for store, remembers in (("memory", False), ("sqlite", True)):
        server = make_server("--datastore", store).start()
        server.api.create(CONFIG_MAPS, config_map("written"))
        server.stop()
        server.start()
        assert server.api.exists(f"{CONFIG_MAPS}/written") is remembers


def test_etcd_store(make_server: MakeServer, etcd: str) -> None:
    server = make_server("--datastore", f"etcd={etcd}").start()
    written = server.api.create(CONFIG_MAPS, config_map("written", a="1"))
    server.kill()
    server.start()
    read = server.api.get(f"{CONFIG_MAPS}/written")
    assert read == written
    changed = server.api.patch(f"{CONFIG_MAPS}/written", {"data": {"a": "2"}})
    assert int(changed["metadata"]["resourceVersion"]) > int(written["metadata"]["resourceVersion"])


class Writer(threading.Thread):
    """Creates ConfigMaps one after another from a thread, and remembers those that were acknowledged."""

    def __init__(self, api: Api, prefix: str) -> None:
        super().__init__(daemon=True)
        self.api = api
        self.prefix = prefix
        self.acknowledged: dict[str, str] = {}

    def run(self) -> None:
        for number in range(10**6):
            name = f"{self.prefix}-{number}"
            try:
                answer = self.api.request("POST", CONFIG_MAPS, config_map(name))
            except OSError:
                return
            if answer.code != 201:
                return
            self.acknowledged[name] = answer.body["metadata"]["uid"]


def enough(writers: list[Writer]) -> bool:
    return sum(len(writer.acknowledged) for writer in writers) >= 60


def test_no_acknowledged_write_is_lost_by_kill(make_server: MakeServer) -> None:
    """Five times: writers from four connections, `kill -9` in the midst of it, start again, compare."""
    server = make_server("--disable-controllers", "--disable-scheduler").start()
    expected: dict[str, str] = {}
    last_version = 0
    for round_ in range(5):
        api = server.api
        writers = [Writer(api, f"round-{round_}-{number}") for number in range(4)]
        for writer in writers:
            writer.start()
        until(partial(enough, writers), "60 acknowledged writes", 20, 0.005)
        server.kill()
        for writer in writers:
            writer.join(10)
            expected |= writer.acknowledged
        server.start()
        items = server.api.get(CONFIG_MAPS)
        present = {item["metadata"]["name"]: item["metadata"]["uid"] for item in items["items"]}
        assert {name: uid for name, uid in expected.items() if present.get(name) != uid} == {}
        version = int(items["metadata"]["resourceVersion"])
        newest = max(int(item["metadata"]["resourceVersion"]) for item in items["items"])
        assert version >= newest > last_version
        last_version = newest


def test_command_line_without_a_command_helps() -> None:
    assert "Usage" in run(STEERSMAN, "--help", env=environment()).stdout

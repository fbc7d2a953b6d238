"""`/debug`, which is served where it was asked for."""

import gzip
import threading
from collections.abc import Callable

from steersman.api.protobuf import load

from .api import Api
from .processes import Server


def test_nothing_is_told_unasked(api: Api) -> None:
    for path in ("/debug/pprof", "/debug/pprof/profile?seconds=1", "/debug/flags/v"):
        assert api.request("GET", path).code == 404


def test_what_is_told(make_server: Callable[..., Server]) -> None:
    api = make_server("--datastore", "memory", "--profiling").start().api
    assert "/debug/pprof/profile\t" in api.request("GET", "/debug/pprof/").text
    assert "steersman" in api.request("GET", "/debug/pprof/cmdline").text
    assert "task API server:" in api.request("GET", "/debug/pprof/goroutine?debug=2").text
    assert api.request("GET", "/debug/pprof/trace").code == 404
    assert api.request("GET", "/debug/flags/v").text == "2"
    answer = api.request("PUT", "/debug/flags/v", b"5", "text/plain")
    assert answer.text == "successfully set klog.logging.verbosity to 5"
    assert api.request("GET", "/debug/flags/v").text == "5"
    assert api.request("PUT", "/debug/flags/v", b"many", "text/plain").code == 400
    assert api.request("PUT", "/debug/flags/v", b"2", "text/plain").code == 200


def test_a_profile_tells_who_was_busy(make_server: Callable[..., Server]) -> None:
    api = make_server("--datastore", "memory", "--profiling").start().api
    done = threading.Event()
    containers = [{"name": f"c{number}", "image": "x"} for number in range(40)]
    pod = {
        "metadata": {"generateName": "p-"},
        "spec": {"containers": containers, "automountServiceAccountToken": False},
    }

    def ask() -> None:
        while not done.is_set():
            api.request("POST", "/api/v1/namespaces/default/pods?dryRun=All", pod)

    asking = threading.Thread(target=ask)
    asking.start()
    with api.stream("/debug/pprof/profile?seconds=1") as answer:
        assert answer.headers["Content-Type"] == "application/octet-stream"
        body = answer.read()
    done.set()
    asking.join()
    profile = load("steersman.apiserver.endpoints", "profile.proto").Profile.FromString(gzip.decompress(body))
    names = {profile.string_table[function.name] for function in profile.function}
    assert "HTTPProtocol._handle" in names
    assert [profile.string_table[each.unit] for each in profile.sample_type] == ["count", "nanoseconds"]
    known = {location.id for location in profile.location}
    assert all(set(sample.location_id) <= known for sample in profile.sample)

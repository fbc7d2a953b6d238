"""Where proxied requests go, and how links are rewritten."""

from __future__ import annotations

import gzip

import pytest

from steersman.api.errors import StatusError
from steersman.api.resources import builtin_scheme
from steersman.apiserver.admission.plugin import Request as AdmissionRequest
from steersman.apiserver.endpoints.connecting.admission import admitted
from steersman.apiserver.endpoints.connecting.locations import Name, is_proxyable, split_name
from steersman.apiserver.endpoints.connecting.proxy import backend_path, is_proxied
from steersman.apiserver.endpoints.connecting.rewriting import MAX_TAG, HTMLRewriter, Links, Recoder
from steersman.apiserver.endpoints.request_info import request_info
from steersman.apiserver.http.messages import Request

PREFIX = "/api/v1/namespaces/d/services/s:80/proxy"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("web", Name("", "web", "")),
        ("web:80", Name("", "web", "80")),
        ("web:http", Name("", "web", "http")),
        ("https:web:443", Name("https", "web", "443")),
        ("http:web:", Name("http", "web", "")),
        (":web:1", Name("", "web", "1")),
    ],
)
def test_names(text: str, name: Name) -> None:
    assert split_name(text, "service") == name


@pytest.mark.parametrize("text", ["", ":80", "ftp:web:21", "a:b:c:d", "https::443"])
def test_names_that_are_none(text: str) -> None:
    with pytest.raises(StatusError, match="invalid service request"):
        split_name(text, "service")


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("10.244.0.7", True),
        ("192.168.1.1", True),
        ("fd00::1", True),
        ("127.0.0.1", False),
        ("127.9.9.9", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:169.254.169.254", False),
        ("169.254.169.254", False),
        ("fe80::1", False),
        ("0.0.0.0", False),
        ("::", False),
        ("224.0.0.1", False),
        ("ff02::1", False),
        ("255.255.255.255", False),
        ("", False),
        ("localhost", False),
        ("0177.0.0.1", False),
        ("fd00::1%x@192.0.2.1", False),
    ],
)
def test_addresses(address: str, allowed: bool) -> None:
    assert is_proxyable(address) is allowed


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", ""),
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/", "/a/"),
        ("/../../secrets", "/secrets"),
        ("/a/../..", "/"),
        ("//a", "/a"),
        ("a", "/a"),
    ],
)
def test_paths(path: str, expected: str) -> None:
    assert backend_path(path) == expected


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("", ""),
        ("?path=/a", "/a"),
        ("/", "/"),
        ("/?path=/a", "/"),
        ("/a/b", "/a/b"),
        ("/a/?path=/c", "/a/"),
        ("//a", "/a"),
    ],
)
async def test_admission_is_shown_the_path_and_may_change_it(target: str, shown: str) -> None:
    path, _, query = target.partition("?")
    where = f"/api/v1/namespaces/d/pods/p/proxy{path}"
    request = Request("GET", where, where, query, {})
    seen = []

    async def admit(asked: AdmissionRequest) -> None:
        seen.append(asked.obj.path)
        asked.obj.path = "/elsewhere"

    pods = builtin_scheme().by_kind("v1", "Pod")
    assert pods is not None
    led = await admitted(request, request_info(request), pods, pods.subresources["proxy"], admit)
    assert (seen, led) == ([shown], "/elsewhere")


def test_which_targets_are_passed_on() -> None:
    assert is_proxied(b"/api/v1/namespaces/d/pods/p:80/proxy")
    assert is_proxied(b"/api/v1/namespaces/d/services/s/proxy/a?b")
    assert is_proxied(b"/api/v1/nodes/n/proxy?x")
    assert not is_proxied(b"/api/v1/namespaces/d/pods/p/log")
    assert not is_proxied(b"/api/v1/namespaces/d/pods?/nodes/n/proxy")
    assert not is_proxied(b"/api/v1/namespaces/d/configmaps/p/proxy")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/a/b?c#d", f"{PREFIX}/a/b?c#d"),
        ("/", f"{PREFIX}/"),
        ("/a/", f"{PREFIX}/a/"),
        ("a/b", "a/b"),
        ("#top", "#top"),
        ("http://10.0.0.1:80/x", f"{PREFIX}/x"),
        ("http://api.example:6443/x", f"{PREFIX}/x"),
        ("https://elsewhere.example/x", "https://elsewhere.example/x"),
        ("//elsewhere.example/x", "//elsewhere.example/x"),
        (f"{PREFIX}/x", f"{PREFIX}/x"),
        ("javascript:x()", "javascript:x()"),
        ("http://[broken/x", "http://[broken/x"),
    ],
)
def test_links(url: str, shown: str) -> None:
    assert Links(PREFIX, "10.0.0.1:80", "api.example:6443").rewrite(url) == shown


PAGE = b"""<!DOCTYPE html><html><head><title>a < b <a href="/no"></title>
<!-- <a href="/comment"> --><link rel=stylesheet href=/s.css><script src='/s.js'>if (a<b) "<a href='/no'>"</script>
</head><body class="x" background="/b.png"><a HREF = "/x?a=1&amp;b=2">x</a><img src="i.png" usemap="/m"/>
<form action="/f" data-action="/keep">1 < 2 <p title="a > b">&copy;</form><a href="http://other/">o</a></body></html>"""
REWRITTEN = (
    PAGE.replace(b"href=/s.css", b'href="/P/s.css"')
    .replace(b"src='/s.js'", b'src="/P/s.js"')
    .replace(b'background="/b.png"', b'background="/P/b.png"')
    .replace(b'"/x?a=1&amp;b=2"', b'"/P/x?a=1&amp;b=2"')
    .replace(b'usemap="/m"', b'usemap="/P/m"')
    .replace(b'action="/f"', b'action="/P/f"')
)


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_html(size: int) -> None:
    rewriter = HTMLRewriter(Links("/P").rewrite)
    pieces = [rewriter.feed(PAGE[start : start + size]) for start in range(0, len(PAGE), size)]
    assert b"".join(pieces) + rewriter.end() == REWRITTEN


def test_html_within_gzip() -> None:
    recoder = Recoder(HTMLRewriter(Links("/P").rewrite), "gzip")
    packed = gzip.compress(PAGE)
    pieces = [piece for start in range(0, len(packed), 50) for piece in recoder.feed(packed[start : start + 50])]
    assert gzip.decompress(b"".join(pieces) + recoder.end()) == REWRITTEN
    with pytest.raises(OSError, match="coding is broken"):
        list(Recoder(HTMLRewriter(str), "gzip").feed(b"no gzip"))


@pytest.mark.parametrize("hostile", [b"<a", b"<a x='", b"<a " + b"x" * 100, b"<!--", b"<a x=", b"<script", b'<a " '])
def test_html_costs_no_more_than_its_length(hostile: bytes) -> None:
    rewriter = HTMLRewriter(str)
    text = hostile * (4 * MAX_TAG // len(hostile)) + b">"
    assert rewriter.feed(text) + rewriter.end() == text

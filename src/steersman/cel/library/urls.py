"""The URL library: absolute URLs and absolute paths."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from steersman.cel.errors import CELError
from steersman.cel.functions import free, member, traversal

URL = "kubernetes.URL"


@dataclass(frozen=True, slots=True)
class Url:
    text: str
    parts: SplitResult

    cel_type = URL

    def __str__(self) -> str:
        return self.text


def url(text: str) -> Url:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise CELError(f'URL parse error during conversion from string: parse "{text}": {error}') from error
    if any(ord(character) < 32 or ord(character) == 127 for character in text) or " " in parts.netloc:
        raise CELError(f'URL parse error during conversion from string: parse "{text}": invalid character in URL')
    if not parts.scheme and not text.startswith("/"):
        raise CELError(f'URL parse error during conversion from string: parse "{text}": invalid URI for request')
    return Url(text, parts)


def is_url(text: str) -> bool:
    try:
        url(text)
    except CELError:
        return False
    return True


def hostname(value: Url) -> str:
    host = value.parts.netloc.rpartition("@")[2]
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


FUNCTIONS = (
    free("url", url, f"string -> {URL}", cost=traversal),
    free("isURL", is_url, "string -> bool", cost=traversal),
    member("getScheme", lambda u: u.parts.scheme, f"{URL} -> string"),
    member("getHost", lambda u: u.parts.netloc.rpartition("@")[2], f"{URL} -> string"),
    member("getHostname", hostname, f"{URL} -> string"),
    member("getPort", lambda u: str(u.parts.port or ""), f"{URL} -> string"),
    member("getEscapedPath", lambda u: quote(unquote(u.parts.path), safe="/$&+:=@,;!*'()~"), f"{URL} -> string"),
    member("getQuery", lambda u: parse_qs(u.parts.query, keep_blank_values=True), f"{URL} -> map<string,list<string>>"),
)

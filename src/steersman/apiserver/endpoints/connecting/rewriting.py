"""Links in what is proxied, so that they lead through the proxy: ``Location`` headers and HTML, as upstream does.

HTML is rewritten while it streams; what need not change stays byte for byte.
"""

from __future__ import annotations

import html
import posixpath
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

_ATTRIBUTES = {
    "a": "href", "applet": "codebase", "area": "href", "audio": "src", "base": "href", "blockquote": "cite",
    "body": "background", "button": "formaction", "command": "icon", "del": "cite", "embed": "src", "form": "action",
    "frame": "longdesc src", "head": "profile", "html": "manifest", "iframe": "longdesc src",
    "img": "longdesc src usemap", "input": "src usemap formaction", "ins": "cite", "link": "href",
    "object": "classid codebase data usemap", "q": "cite", "script": "src", "source": "src", "video": "poster src",
}  # fmt: skip
_URLS = {tag.encode(): frozenset(names.encode().split()) for tag, names in _ATTRIBUTES.items()}
_RAW_TEXT = frozenset(b"script style textarea title xmp iframe noembed noframes noscript".split())
"""Elements whose content is no markup."""

_TAG = re.compile(rb"""<([a-zA-Z][^\s/>]*+)((?:[^>"']|"[^"]*+"|'[^']*+')*+)>""")
_ATTRIBUTE = re.compile(rb"""(?<![^\s=/>"'])([^\s=/>"']++)(\s*+=\s*+)("[^"]*+"|'[^']*+'|[^\s>"']++)""")
MAX_TAG = 16 * 1024
"""Longer ones are text.  All matching is possessive: no answer of a pod's may cost more than its length."""


class Links:
    """Turns URLs of a backend at ``hosts`` into URLs below ``prefix``."""

    def __init__(self, prefix: str, *hosts: str) -> None:
        self._prefix = prefix
        self._hosts = frozenset(hosts)

    def rewrite(self, url: str) -> str:
        """A URL as it is to be shown; those of other hosts, and relative ones, stay."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return url
        if (parts.netloc and parts.netloc not in self._hosts) or not parts.path.startswith("/"):
            return url
        path = parts.path
        if not path.startswith(self._prefix):
            path = posixpath.normpath(f"{self._prefix}/{path.lstrip('/')}")
            if parts.path.endswith("/"):
                path += "/"
        return urlunsplit(("", "", path, parts.query, parts.fragment))


class HTMLRewriter:
    """A stream of HTML in, the same with its links rewritten out."""

    def __init__(self, rewrite: Callable[[str], str]) -> None:
        self._rewrite = rewrite
        self._buffer = b""
        self._until = b""
        """What ends the comment or the raw text that we are in."""

    def feed(self, data: bytes) -> bytes:
        """What can be passed on so far."""
        self._buffer += data
        buffer, position, out = self._buffer, 0, []
        while position < len(buffer):
            if self._until:
                end = buffer.lower().find(self._until, position)
                if end < 0:
                    kept = max(position, len(buffer) - len(self._until) + 1)
                    out.append(buffer[position:kept])
                    position = kept
                    break
                end += len(self._until)
                out.append(buffer[position:end])
                position, self._until = end, b""
                continue
            start = buffer.find(b"<", position)
            out.append(buffer[position : start if start >= 0 else len(buffer)])
            if start < 0:
                position = len(buffer)
                break
            position = start
            if (match := _TAG.match(buffer, position, position + MAX_TAG)) is not None:
                out.append(self._tag(match))
                position = match.end()
            elif buffer.startswith(b"<!--", position):
                self._until = b"-->"
            elif not _may_begin_a_tag(buffer[position + 1 : position + 4]):
                out.append(b"<")
                position += 1
            elif len(buffer) - position > MAX_TAG:
                out.append(buffer[position : position + MAX_TAG])
                position += MAX_TAG
            else:
                break
        self._buffer = buffer[position:]
        return b"".join(out)

    def end(self) -> bytes:
        """What is left."""
        left, self._buffer = self._buffer, b""
        return left

    def _tag(self, match: re.Match[bytes]) -> bytes:
        name = match[1].lower()
        if name in _RAW_TEXT:
            self._until = b"</" + name
        wanted = _URLS.get(name)
        if wanted is None:
            return match[0]

        def attribute(found: re.Match[bytes]) -> bytes:
            if found[1].lower() not in wanted:
                return found[0]
            quoted = found[3][:1] in b"\"'"
            value = html.unescape((found[3][1:-1] if quoted else found[3]).decode("utf-8", "surrogateescape"))
            rewritten = self._rewrite(value)
            if rewritten == value:
                return found[0]
            return found[1] + found[2] + b'"' + html.escape(rewritten).encode("utf-8", "surrogateescape") + b'"'

        return b"<" + match[1] + _ATTRIBUTE.sub(attribute, match[2]) + b">"


def _may_begin_a_tag(text: bytes) -> bool:
    return not text or text[:1].isalpha() or b"!--".startswith(text)


class Recoder:
    """An :class:`HTMLRewriter` within a content coding (``gzip``, ``deflate`` or none)."""

    def __init__(self, rewriter: HTMLRewriter, coding: str) -> None:
        self._rewriter = rewriter
        bits = {"gzip": 31, "deflate": -15}.get(coding)
        self._inflate: Any = zlib.decompressobj(bits) if bits else None
        self._deflate: Any = zlib.compressobj(wbits=bits) if bits else None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What can be passed on so far, in pieces of bounded size; raises OSError for a coding that is broken."""
        if self._inflate is None:
            yield self._rewriter.feed(data)
            return
        try:
            while data:
                plain = self._inflate.decompress(data, 256 * 1024)
                data = self._inflate.unconsumed_tail
                yield self._deflate.compress(self._rewriter.feed(plain)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        except zlib.error as error:
            raise OSError(f"the answer's coding is broken: {error}") from error

    def end(self) -> bytes:
        """What is left."""
        left = self._rewriter.end()
        return left if self._deflate is None else bytes(self._deflate.compress(left) + self._deflate.flush())


CODINGS = ("", "identity", "gzip", "deflate")
"""The content codings within which HTML is rewritten."""

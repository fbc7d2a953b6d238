"""Heads of responses."""

import pytest

from steersman.apiserver.http.writing import Clock, head


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", b"X-Said: plain\r\n"),
        ("two\r\nSet-Cookie: theirs", b"X-Said: two Set-Cookie: theirs\r\n"),
        ("two\nSet-Cookie: theirs", b"X-Said: two Set-Cookie: theirs\r\n"),
        ("two\rSet-Cookie: theirs", b"X-Said: twoSet-Cookie: theirs\r\n"),
    ],
)
def test_a_value_never_begins_a_line(value: str, written: bytes) -> None:
    lines = head(200, {"X-Said": value, "X-Other": "b"}, "text/plain", Clock(), length=0)
    assert written in lines
    assert [line.partition(b":")[0] for line in lines.split(b"\r\n")[2:]] == [
        b"X-Said", b"X-Other", b"Content-Type", b"Content-Length", b"", b"",
    ]  # fmt: skip

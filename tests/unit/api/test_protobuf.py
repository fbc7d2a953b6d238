"""Messages from .proto text, against the wire format and against protoc's own classes."""

from __future__ import annotations

import google.protobuf.descriptor_pb2  # noqa: F401
import pytest

from steersman.api import protobuf

TEXT = """
// A comment.
syntax = "proto3";
package test.v1;
import "google/protobuf/descriptor.proto";
message Outer {
  /* another */
  option deprecated = true;
  reserved 100, 101;
  message Inner { bytes data = 1; }
  enum Mode { NONE = 0; SOME = 1; }
  string name = 1;
  repeated int64 numbers = 2 [packed = true];
  map<string, string> labels = 3;
  map<string, Inner> inners = 4;
  Inner inner = 5;
  Mode mode = 6;
  Level level = 7;
  optional int32 maybe = 8;
  oneof choice { string text = 9; Inner other = 10; }
  Outer self = 11;
  google.protobuf.FileDescriptorProto file = 12;
}
enum Level { LOW = 0; HIGH = 1; BELOW = -1; }
service Greeter {
  rpc Greet(Outer) returns (Outer) {}
  rpc Watch(stream Outer) returns (stream Outer);
}
"""


def test_messages_survive_the_wire() -> None:
    api = protobuf.parse(TEXT)
    message = api.Outer(
        name="n",
        numbers=[1, 2, -3],
        labels={"a": "b"},
        inners={"k": api.Outer.Inner(data=b"d")},
        mode=api.Outer.SOME,
        level=api.BELOW,
        maybe=0,
        text="t",
        self=api.Outer(name="inner"),
    )
    again = api.Outer.FromString(message.SerializeToString())
    assert again == message
    assert again.HasField("maybe")
    assert again.WhichOneof("choice") == "text"
    assert again.inners["k"].data == b"d"
    assert not api.Outer().HasField("maybe")
    assert api.Outer(name="é").SerializeToString() == b"\x0a\x02\xc3\xa9"


def test_services_know_their_methods() -> None:
    methods = protobuf.parse(TEXT).services["Greeter"]
    assert methods["Greet"].path == "/test.v1.Greeter/Greet"
    assert (methods["Watch"].client_streaming, methods["Watch"].server_streaming) == (True, True)
    assert (methods["Greet"].client_streaming, methods["Greet"].server_streaming) == (False, False)


def test_two_files_of_the_same_names_live_side_by_side() -> None:
    one = protobuf.parse("package p; message M { string a = 1; }")
    two = protobuf.parse("package p; message M { int64 b = 1; }")
    assert one.M(a="x").a == "x"
    assert two.M(b=1).b == 1


@pytest.mark.parametrize("text", ["message {", "message M { string a 1; }", "message M ! {}", "frobnicate;"])
def test_unreadable_text_is_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        protobuf.parse(text)


def test_unknown_names_are_reported() -> None:
    with pytest.raises(AttributeError, match=r"no message or enum value Missing in test\.v1"):
        _ = protobuf.parse(TEXT).Missing

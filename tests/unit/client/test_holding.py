"""What objects that came over HTTPS keep in memory."""

from __future__ import annotations

import tracemalloc

from steersman.api.resources import builtin_scheme
from steersman.api.types.core_v1 import ConfigMap
from steersman.client import http


def test_an_object_does_not_hold_the_list_it_came_in() -> None:
    decoder = builtin_scheme().for_type(ConfigMap).decoder
    entry = b'{"manager":"m","operation":"Update","fieldsV1":{"f:data":{}}}'
    body = b'{"metadata":{"name":"a","managedFields":[%b]},"data":{}}' % entry
    tracemalloc.start()
    try:
        obj = http._decode(decoder, body + b" " * 1_000_000)
        assert tracemalloc.get_traced_memory()[0] < 100_000
    finally:
        tracemalloc.stop()
    assert bytes(obj.metadata.managed_fields[0].fields_v1) == b'{"f:data":{}}'

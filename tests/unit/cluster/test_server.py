"""What people are told when a server cannot go on."""

import errno
from pathlib import Path

import pytest

from steersman.cluster import config as configuration
from steersman.cluster import running, server
from steersman.cluster.config import ConfigError
from steersman.storage.store import StoreUnusableError


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (StoreUnusableError("the disk is full"), "the disk is full"),
        (OSError(errno.EADDRINUSE, "in use"), "is taken; choose another --secure-port"),
    ],
)
def test_an_expected_end_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ExceptionGroup("unhandled errors in a TaskGroup", [ExceptionGroup("nested", [error])])

    monkeypatch.setattr(running, "run", fail)
    config = configuration.resolve(tmp_path, node_address="127.0.0.1", bind_address="127.0.0.1", secure_port=17449)
    with pytest.raises(ConfigError, match=message):
        server.run(config, node=False)

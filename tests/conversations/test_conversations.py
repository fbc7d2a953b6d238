"""Every verb and every kind of patch, as recorded conversations.

``STEERSMAN_RECORD=1 make test PYTEST_ARGS=tests/conversations`` writes the answers into the files: read the difference
before committing it.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.api import Api
from e2e.processes import Server

from .conversation import Conversation, parse, render

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.http"))


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server where nothing happens but what is asked for."""
    options = ("--datastore", "memory", "--disable-controllers", "--disable-scheduler")
    server = Server(tmp_path_factory.mktemp("conversations") / "server", *options)
    try:
        yield server.start().api
    finally:
        server.remove()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_conversation(api: Api, path: Path) -> None:
    namespace = f"talk-{path.stem}"
    api.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
    api.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "default"}})
    conversation = Conversation(api, namespace)
    text = path.read_text()
    exchanges = [each._replace(answer=conversation.answer(each)) for each in parse(text)]
    said = render(text.partition("### ")[0], exchanges)
    if os.environ.get("STEERSMAN_RECORD"):
        path.write_text(said)
    assert said == text

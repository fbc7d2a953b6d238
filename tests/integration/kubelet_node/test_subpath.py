"""``subPath`` of a volume that changes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from steersman.kubelet.mounts import is_mount_point, unmount_below
from steersman.kubelet.volumes.subpath import SubpathError, bind

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it mounts"),
]


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "target/0"
    unmount_below(tmp_path)


def test_a_file_that_was_replaced_is_bound_anew(tmp_path: Path, target: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "k").write_text("one")
    assert bind(volume, "k", target).read_text() == "one"
    (volume / "k.new").write_text("two")
    (volume / "k.new").replace(volume / "k")
    assert target.read_text() == "one", "a running container keeps what it was given"
    assert bind(volume, "k", target).read_text() == "two"
    bind(volume, "k", target)
    unmount_below(target.parent)
    assert not is_mount_point(target), "it was bound once"


def test_a_link_out_of_the_volume_is_refused(tmp_path: Path, target: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "out").symlink_to("/etc")
    with pytest.raises(SubpathError, match="leads out of its volume"):
        bind(volume, "out", target)
